//! What kind of error it is, by the database's code.

use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::file_fault::{self, FileFault};

use super::{ErrorClass, advice, tls};

/// What is known of an error.
pub(super) struct Classified {
    pub(super) class: ErrorClass,
    /// The database's.
    pub(super) code: Option<String>,
    /// What happened and what to do, where more is known than the class says.
    pub(super) advice: Option<&'static str>,
}

impl From<ErrorClass> for Classified {
    fn from(class: ErrorClass) -> Self {
        Self {
            class,
            code: None,
            advice: None,
        }
    }
}

pub(super) fn classify(error: &DbErr) -> Classified {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => classify_sqlx(error),
        DbErr::ConnectionAcquire(_) => ErrorClass::Unavailable.into(),
        DbErr::Conn(RuntimeErr::Internal(_)) => ErrorClass::Address.into(),
        // A value that does not decode: somebody else's table.
        DbErr::Type(_) | DbErr::TryIntoErr { .. } | DbErr::Json(_) => ErrorClass::Schema.into(),
        // Our migrations', of a table that they did not make.
        DbErr::Migration(_) => Classified {
            advice: Some(advice::A_TABLE_OF_THAT_NAME),
            ..ErrorClass::Schema.into()
        },
        _ => ErrorClass::Internal.into(),
    }
}

fn classify_sqlx(error: &sqlx::Error) -> Classified {
    match error {
        sqlx::Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
                let number = error.number();
                return Classified {
                    class: mariadb(number),
                    code: Some(number.to_string()),
                    advice: advice::mariadb(number),
                };
            }
            let code = error.code().unwrap_or_default().into_owned();
            let (class, advice) = if code.len() == 5 {
                (postgres(&code), advice::postgres(&code))
            } else {
                (sqlite(&code, error.message()), None)
            };
            Classified {
                class,
                code: Some(code),
                advice,
            }
        }
        sqlx::Error::Configuration(_) => ErrorClass::Address.into(),
        // A certificate is renewed, and a file put where it belongs, while the service runs: it
        // goes on trying, as with a server that cannot be reached.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Classified {
            advice: tls::advice(error).or_else(|| limit_of_open_files(error)),
            ..ErrorClass::Unavailable.into()
        },
        sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => ErrorClass::Unavailable.into(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            ErrorClass::Schema.into()
        }
        _ => ErrorClass::Internal.into(),
    }
}

/// What helps where a connection could not be made because too many files are open. To look up a name takes a
/// file, too, and the error of that does not say what was missing.
fn limit_of_open_files(error: &sqlx::Error) -> Option<&'static str> {
    let sqlx::Error::Io(error) = error else {
        return None;
    };
    let is_met = FileFault::from(error).is_limit() || file_fault::likely_limit().is_some();
    is_met.then_some(file_fault::LIMIT_REACHED)
}

/// SQLSTATE of PostgreSQL; its documentation, appendix A.
pub(super) fn postgres(code: &str) -> ErrorClass {
    match code {
        "40001" | "40P01" => ErrorClass::Conflict,
        "55P03" => ErrorClass::LockTimeout,
        "57014" => ErrorClass::StatementTimeout,
        "25006" => ErrorClass::ReadOnly,
        // Prepared statements that are there already, or are not there: of a pooler's other clients.
        "42P05" | "26000" => ErrorClass::Settings,
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
        "42P07" | "42P01" | "42703" | "42883" | "42804" | "3F000" => ErrorClass::Schema,
        _ => ErrorClass::Internal,
    }
}

/// Error numbers of MariaDB; its documentation, "MariaDB error codes".
pub(super) fn mariadb(number: u16) -> ErrorClass {
    match number {
        1213 | 1020 => ErrorClass::Conflict,
        1205 => ErrorClass::LockTimeout,
        1969 | 3024 => ErrorClass::StatementTimeout,
        1290 | 1792 | 1836 => ErrorClass::ReadOnly,
        1104 | 1175 | 1568 | 1665 => ErrorClass::Settings,
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 => ErrorClass::Permission,
        // An expired password, a locked account (by MariaDB's number and by MySQL's), and a
        // connection that had to be encrypted.
        1820 | 1862 | 3118 | 3159 | 4151 => ErrorClass::Permission,
        1049 => ErrorClass::Address,
        1021 | 1114 => ErrorClass::DiskFull,
        // A Galera node that lost its cluster: 1047 to every statement, and 1180 to a COMMIT that it
        // was about to replicate, which the others may or may not have seen.
        1047 | 1180 => ErrorClass::Unavailable,
        // Limits for a user and for all clients: both end by themselves, when the hour does or
        // when somebody else has done.
        1226 | 1461 => ErrorClass::Unavailable,
        1040 | 1053 | 1077 | 1079 | 1158..=1161 | 1203 | 1927 | 2006 | 2013 | 4031 => {
            ErrorClass::Unavailable
        }
        1048 | 1062 | 1216 | 1217 | 1264 | 1265 | 1292 | 1366 | 1406 | 1451 | 1452 | 1557
        | 1761 | 1762 | 4025 => ErrorClass::Constraint,
        // A trigger of the platform's: what it raises (SIGNAL), and what fails within it.
        1242 | 1365 | 1442 | 1644 | 1690 => ErrorClass::Constraint,
        1050 | 1054 | 1146 => ErrorClass::Schema,
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
    use crate::store::Disposition;

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

    #[test]
    fn a_connection_that_the_limit_of_open_files_forbids_is_told_so() {
        let error = |number| sqlx::Error::Io(std::io::Error::from_raw_os_error(number));
        let (limit, refused) = (classify_sqlx(&error(24)), classify_sqlx(&error(111)));
        for found in [&limit, &refused] {
            assert_eq!(found.class, ErrorClass::Unavailable);
        }
        assert!(
            limit
                .advice
                .is_some_and(|advice| advice.contains("ulimit -n"))
        );
        assert_eq!(refused.advice, None);
    }
}
