//! What can be wrong with a configuration, in one sentence each.
//!
//! No sentence holds the value of a secret: neither a database URL nor the line of a file, which
//! might be the line of the URL.

use std::path::PathBuf;

use crate::domain::zone::ZoneError;
use crate::file_fault::FileFault;
use crate::trusted_file::Untrusted;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This configuration file.
    File(PathBuf),
    /// `RETENTIOND__…` variables of the environment.
    Environment,
}

impl Origin {
    /// How an error names a setting, so that a person finds it: `schedule.hour in FILE`, or the
    /// variable.
    pub(crate) fn name(&self, key: &str) -> String {
        match self {
            Self::File(path) => format!("{key} in {}", path.display()),
            Self::Environment => variable(key),
        }
    }
}

fn raise_limit(fault: FileFault) -> String {
    match fault.advice("") {
        "" => String::new(),
        advice => format!("; {advice}"),
    }
}

/// The environment variable of a key: `schedule.hour` is `RETENTIOND__SCHEDULE__HOUR`.
pub(crate) fn variable(key: &str) -> String {
    format!("RETENTIOND__{}", key.replace('.', "__").to_uppercase())
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A named file, or one found by the search, cannot be read.
    #[error("cannot read the {what} {}: {fault}{}", path.display(), raise_limit(*fault))]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        fault: FileFault,
    },

    /// A file that somebody else can write, or secrets that somebody else can read.
    #[error("the {what} {} is not used: {reason}", path.display())]
    Untrusted {
        /// What the file is for.
        what: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: Untrusted,
    },

    /// A file is not TOML. The parser's own message would quote the line.
    #[error("{} is not valid TOML at {position}", path.display())]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Line and column.
        position: String,
    },

    /// A file without a word in it.
    #[error(
        "{} is empty; write the configuration again (deploy/retentiond.toml shows the form), or remove the \
         file",
        path.display()
    )]
    Empty {
        /// Which file.
        path: PathBuf,
    },

    /// There is a configuration, and no database in it.
    #[error(
        "{} names no database, and neither does the environment; set [database] url or url_file (a file of \
         SQLite must be named, too)",
        path.display()
    )]
    NoDatabase {
        /// Which file.
        path: PathBuf,
    },

    /// A reload names something else than the service was started with.
    #[error(
        "{what} was {from} and is {to} now; a reload cannot change this: restart the service if it is \
         intended"
    )]
    Moved {
        /// What is another one.
        what: &'static str,
        /// The one before.
        from: String,
        /// The one now.
        to: String,
    },

    /// A key that does not exist.
    #[error("{setting} is no setting; allowed here: {allowed}")]
    UnknownKey {
        /// The key and where it stands.
        setting: String,
        /// The keys that exist.
        allowed: String,
    },

    /// A value of the wrong kind where a section should be.
    #[error("{setting} is a section of settings and cannot have a value of its own")]
    NotASection {
        /// The key and where it stands.
        setting: String,
    },

    /// The names of the settings cannot be made sense of.
    #[error("the settings in {place} cannot be read; see deploy/retentiond.toml for the form")]
    Shape {
        /// Which file, or the environment.
        place: String,
    },

    /// A value that is not allowed. It is shown only if it is no secret.
    #[error("{setting} is {found}; allowed: {allowed}")]
    Value {
        /// The key and where it stands.
        setting: String,
        /// What was found.
        found: String,
        /// What may stand there.
        allowed: String,
    },

    /// The zone of the window is none of this machine's.
    #[error("engine.window_time_zone: {0}")]
    WindowTimeZone(#[from] ZoneError),

    /// Settings that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}
