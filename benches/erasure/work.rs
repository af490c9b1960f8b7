//! What is to be done.

use std::fmt;

use clap::ValueEnum;
use retentiond::domain::subject::{CHILD_TABLES, PERSONAL_COLUMNS};
use retentiond::store::Dialect;

use crate::data::Data;

/// One of the two things that are measured, each on fresh data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Work {
    /// The older half of all participants loses its personal fields.
    Anonymize,
    /// The oldest quarter goes, with all that belongs to it.
    Purge,
}

impl Work {
    pub const ALL: [Self; 2] = [Self::Anonymize, Self::Purge];

    /// How many participants that concerns.
    pub fn participants(self, data: &Data) -> u64 {
        match self {
            Self::Anonymize => data.participants / 2,
            Self::Purge => data.participants / 4,
        }
    }

    /// Months of the policy: until anonymization, until deletion.
    pub fn terms(self) -> (&'static str, &'static str) {
        match self {
            Self::Anonymize => ("12", "NULL"),
            Self::Purge => ("NULL", "36"),
        }
    }

    /// The condition on `participant` that says whom it concerns. The data leaves two months around
    /// the cutoffs free, so the day of the month does not matter.
    pub fn condition(self, dialect: Dialect) -> String {
        let (months, more) = match self {
            Self::Anonymize => (13, " AND anonymized_at IS NULL"),
            Self::Purge => (37, ""),
        };
        format!("added_at < {}{more}", months_ago(dialect, months))
    }

    /// The statements that do it at once for everybody, in one transaction; or for one tenant.
    pub fn giant(self, dialect: Dialect, explicit: bool, tenant: Option<u64>) -> Vec<String> {
        let condition = match tenant {
            None => self.condition(dialect),
            Some(tenant) => {
                let condition = self.condition(dialect);
                format!("participant.tenant_id = {tenant} AND {condition}")
            }
        };
        match self {
            Self::Anonymize => {
                let fields = PERSONAL_COLUMNS
                    .map(|column| format!("{column} = NULL"))
                    .join(", ");
                vec![format!(
                    "UPDATE participant SET {fields}, anonymized_at = {} WHERE {condition}",
                    dialect.now()
                )]
            }
            Self::Purge => {
                let mut statements = Vec::new();
                if explicit {
                    for table in CHILD_TABLES {
                        statements.push(children(dialect, table, &condition));
                    }
                }
                statements.push(format!("DELETE FROM participant WHERE {condition}"));
                statements
            }
        }
    }
}

fn children(dialect: Dialect, table: &str, condition: &str) -> String {
    let of_the_same = format!(
        "participant.tenant_id = {table}.tenant_id AND participant.id = {table}.participant_id"
    );
    match dialect {
        Dialect::Postgres => {
            format!("DELETE FROM {table} USING participant WHERE {of_the_same} AND {condition}")
        }
        Dialect::MariaDb => format!(
            "DELETE {table} FROM participant JOIN {table} ON {of_the_same} WHERE {condition}"
        ),
        Dialect::Sqlite => format!(
            "DELETE FROM {table} WHERE EXISTS \
             (SELECT 1 FROM participant WHERE {of_the_same} AND {condition})"
        ),
    }
}

fn months_ago(dialect: Dialect, months: u32) -> String {
    match dialect {
        Dialect::Postgres => format!("now() - INTERVAL '{months} months'"),
        Dialect::MariaDb => format!("UTC_TIMESTAMP() - INTERVAL {months} MONTH"),
        Dialect::Sqlite => {
            format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-{months} months')")
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymize => "anonymize",
            Self::Purge => "purge",
        })
    }
}
