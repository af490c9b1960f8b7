//! What can be wrong with a keyring file, in words for whoever has to put it right.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::suppression::KeyringError;
use crate::file_fault::FileFault;
use crate::trusted_file::{Refusal, Untrusted};

/// The only version of the format so far.
pub(super) const FORMAT_VERSION: u32 = 1;

/// Largest file read, in bytes: thousands of keys. Larger is a mistaken path.
pub(super) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the keyring file cannot be used: what, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(
    missing_docs,
    reason = "each variant is told by its message; `path` is the keyring file"
)]
pub enum KeyringFileError {
    #[error(
        "there is no keyring file at {path}; for a new database, create one with `retentiond keys generate`, else restore the one that the database was started with, or correct suppression.keyring_file"
    )]
    Missing { path: PathBuf },
    #[error(
        "the keyring {path} is not a regular file; correct suppression.keyring_file to name one"
    )]
    NotAFile { path: PathBuf },
    #[error("cannot read the keyring file {path} ({fault}); {}", fault.advice("let the service's user read it"))]
    Unreadable { path: PathBuf, fault: FileFault },
    #[error(
        "the keyring file {path} has mode {mode:04o}, so that others can reach the keys; run `chmod 0600` on it, and rotate the keys if somebody may have read them (addresses whose hashes were made before stay guessable for that person)"
    )]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("the keyring file {path} is not used: {reason}")]
    Untrusted { path: PathBuf, reason: Untrusted },
    #[error(
        "the keyring file {path} is larger than {FILE_BYTES_MAX} bytes; correct suppression.keyring_file to name a keyring"
    )]
    TooLarge { path: PathBuf },
    #[error(
        "the keyring file {path} is not a valid keyring{}; restore it from a backup, for its keys cannot be made again",
        at_line(*line)
    )]
    Unparsable { path: PathBuf, line: Option<usize> },
    #[error(
        "the keyring file {path} has format version {version}, and this program reads version {FORMAT_VERSION}; use the program that wrote it, or a newer one"
    )]
    UnknownVersion { path: PathBuf, version: u32 },
    #[error(
        "key number {number} in the keyring file {path} cannot be used: {reason}; restore the file from a backup"
    )]
    BadKey {
        path: PathBuf,
        number: usize,
        reason: KeyringError,
    },
    #[error(
        "the active key in the keyring file {path} is not random, so anybody can guess addresses from their hashes; run `retentiond keys rotate`, which makes a random key and keeps this one for look-ups"
    )]
    PatternedKey { path: PathBuf },
    #[error(
        "the secret of key number {number} in the keyring file {path} is not hexadecimal; restore the file from a backup"
    )]
    SecretNotHexadecimal { path: PathBuf, number: usize },
    #[error(
        "`active` in the keyring file {path} names none of its keys; set it to the id of the newest key in the file"
    )]
    UnknownActive { path: PathBuf },
    #[error(
        "the keyring file {path} exists already and is never overwritten; to add a new key, run `retentiond keys rotate`"
    )]
    AlreadyExists { path: PathBuf },
    #[error("another process is rotating the keys of {path}; run `retentiond keys check` first")]
    Busy { path: PathBuf },
    #[error(
        "cannot write the keyring file {path} ({fault}); {}",
        fault.advice("its directory must exist, be writable and have room")
    )]
    Unwritable { path: PathBuf, fault: FileFault },
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})"))
        .unwrap_or_default()
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> KeyringFileError {
    let path = path.into();
    match error.kind() {
        ErrorKind::NotFound => KeyringFileError::Missing { path },
        _ => KeyringFileError::Unreadable {
            path,
            fault: error.into(),
        },
    }
}

/// Why the file, or its folder, is not used; `otherwise` says what an error of the operating system means.
pub(super) fn not_used(
    path: &Path,
    refusal: Refusal,
    otherwise: fn(&Path, &io::Error) -> KeyringFileError,
) -> KeyringFileError {
    let path_of = || PathBuf::from(path);
    match refusal {
        Refusal::Io(error) => otherwise(path, &error),
        Refusal::Untrusted(Untrusted::NotAFile) => KeyringFileError::NotAFile { path: path_of() },
        Refusal::Untrusted(Untrusted::Readable { mode } | Untrusted::Writable { mode }) => {
            KeyringFileError::TooOpen {
                path: path_of(),
                mode,
            }
        }
        Refusal::Untrusted(reason) => KeyringFileError::Untrusted {
            path: path_of(),
            reason,
        },
    }
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> KeyringFileError {
    KeyringFileError::Unwritable {
        path: path.into(),
        fault: error.into(),
    }
}
