//! The keyring file: the only place where the master keys are kept.
//!
//! ```toml
//! version = 1
//! active = "k20261123-1f3a"
//!
//! [[key]]
//! id = "k20261123-1f3a"
//! created_at = "2026-11-23T20:59:00.000000Z"
//! secret = "64 or more hexadecimal digits"
//! ```
//!
//! Losing a key loses, for good, the recognition of everybody who unsubscribed under it; showing it lets
//! its reader guess addresses. So a file that others can read is refused, an existing one is never
//! overwritten by a new one, a rotation replaces it whole or not at all and keeps every old key, and no
//! error ever repeats what the file holds: not even an id, for it may be a misplaced secret.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use rand::{CryptoRng, RngCore};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::domain::suppression::{KeyId, Keyring, KeyringError, MASTER_KEY_BYTES_MIN, MasterKey};
use crate::trusted_file::{self, Content, Opened};

mod error;

pub use error::KeyringFileError;
use error::{FILE_BYTES_MAX, FORMAT_VERSION, not_used, unreadable, unwritable};

/// The widest mode that a rotation takes over from the old file.
const MODE_KEPT: u32 = 0o640;

/// Reads the keyring at `path`.
///
/// # Errors
/// If it is missing, somebody else's or open to others ([`trusted_file`]), or not a whole and consistent keyring, or
/// if the active key is not random.
pub fn load(path: &Path) -> Result<Keyring, KeyringFileError> {
    let (mut file, _) = open(path)?;
    let contents = read(path, &mut file)?;
    let mut active = contents.keys.iter().filter(|key| key.id == contents.active);
    if active.any(|key| key.secret.is_patterned()) {
        return Err(KeyringFileError::PatternedKey { path: path.into() });
    }
    contents.into_keyring(path)
}

/// Reads the keyring at `path` in order to rotate it: that mends an active key that is not random.
///
/// # Errors
/// As [`load`], but for the last.
pub fn load_to_rotate(path: &Path) -> Result<Keyring, KeyringFileError> {
    let (mut file, _) = open(path)?;
    read(path, &mut file)?.into_keyring(path)
}

/// Writes a new keyring with one key to `path`, mode 0600, and gives the key's id.
///
/// # Errors
/// If there is anything at `path` already, or it cannot be written, or others may exchange files there. Then `path` is as it was, unless only the
/// last step failed, which makes sure of the directory entry: a new keyring is there to be checked.
pub fn generate(
    path: &Path,
    random: &mut impl CryptoRng,
    now: DateTime<Utc>,
) -> Result<KeyId, KeyringFileError> {
    trusted_file::locate(path).map_err(|refusal| not_used(path, refusal, unwritable))?;
    let key = Entry::new(&[], random, now);
    let id = key.id.clone();
    let contents = Contents {
        active: id.clone(),
        keys: vec![key],
    };
    let temporary = Temporary::write(path, &contents, random)?;
    // A link, unlike a rename, fails if there is something at `path`, even if it came just now.
    fs::hard_link(&temporary.path, path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => KeyringFileError::AlreadyExists { path: path.into() },
        _ => unwritable(path, &error),
    })?;
    drop(temporary);
    sync_directory(path)?;
    Ok(id)
}

/// Adds a new key to the keyring at `path`, makes it the active one, keeps all others, and gives its id.
/// The file keeps its owner, its group and its mode; comments in it are lost.
///
/// # Errors
/// Like [`load`], or if the file cannot be replaced, or if somebody else is replacing it. Then the file is
/// as it was or, if only the last step failed, rotated; never anything in between.
pub fn rotate(
    path: &Path,
    random: &mut impl CryptoRng,
    now: DateTime<Utc>,
) -> Result<KeyId, KeyringFileError> {
    // A link stays a link: what is replaced is the file behind it.
    let target = trusted_file::locate(path)
        .map_err(|refusal| not_used(path, refusal, unreadable))?
        .path;
    let (mut file, metadata) = open(&target)?;
    // Of two rotations at a time, the second would drop the first one's key, which may be in use already.
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => KeyringFileError::Busy { path: path.into() },
        TryLockError::Error(error) => unreadable(path, &error),
    })?;
    let current = fs::metadata(&target).map_err(|error| unreadable(path, &error))?;
    if (current.dev(), current.ino()) != (metadata.dev(), metadata.ino()) {
        return Err(KeyringFileError::Busy { path: path.into() });
    }

    let mut contents = read(path, &mut file)?;
    let key = Entry::new(&contents.keys, random, now);
    let id = key.id.clone();
    contents.active = id.clone();
    contents.keys.insert(0, key);

    let mut temporary = Temporary::write(&target, &contents, random)?;
    temporary
        .take_over(&metadata)
        .and_then(|()| fs::rename(&temporary.path, &target))
        .map_err(|error| unwritable(path, &error))?;
    temporary.is_in_place = true;
    sync_directory(&target)?;
    Ok(id)
}

