//! Why a file cannot be opened, read or written, and what helps. The operating system's limit of open files is
//! told from all else: it says nothing about the file, and rights or names are the wrong place to look.

use std::fmt;
use std::io::{self, ErrorKind};

/// `EMFILE` and `ENFILE`: this process, or the whole system, has as many files open as it may (errno(3); the
/// numbers are the same on every architecture of Linux).
const TOO_MANY_OPEN: [i32; 2] = [24, 23];

/// What the limit means and what helps, in a sentence of its own.
pub const LIMIT_REACHED: &str = "too many files are open; raise the limit of open files (LimitNOFILE= in the unit, \
     `ulimit -n` in a shell)";

/// Why an operation on a file failed. Holds neither its name nor anything of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFault {
    kind: ErrorKind,
    is_limit: bool,
}

impl FileFault {
    /// What helps: `otherwise`, unless it is the limit of open files.
    #[must_use]
    pub fn advice(self, otherwise: &'static str) -> &'static str {
        if self.is_limit {
            "raise the limit of open files (LimitNOFILE= in the unit, `ulimit -n` in a shell)"
        } else {
            otherwise
        }
    }

    /// Whether it is the limit of open files.
    #[must_use]
    pub fn is_limit(self) -> bool {
        self.is_limit
    }
}

/// How many files this process may have open, as far as the system tells.
///
/// # Errors
///
/// The operating system's, the limit itself among them.
pub fn open_files_max() -> io::Result<Option<u64>> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    Ok(limits.lines().find_map(|line| {
        let limit = line.strip_prefix("Max open files")?;
        limit.split_whitespace().next()?.parse().ok()
    }))
}

/// Fewer than these, and whoever failed to open a file may have met the limit.
const SCARCE: usize = 8;

/// The fault of an operation that does not say why it failed, if it is likely that it was the limit of open
/// files: there is hardly room for another one.
#[must_use]
pub fn likely_limit() -> Option<FileFault> {
    let open = std::fs::read_dir("/proc/self/fd").map_or(usize::MAX, Iterator::count);
    let limit = match open_files_max() {
        Ok(limit) => usize::try_from(limit?).unwrap_or(usize::MAX),
        Err(error) => return Some(FileFault::from(&error)).filter(|fault| fault.is_limit()),
    };
    (open.saturating_add(SCARCE) > limit).then_some(FileFault {
        kind: ErrorKind::Other,
        is_limit: true,
    })
}

impl From<&io::Error> for FileFault {
    fn from(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            is_limit: error
                .raw_os_error()
                .is_some_and(|number| TOO_MANY_OPEN.contains(&number)),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_limit {
            formatter.write_str("too many open files")
        } else {
            write!(formatter, "{}", self.kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_its_limit() {
        assert!(open_files_max().unwrap().is_none_or(|limit| limit > 0));
    }

    #[test]
    fn the_limit_of_open_files_is_no_question_of_rights() {
        for number in TOO_MANY_OPEN {
            let fault = FileFault::from(&io::Error::from_raw_os_error(number));
            assert!(fault.is_limit());
            assert_eq!(fault.to_string(), "too many open files");
            assert!(fault.advice("chmod it").contains("ulimit -n"));
        }
        let denied = FileFault::from(&io::Error::from(ErrorKind::PermissionDenied));
        assert_eq!(denied.to_string(), "permission denied");
        assert_eq!(denied.advice("chmod it"), "chmod it");
    }
}
