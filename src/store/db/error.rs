//! Errors of the database, by class and in our own words.
//!
//! A database's message may hold a row's values (`Duplicate entry 'someone@example.org'`), and a
//! URL's parse error its password. So neither is kept: an error here is a class, the database's
//! code, and what we were doing.

use std::fmt;

use sea_orm::DbErr;

mod advice;
mod classify;
mod constraint;
mod tls;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// No connection, or it broke, or the server is shutting down.
    Unavailable,
    /// Nothing came back in time.
    Deadline,
    /// The other side of a deadlock, or a serialization failure.
    Conflict,
    /// Somebody else held a lock for too long.
    LockTimeout,
    /// A statement took too long.
    StatementTimeout,
    /// The database takes no writes (a standby, or a read-only file).
    ReadOnly,
    /// The role lacks a right, or the password is wrong.
    Permission,
    /// No room left.
    DiskFull,
    /// A table or column is missing, or not as we made it.
    Schema,
    /// A constraint refused the row.
    Constraint,
    /// The database does not exist, or the URL is no URL.
    Address,
    /// A setting of the server, or of what stands before it, refuses our statements to everybody.
    Settings,
    /// Anything else; a mistake of ours until shown otherwise.
    Internal,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Run the whole transaction again, after a pause.
    Retry,
    /// Connect again, look up whether the batch was committed, then decide.
    Reconnect,
    /// Run it again with fewer rows.
    SmallerBatch,
    /// Give this tenant up for now; the others go on.
    SkipTenant,
    /// Stop everything.
    Stop,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 13] = [
        Self::Unavailable,
        Self::Deadline,
        Self::Conflict,
        Self::LockTimeout,
        Self::StatementTimeout,
        Self::ReadOnly,
        Self::Permission,
        Self::DiskFull,
        Self::Schema,
        Self::Constraint,
        Self::Address,
        Self::Settings,
        Self::Internal,
    ];

    /// Name in logs, metrics and run records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "database_unavailable",
            Self::Deadline => "database_deadline",
            Self::Conflict => "conflict",
            Self::LockTimeout => "lock_timeout",
            Self::StatementTimeout => "statement_timeout",
            Self::ReadOnly => "database_read_only",
            Self::Permission => "permission",
            Self::DiskFull => "disk_full",
            Self::Schema => "schema",
            Self::Constraint => "constraint",
            Self::Address => "database_address",
            Self::Settings => "database_settings",
            Self::Internal => "internal",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn disposition(self) -> Disposition {
        match self {
            Self::Conflict | Self::LockTimeout => Disposition::Retry,
            Self::Unavailable | Self::Deadline => Disposition::Reconnect,
            Self::StatementTimeout => Disposition::SmallerBatch,
            Self::Permission | Self::Schema | Self::Constraint | Self::Internal => {
                Disposition::SkipTenant
            }
            Self::DiskFull | Self::Address | Self::ReadOnly | Self::Settings => Disposition::Stop,
        }
    }

    /// Whether the whole transaction may succeed when it is tried again as it is.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self.disposition(),
            Disposition::Retry | Disposition::Reconnect
        )
    }

    /// What happened and what to do, for people.
    fn sentence(self) -> &'static str {
        match self {
            Self::Unavailable => {
                "the database cannot be reached; check that it runs and that [database] url names it"
            }
            Self::Deadline => {
                "the database did not answer in time; check its load and the network, or raise \
                 [database] statement_timeout"
            }
            Self::Conflict => "another transaction was in the way; try again",
            Self::LockTimeout => {
                "another session holds a lock on the rows; end it, or raise [database] lock_timeout"
            }
            Self::StatementTimeout => {
                "a statement took too long; lower [engine] batch_rows or raise [database] \
                 statement_timeout"
            }
            Self::ReadOnly => {
                "the database is read-only; point [database] url at the primary, or make the file \
                 and its folder writable"
            }
            Self::Permission => {
                "the database refused access; check the user and password of [database] url, and \
                 its rights against docs/operating.md"
            }
            Self::DiskFull => "the database has no room left; free some, then try again",
            Self::Schema => {
                "a table is missing or not as this version made it; see `retentiond migrate status`"
            }
            Self::Constraint => {
                "the database refused a row by one of its constraints; nothing was changed"
            }
            Self::Address => {
                "[database] url is not a database that can be opened; it looks like \
                 postgres://USER@HOST/NAME, mysql://USER@HOST/NAME or sqlite://FILE?mode=rwc"
            }
            Self::Settings => {
                "a setting of the server refuses what retentiond sends; see \"Databases\" in \
                 docs/operating.md"
            }
            Self::Internal => {
                "the database refused a statement; this is a defect in retentiond, please report \
                 it with the code"
            }
        }
    }
}

/// An error of the database: class, code, and what we were doing; never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    class: ErrorClass,
    code: Option<String>,
    /// Name of the constraint that refused a row, where the database says it.
    constraint: Option<String>,
    doing: &'static str,
    /// What happened and what to do, where more is known than the class says.
    advice: Option<String>,
}

impl StoreError {
    /// An error without a code of the database's.
    #[must_use]
    pub fn new(class: ErrorClass, doing: &'static str) -> Self {
        Self {
            class,
            code: None,
            constraint: None,
            doing,
            advice: None,
        }
    }

    /// The same error, with what happened and what to do in other words than the class's.
    #[must_use]
    pub(in crate::store) fn with_advice(self, advice: String) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    /// The same error, of another class.
    #[must_use]
    pub(in crate::store) fn with_class(self, class: ErrorClass) -> Self {
        Self { class, ..self }
    }

    /// What kind of error it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Whether the server does not let this user in: the password may have been changed.
    #[must_use]
    pub fn refuses_login(&self) -> bool {
        matches!(
            self.code.as_deref(),
            Some("28P01" | "28000" | "1045" | "1698" | "1862")
        )
    }

    /// The database's own code (SQLSTATE, or an error number).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Name of the constraint that refused a row, where the database says it: a name of the schema's,
    /// never a value.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    /// Classifies `error`, which happened while `doing`.
    #[must_use]
    pub fn from_db(error: &DbErr, doing: &'static str) -> Self {
        let found = classify::classify(error);
        let constraint = match found.class {
            ErrorClass::Constraint => constraint::name_in(error),
            _ => None,
        };
        Self {
            class: found.class,
            code: found.code,
            constraint,
            doing,
            advice: found.advice.map(str::to_owned),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = self.advice.as_deref();
        let sentence = advice.unwrap_or_else(|| self.class.sentence());
        write!(formatter, "{}: {sentence}", self.doing)?;
        match &self.code {
            Some(code) => write!(formatter, " (code {code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StoreError {}
