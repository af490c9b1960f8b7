//! Recognising people who unsubscribed, after everything else about them has gone.
//!
//! What stays of an address is an HMAC-SHA-256 (RFC 2104) under a key that exists per tenant and
//! purpose, derived from a master key by HKDF-SHA-256 (RFC 5869):
//!
//! ```text
//! derived key = HKDF(ikm = master key, salt = "retentiond", L = 32,
//!                    info = "retentiond/v1/" purpose NUL tenant id as 8 bytes, big-endian)
//! e-mail hash = HMAC(derived key of "suppression-email", number of the normalisation's version as
//!                    4 bytes, big-endian, then the normalised address in UTF-8)
//! content MAC = HMAC(derived key of "upload-content", the file's bytes)
//! check value = HKDF(ikm = master key, salt = "retentiond", L = 32, info = "retentiond/v1/check-value")
//! ```
//!
//! None of this may ever change: the addresses are gone, so no hash can be computed again. The known
//! answers in the tests, which another program computed, hold it in place.
//!
//! A hash tells nothing to somebody who has the database but not the master key, and the hashes of one
//! address at two tenants have nothing in common.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::email::{NormVersion, NormalizedEmail};
use crate::ids::TenantId;

/// Shortest master key accepted, in bytes: as long as the hash, as RFC 2104 advises. The hmac crate
/// itself takes any key, even an empty one.
pub const MASTER_KEY_BYTES_MIN: usize = 32;

/// Fewer different bytes than this has no random key of [`MASTER_KEY_BYTES_MIN`] bytes.
const DISTINCT_BYTES_MIN: usize = 12;

/// Longest key id accepted, in characters.
const KEY_ID_CHARS_MAX: usize = 64;

const SALT: &[u8] = b"retentiond";
const INFO_EMAIL: &[u8] = b"retentiond/v1/suppression-email\0";
const INFO_UPLOAD: &[u8] = b"retentiond/v1/upload-content\0";
const INFO_CHECK_VALUE: &[u8] = b"retentiond/v1/check-value";

/// Why keys cannot be used. Names neither keys nor ids: an id that is none may be a misplaced secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyringError {
    /// The master key could be guessed.
    #[error("the key has {bytes} bytes; it needs at least {MASTER_KEY_BYTES_MIN}")]
    KeyTooShort {
        /// Its length.
        bytes: usize,
    },
    /// The id cannot be stored.
    #[error("a key id has 1 to {KEY_ID_CHARS_MAX} characters, each a letter, a digit, `-` or `_`")]
    InvalidKeyId,
    /// A hash under this id could belong to either key.
    #[error("two keys have the same id; give every key an id of its own")]
    DuplicateKeyId,
}

/// Name of a master key; not secret. Stored beside every hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > KEY_ID_CHARS_MAX || !text.bytes().all(allowed) {
            return Err(KeyringError::InvalidKeyId);
        }
        Ok(Self(text.into()))
    }
}

impl Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({})", self.0)
    }
}

/// A secret from which the keys of all tenants are derived. Wiped from memory when dropped.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<Vec<u8>>);

impl MasterKey {
    /// Takes `secret`, which must come from a cryptographic random source.
    ///
    /// # Errors
    /// [`KeyringError::KeyTooShort`] below [`MASTER_KEY_BYTES_MIN`] bytes.
    pub fn new(secret: Zeroizing<Vec<u8>>) -> Result<Self, KeyringError> {
        let bytes = secret.len();
        if bytes < MASTER_KEY_BYTES_MIN {
            return Err(KeyringError::KeyTooShort { bytes });
        }
        Ok(Self(secret))
    }

    /// Whether the key is one that somebody typed or a program filled in, and so one that can be guessed: the
    /// same bytes over and over, or each as far from the one before. Of 2^80 random keys not one looks so.
    #[must_use]
    pub fn is_patterned(&self) -> bool {
        let mut seen = [false; 256];
        self.0
            .iter()
            .for_each(|byte| seen[usize::from(*byte)] = true);
        let distinct = seen.iter().filter(|seen| **seen).count();
        let mut steps = self.0.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
        let first = steps.next();
        distinct < DISTINCT_BYTES_MIN || steps.all(|step| Some(step) == first)
    }

    /// The secret, for writing it to the keyring file.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    fn derive(&self, info: &[&[u8]]) -> DerivedKey {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(SALT), &self.0)
            .expand_multi_info(info, key.as_mut())
            .expect("HKDF-SHA-256 gives up to 8,160 bytes");
        key
    }
}

impl PartialEq for MasterKey {
    /// Takes the same time wherever the keys differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for MasterKey {}

impl Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey([redacted])")
    }
}

type DerivedKey = Zeroizing<[u8; 32]>;

/// The master keys: the active one, under which new hashes are made, and the retained ones, under which
/// older hashes are still found.
#[derive(Clone, Debug)]
pub struct Keyring {
    /// The active one first, then the retained ones, newest first. Never empty.
    keys: Vec<(KeyId, MasterKey)>,
}

