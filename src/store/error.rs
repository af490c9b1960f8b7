//! Errors of the database, by class and in our own words.
//!
//! A database's message may hold a row's values (`Duplicate entry 'someone@example.org'`), and a
//! URL's parse error its password. So neither is kept: an error here is a class, the database's
//! code, and what we were doing.

use std::fmt;

use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

mod constraint;

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
    pub const ALL: [Self; 12] = [
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
            Self::DiskFull | Self::Address | Self::ReadOnly => Disposition::Stop,
        }
    }

    /// Whether the whole transaction may succeed when it is tried again as it is.
    #[must_use]
    pub fn may_pass(self) -> bool {
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
            Self::Internal => {
                "the database refused a statement; this is a mistake in retentiond, please report \
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
    pub(super) fn with_advice(self, advice: String) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    /// The same error, of another class.
    #[must_use]
    pub(super) fn with_class(self, class: ErrorClass) -> Self {
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
        let (class, code) = classify(error);
        let constraint = match class {
            ErrorClass::Constraint => constraint::name_in(error),
            _ => None,
        };
        Self {
            class,
            code,
            constraint,
            doing,
            advice: None,
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

fn classify(error: &DbErr) -> (ErrorClass, Option<String>) {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => classify_sqlx(error),
        DbErr::ConnectionAcquire(_) => (ErrorClass::Unavailable, None),
        DbErr::Conn(RuntimeErr::Internal(_)) => (ErrorClass::Address, None),
        // A value that does not decode: somebody else's table.
        DbErr::Type(_) | DbErr::TryIntoErr { .. } | DbErr::Json(_) => (ErrorClass::Schema, None),
        _ => (ErrorClass::Internal, None),
    }
}

fn classify_sqlx(error: &sqlx::Error) -> (ErrorClass, Option<String>) {
    match error {
        sqlx::Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
                return (mariadb(error.number()), Some(error.number().to_string()));
            }
            let code = error.code().unwrap_or_default().into_owned();
            let class = if code.len() == 5 {
                postgres(&code)
            } else {
                sqlite(&code, error.message())
            };
            (class, Some(code))
        }
        sqlx::Error::Configuration(_) => (ErrorClass::Address, None),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => (ErrorClass::Unavailable, None),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            (ErrorClass::Schema, None)
        }
        _ => (ErrorClass::Internal, None),
    }
}

/// SQLSTATE of PostgreSQL; its documentation, appendix A.
fn postgres(code: &str) -> ErrorClass {
    match code {
        "40001" | "40P01" => ErrorClass::Conflict,
        "55P03" => ErrorClass::LockTimeout,
        "57014" => ErrorClass::StatementTimeout,
        "25006" => ErrorClass::ReadOnly,
        "42501" | "28000" | "28P01" => ErrorClass::Permission,
        "3D000" => ErrorClass::Address,
        "53100" => ErrorClass::DiskFull,
        // Idle in transaction for too long: we were paused; the connection is gone.
        "25P03" | "53300" => ErrorClass::Unavailable,
        _ if code.starts_with("08") || code.starts_with("57P") => ErrorClass::Unavailable,
        // A trigger of the platform's: what it raises (P0001 and its like), what it makes of a row that we
        // are writing (27000), and what fails within it.
        "27000" => ErrorClass::Constraint,
        _ if ["09", "22", "23", "38", "39", "44", "P0"].contains(&&code[..2]) => {
            ErrorClass::Constraint
        }
        "42P01" | "42703" | "42883" | "42804" | "3F000" => ErrorClass::Schema,
        _ => ErrorClass::Internal,
    }
}

/// Error numbers of MariaDB; its documentation, "MariaDB error codes".
fn mariadb(number: u16) -> ErrorClass {
    match number {
        1213 | 1020 => ErrorClass::Conflict,
        1205 => ErrorClass::LockTimeout,
        1969 | 3024 => ErrorClass::StatementTimeout,
        1290 | 1792 | 1836 => ErrorClass::ReadOnly,
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => ErrorClass::Permission,
        1049 => ErrorClass::Address,
        1021 | 1114 => ErrorClass::DiskFull,
        // A Galera node that lost its cluster: 1047 to every statement, and 1180 to a COMMIT that it
        // was about to replicate, which the others may or may not have seen.
        1047 | 1180 => ErrorClass::Unavailable,
        1040 | 1053 | 1077 | 1079 | 1158..=1161 | 1203 | 1927 | 2006 | 2013 | 4031 => {
            ErrorClass::Unavailable
        }
        1048 | 1062 | 1216 | 1217 | 1264 | 1265 | 1292 | 1366 | 1406 | 1451 | 1452 | 1557
        | 1761 | 1762 | 4025 => ErrorClass::Constraint,
        // A trigger of the platform's: what it raises (SIGNAL), and what fails within it.
        1242 | 1365 | 1442 | 1644 | 1690 => ErrorClass::Constraint,
        1054 | 1146 => ErrorClass::Schema,
        _ => ErrorClass::Internal,
    }
}

/// Result codes of SQLite, extended ones included; <https://www.sqlite.org/rescode.html>.
///
/// Of the message, which may hold a value, only how it begins is looked at, where the code does not tell.
fn sqlite(code: &str, message: &str) -> ErrorClass {
    let code: u32 = code.parse().unwrap_or_default();
    match code & 0xff {
        // 15, "locking protocol": somebody stands still while they recover the write-ahead log.
        5 | 6 | 15 => ErrorClass::LockTimeout,
        8 => ErrorClass::ReadOnly,
        // SQLITE_IOERR_SHMSIZE: no room to make the file of shared memory as large as it must be.
        10 if code >> 8 == 19 => ErrorClass::DiskFull,
        10 => ErrorClass::Unavailable,
        13 => ErrorClass::DiskFull,
        3 | 23 => ErrorClass::Permission,
        14 | 26 => ErrorClass::Address,
        11 | 17 => ErrorClass::Schema,
        18..=20 => ErrorClass::Constraint,
        // Plain "SQL error": a missing table or column, or what failed within a trigger.
        1 if message.starts_with("no such") || message.contains("has no column") => {
            ErrorClass::Schema
        }
        1 => ErrorClass::Constraint,
        _ => ErrorClass::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `WSREP has not yet prepared node for application use`, and `Got error … during COMMIT`.
    #[test]
    fn a_galera_node_without_its_cluster_is_unavailable_and_leaves_a_commit_unknown() {
        for number in [1047, 1180] {
            assert_eq!(mariadb(number), ErrorClass::Unavailable, "{number}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_a_file_that_cannot_be_reached() {
        for (code, class) in [
            ("13", ErrorClass::DiskFull),
            ("4874", ErrorClass::DiskFull),
            ("266", ErrorClass::Unavailable),
            ("8", ErrorClass::ReadOnly),
            ("1032", ErrorClass::ReadOnly),
            ("14", ErrorClass::Address),
        ] {
            assert_eq!(sqlite(code, ""), class, "{code}");
        }
    }

    #[test]
    fn a_transaction_that_fails_galeras_certification_is_tried_again_whole() {
        assert_eq!(mariadb(1213).disposition(), Disposition::Retry);
    }
}