/// What a valid file holds, the keys in the order of the file.
struct Contents {
    active: KeyId,
    keys: Vec<Entry>,
}

struct Entry {
    id: KeyId,
    created_at: DateTime<Utc>,
    secret: MasterKey,
}

impl Entry {
    /// A new key with an id that none of `others` has: the day it was made, and something random, so
    /// that two keyrings made on one day do not share their ids.
    fn new(others: &[Self], random: &mut impl CryptoRng, now: DateTime<Utc>) -> Self {
        let mut secret = Zeroizing::new(vec![0; MASTER_KEY_BYTES_MIN]);
        random.fill_bytes(&mut secret);
        let mut suffix = [0; 2];
        random.fill_bytes(&mut suffix);
        let start = u16::from_be_bytes(suffix);
        let id = (0..=u16::MAX)
            .map(|step| format!("k{}-{:04x}", now.format("%Y%m%d"), start.wrapping_add(step)))
            .find(|id| others.iter().all(|other| other.id.as_str() != id))
            .expect("the limit on the file's size allows fewer keys than there are ids");
        Self {
            id: id.parse().expect("letters, digits and `-`"),
            created_at: now,
            secret: MasterKey::new(secret).expect("as long as it must be"),
        }
    }
}

impl Contents {
    fn into_keyring(self, path: &Path) -> Result<Keyring, KeyringFileError> {
        let Self { active, mut keys } = self;
        // Newest first.
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        let position = keys.iter().position(|key| key.id == active);
        let active = position
            .map(|position| keys.remove(position))
            .ok_or_else(|| KeyringFileError::UnknownActive { path: path.into() })?;
        let retained = keys.into_iter().map(|key| (key.id, key.secret)).collect();
        // `read` has found all ids to differ, so this is `Ok` if the two agree.
        Keyring::new((active.id, active.secret), retained).map_err(|reason| {
            KeyringFileError::BadKey {
                path: path.into(),
                number: 1,
                reason,
            }
        })
    }

    /// The text of the file. Ids and digits need no escaping.
    fn to_toml(&self) -> Zeroizing<String> {
        // Enough for all, because growing would leave copies of secrets behind.
        let secrets_chars: usize = self
            .keys
            .iter()
            .map(|key| key.secret.expose().len() * 2)
            .sum();
        let mut text = Zeroizing::new(String::with_capacity(
            512 + secrets_chars + self.keys.len() * 256,
        ));
        text.push_str(
            "# Keys of retentiond. Keep a backup, keep it secret, and never remove a key.\n",
        );
        text.push_str(&format!(
            "version = {FORMAT_VERSION}\nactive = \"{}\"\n",
            self.active
        ));
        for key in &self.keys {
            let created_at = key.created_at.to_rfc3339_opts(SecondsFormat::Micros, true);
            text.push_str(&format!(
                "\n[[key]]\nid = \"{}\"\ncreated_at = \"{created_at}\"\nsecret = \"",
                key.id
            ));
            text.push_str(&Zeroizing::new(hex::encode(key.secret.expose())));
            text.push_str("\"\n");
        }
        text
    }
}

#[derive(Deserialize)]
struct RawVersion {
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(rename = "version")]
    _version: u32,
    active: SecretString,
    #[serde(rename = "key")]
    keys: Vec<RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    // Kept like a secret until it is known to be an id.
    id: SecretString,
    created_at: DateTime<Utc>,
    secret: SecretString,
}