impl Keyring {
    /// Puts `active` and the `retained` keys, newest first, together.
    ///
    /// # Errors
    /// [`KeyringError::DuplicateKeyId`].
    pub fn new(
        active: (KeyId, MasterKey),
        retained: Vec<(KeyId, MasterKey)>,
    ) -> Result<Self, KeyringError> {
        let mut keys = vec![active];
        for key in retained {
            if keys.iter().any(|(id, _)| *id == key.0) {
                return Err(KeyringError::DuplicateKeyId);
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// Id of the key under which new hashes are made.
    #[must_use]
    pub fn active_id(&self) -> &KeyId {
        &self.keys[0].0
    }

    /// Ids of all keys, the active one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|(id, _)| id)
    }

    /// A value that shows whether two keyrings hold the same key under `id`, and nothing about the key;
    /// `None` if this one holds no such key.
    #[must_use]
    pub fn check_value(&self, id: &KeyId) -> Option<[u8; 32]> {
        let (_, key) = self.keys.iter().find(|(candidate, _)| candidate == id)?;
        Some(*key.derive(&[INFO_CHECK_VALUE]))
    }

    /// Derives the keys of one tenant.
    #[must_use]
    pub fn for_tenant(&self, tenant: TenantId) -> TenantHasher {
        let tenant = tenant.0.to_be_bytes();
        let keys = self.keys.iter().map(|(id, key)| TenantKeys {
            id: id.clone(),
            email: key.derive(&[INFO_EMAIL, &tenant]),
            upload: key.derive(&[INFO_UPLOAD, &tenant]),
        });
        TenantHasher {
            keys: keys.collect(),
        }
    }
}

/// All that stays of an unsubscribed address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Suppressed {
    /// Under which key.
    pub key_id: KeyId,
    /// By which rules the address was normalised.
    pub norm_version: NormVersion,
    /// HMAC-SHA-256 of the normalised address.
    pub hmac: [u8; 32],
}

struct TenantKeys {
    id: KeyId,
    email: DerivedKey,
    upload: DerivedKey,
}

impl TenantKeys {
    fn suppress(&self, version: NormVersion, address: &NormalizedEmail) -> Suppressed {
        // The version is hashed too, so that a later version can never take one person's hash for
        // another's.
        let mac = keyed(&self.email)
            .chain_update(version.number().to_be_bytes())
            .chain_update(address.expose());
        Suppressed {
            key_id: self.id.clone(),
            norm_version: version,
            hmac: mac.finalize().into_bytes().into(),
        }
    }
}

/// Hashes under the keys of one tenant. Cheap to clone; wiped from memory with its last clone.
#[derive(Clone)]
pub struct TenantHasher {
    /// The active one first; never empty.
    keys: Arc<[TenantKeys]>,
}

impl TenantHasher {
    /// The hash of `address` under the active key: the one to store.
    #[must_use]
    pub fn hash(&self, address: &NormalizedEmail) -> Suppressed {
        self.keys[0].suppress(address.version(), address)
    }

    /// The hashes of `address` under all keys, and by every version of the normalisation up to its own:
    /// those to look up. The first is that of [`TenantHasher::hash`].
    ///
    /// What version 2 leaves, version 1 leaves as it is. So the same text stands for the address under
    /// both; but their hashes differ, because the version is part of them.
    #[must_use]
    pub fn hash_all(&self, address: &NormalizedEmail) -> Vec<Suppressed> {
        let versions: &[NormVersion] = match address.version() {
            NormVersion::One => &[NormVersion::One],
            NormVersion::Two => &[NormVersion::Two, NormVersion::One],
        };
        let keys = self.keys.iter();
        keys.flat_map(|key| {
            versions
                .iter()
                .map(|&version| key.suppress(version, address))
        })
        .collect()
    }

    /// Starts the MACs by which a file is recognised when it is uploaded again.
    #[must_use]
    pub fn content_macs(&self) -> ContentMacs {
        ContentMacs(self.keys.iter().map(|key| keyed(&key.upload)).collect())
    }
}

impl Debug for TenantHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TenantHasher([redacted])")
    }
}

/// MACs of one file under every key, so that it is still recognised after a rotation.
pub struct ContentMacs(Vec<Hmac<Sha256>>);

impl ContentMacs {
    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        for mac in &mut self.0 {
            mac.update(bytes);
        }
    }

    /// The MACs of everything taken. The first is under the active key: the one to store.
    #[must_use]
    pub fn finalize(self) -> Vec<[u8; 32]> {
        let macs = self.0.into_iter();
        macs.map(|mac| mac.finalize().into_bytes().into()).collect()
    }
}

impl Debug for ContentMacs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContentMacs([redacted])")
    }
}

fn keyed(key: &DerivedKey) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_ref()).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests;
