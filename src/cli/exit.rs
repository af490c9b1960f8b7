//! How a command ends: exit codes that scripts rely on, and one sentence when something is wrong.

use std::fmt::Display;

use crate::config::ConfigError;
use crate::engine::EngineError;
use crate::engine::due::UnknownTenants;
use crate::engine::open::OpenError;
use crate::intake::IntakeError;
use crate::keyring::KeyringFileError;
use crate::store::keys::KeyCheckError;
use crate::store::schema::SchemaError;
use crate::store::{ErrorClass, StoreError};

use super::printable::printable;

/// Exit codes; never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Partly done: some tenant or row failed, the rest is done.
    Partly = 3,
    /// A safety rule refused it.
    Refused = 4,
    /// Somebody else holds the work.
    Held = 5,
}

impl Exit {
    /// The more telling of two codes: 2, 4, 1, 3, 5, 0.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Usage => 0,
            Self::Refused => 1,
            Self::Failed => 2,
            Self::Partly => 3,
            Self::Held => 4,
            Self::Done => 5,
        };
        if rank(other) < rank(self) {
            other
        } else {
            self
        }
    }
}

/// A command's failure: the exit code and one sentence (what, where, what to do).
#[derive(Debug)]
pub struct Failure {
    /// How to exit.
    pub exit: Exit,
    /// What to say; empty = everything has been said.
    pub sentence: String,
}

impl Failure {
    /// A failure with this sentence.
    pub fn new(exit: Exit, sentence: impl Display) -> Self {
        Self {
            exit,
            // It may name what others named: a file, a tenant, a column.
            sentence: printable(&sentence.to_string()),
        }
    }

    /// The command line, or something that it names, is wrong.
    pub fn usage(sentence: impl Display) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// A safety rule refuses it.
    pub fn refused(sentence: impl Display) -> Self {
        Self::new(Exit::Refused, sentence)
    }

    /// It went wrong.
    pub fn failed(sentence: impl Display) -> Self {
        Self::new(Exit::Failed, sentence)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            // Nothing is wrong with the configuration, and it may pass: `serve` is started again.
            ConfigError::Unreadable { fault, .. } if fault.is_limit() => Self::failed(error),
            error => Self::usage(error),
        }
    }
}

impl From<KeyringFileError> for Failure {
    fn from(error: KeyringFileError) -> Self {
        match error {
            // A keyring is never overwritten: recognition would be lost with it.
            KeyringFileError::AlreadyExists { .. } => Self::refused(error),
            // As of the configuration.
            KeyringFileError::Unreadable { fault, .. } if fault.is_limit() => Self::failed(error),
            error => Self::usage(error),
        }
    }
}

impl From<UnknownTenants> for Failure {
    fn from(error: UnknownTenants) -> Self {
        Self::usage(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error.class() {
            ErrorClass::Address => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<SchemaError> for Failure {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Store(error) => error.into(),
            error => Self::refused(error),
        }
    }
}

impl From<KeyCheckError> for Failure {
    fn from(error: KeyCheckError) -> Self {
        match error {
            KeyCheckError::Store(error) => error.into(),
            error => Self::refused(error),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Schema(error) => error.into(),
            OpenError::Keyring(error) => error.into(),
            OpenError::Keys(error) => error.into(),
        }
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => error.into(),
            IntakeError::Usage(_) => Self::usage(error),
            IntakeError::UploadedBefore { .. } => Self::refused(error),
            IntakeError::File(_) | IntakeError::TenantGone | IntakeError::TimeZone(_) => {
                Self::failed(error)
            }
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            error if error.is_of_the_clock() => Self::refused(error),
            EngineError::Unmet(_) => Self::refused(error),
            EngineError::LeaseLost => Self::new(Exit::Held, error),
            error => Self::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_codes_apply_the_most_telling_one_wins() {
        let order = [
            Exit::Usage,
            Exit::Refused,
            Exit::Failed,
            Exit::Partly,
            Exit::Held,
            Exit::Done,
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[0].or(pair[1]), pair[0]);
            assert_eq!(pair[1].or(pair[0]), pair[0]);
        }
    }
}