impl RawKey {
    fn check(self, path: &Path, number: usize) -> Result<Entry, KeyringFileError> {
        let bad = |reason| KeyringFileError::BadKey {
            path: path.into(),
            number,
            reason,
        };
        let secret = hex::decode(self.secret.expose_secret()).map_err(|_| {
            KeyringFileError::SecretNotHexadecimal {
                path: path.into(),
                number,
            }
        })?;
        Ok(Entry {
            secret: MasterKey::new(Zeroizing::new(secret)).map_err(bad)?,
            id: self.id.expose_secret().parse().map_err(bad)?,
            created_at: self.created_at,
        })
    }
}

/// Opens the file, if nobody else can reach it.
fn open(path: &Path) -> Result<(File, fs::Metadata), KeyringFileError> {
    let Opened { file, metadata } = trusted_file::open(path, Content::Secrets)
        .map_err(|refusal| not_used(path, refusal, unreadable))?;
    Ok((file, metadata))
}

fn read(path: &Path, file: &mut File) -> Result<Contents, KeyringFileError> {
    let unparsable = |line| KeyringFileError::Unparsable {
        path: path.into(),
        line,
    };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    if size > FILE_BYTES_MAX {
        return Err(KeyringFileError::TooLarge { path: path.into() });
    }
    // Enough for all, because growing would leave copies of secrets behind.
    let capacity = usize::try_from(size).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unparsable(None))?;

    // The parser's own message quotes the file, so only the place of the error is kept.
    let place = |error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        unparsable(before.map(|before| before.matches('\n').count() + 1))
    };
    let RawVersion { version } = toml::from_str(text).map_err(place)?;
    if version != FORMAT_VERSION {
        return Err(KeyringFileError::UnknownVersion {
            path: path.into(),
            version,
        });
    }
    let raw: RawFile = toml::from_str(text).map_err(place)?;

    let mut keys: Vec<Entry> = Vec::with_capacity(raw.keys.len());
    for (index, key) in raw.keys.into_iter().enumerate() {
        let key = key.check(path, index + 1)?;
        if keys.iter().any(|other| other.id == key.id) {
            return Err(KeyringFileError::BadKey {
                path: path.into(),
                number: index + 1,
                reason: KeyringError::DuplicateKeyId,
            });
        }
        keys.push(key);
    }
    let active = keys
        .iter()
        .find(|key| key.id.as_str() == raw.active.expose_secret())
        .map(|key| key.id.clone())
        .ok_or_else(|| KeyringFileError::UnknownActive { path: path.into() })?;
    Ok(Contents { active, keys })
}

/// A whole keyring beside the one to be made or replaced; removed when dropped, unless it took its place.
struct Temporary {
    path: PathBuf,
    file: File,
    is_in_place: bool,
}

impl Temporary {
    fn write(
        target: &Path,
        contents: &Contents,
        random: &mut impl RngCore,
    ) -> Result<Self, KeyringFileError> {
        let failed = |error: std::io::Error| unwritable(target, &error);
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{:016x}.tmp", random.next_u64()));
        let path = target.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let mut temporary = Self {
            path,
            file,
            is_in_place: false,
        };
        let text = contents.to_toml();
        temporary.file.write_all(text.as_bytes()).map_err(failed)?;
        temporary.file.sync_all().map_err(failed)?;
        Ok(temporary)
    }

    /// Gives the file the owner, the group and the mode of `old`: an administrator who rotates must not
    /// lock the service out.
    fn take_over(&self, old: &fs::Metadata) -> std::io::Result<()> {
        let new = self.file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&self.file, Some(old.uid()), Some(old.gid()))?;
        }
        self.file
            .set_permissions(Permissions::from_mode(old.mode() & MODE_KEPT))?;
        self.file.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_in_place {
            // Nothing better can be done about a failure here: the file is of no use to anybody else.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes sure that the new name outlives a power failure.
fn sync_directory(path: &Path) -> Result<(), KeyringFileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| unwritable(path, &error))
}

#[cfg(test)]
mod tests;
