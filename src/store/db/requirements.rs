//! What the service needs of its server, its role and its session before it may delete anything.
//!
//! Each of these, unmet, lets a run end well that was none: rows that the role does not see are not counted
//! either, a foreign key that is not in force leaves children behind, a versioned table keeps what was
//! deleted. So all of them are asked for, in one statement: at start, at each look and at each claim; and of
//! those that matter there, once more in the transaction of a batch and in the one that decides whether a run is
//! completed. To add one is a line in [`Requirement`]
//! and a query for each database that can fail it.

use std::fmt;

use sea_orm::FromQueryResult;

use crate::config::ReplicationSource;
use crate::domain::subject::{CHILD_TABLES, SUBJECT_TABLES};

use super::connect::Database;
use super::dialect::Dialect;
use super::error::StoreError;
use super::mariadb_session;
use super::transaction::Transaction;

mod replication;

/// How long a COMMIT may wait for a synchronous standby before the service takes it for gone, seconds.
const COMMIT_WAIT_MAX_SECONDS: u32 = 5;

/// Something without which nothing may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The server takes writes.
    Writable,
    /// SQLite: the file is the one that was opened.
    SameFile,
    /// What is committed is acknowledged: no COMMIT of ours waits for a standby that is gone.
    CommitsAcknowledged,
    /// The rows are the server's own: it does not copy them from another one, where what is deleted here would
    /// stay.
    NoReplicationSource,
    /// The role sees every row of our tables.
    AllRowsVisible,
    /// Each child table has its foreign key to `participant`, in force in this session.
    ForeignKeysInForce,
    /// What is deleted is not kept as history.
    NoSystemVersioning,
    /// The session's settings are those that we set, and statements mean what they should.
    SessionSettings,
}

impl Requirement {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Writable,
        Self::SameFile,
        Self::CommitsAcknowledged,
        Self::NoReplicationSource,
        Self::AllRowsVisible,
        Self::ForeignKeysInForce,
        Self::NoSystemVersioning,
        Self::SessionSettings,
    ];

    /// Those that change from one moment to the next: the daemon's probe asks every few seconds.
    pub const OF_PROBE: [Self; 3] = [Self::Writable, Self::SameFile, Self::CommitsAcknowledged];

    /// Those that are asked in the snapshot that decides whether a run is completed: rows that are hidden, that a
    /// statement leaves out, or that are still there at the server from which this one copies, are not counted. (Each batch that deletes has asked for the keys.)
    pub const TO_DECIDE: [Self; 5] = [
        Self::SameFile,
        Self::NoReplicationSource,
        Self::AllRowsVisible,
        Self::NoSystemVersioning,
        Self::SessionSettings,
    ];

    /// Those that make a server one to write on: asked before a pass.
    pub const TO_WRITE: [Self; 4] = [
        Self::Writable,
        Self::SameFile,
        Self::CommitsAcknowledged,
        Self::NoReplicationSource,
    ];

    /// Those that must be met to count what there is, too: all but those that make a server one to write on.
    pub const TO_COUNT: [Self; 4] = [
        Self::AllRowsVisible,
        Self::ForeignKeysInForce,
        Self::NoSystemVersioning,
        Self::SessionSettings,
    ];

    /// Class in logs, metrics and run records, and the name in the statement.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Writable => "database_read_only",
            Self::SameFile => "database_replaced",
            Self::CommitsAcknowledged => "commits_waiting",
            Self::NoReplicationSource => "replication_source",
            Self::AllRowsVisible => "row_security",
            Self::ForeignKeysInForce => "foreign_keys",
            Self::NoSystemVersioning => "system_versioning",
            Self::SessionSettings => "session_settings",
        }
    }

    /// A query that finds a row for each table, or for the server, that does not meet it, with the columns
    /// `requirement` and `place`; `None` = the database cannot fail it.
    fn query(self, dialect: Dialect) -> Option<String> {
        let (place, rest) = match (self, dialect) {
            (Self::Writable, Dialect::Postgres) => (
                "CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'server' END",
                "WHERE pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
                    .to_owned(),
            ),
            (Self::Writable, Dialect::MariaDb) => (
                "'server'",
                "FROM (SELECT 1 AS one) AS server WHERE @@GLOBAL.read_only = 1 \
                 OR @@SESSION.tx_read_only = 1"
                    .to_owned(),
            ),
            // Our own sessions, of whatever process: a role sees those of its own name. One that began to wait
            // a moment ago is an ordinary commit; and of what is no COMMIT the time is that of its work, too.
            (Self::CommitsAcknowledged, Dialect::Postgres) => (
                "COUNT(*)::text",
                format!(
                    "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND upper(query) = 'COMMIT' AND usename = CURRENT_USER \
                     AND datname = current_database() \
                     AND state_change < clock_timestamp() - make_interval(secs => {COMMIT_WAIT_MAX_SECONDS}) \
                     HAVING COUNT(*) > 0"
                ),
            ),
            // A subscriber of logical replication. MariaDB's replicas are asked in a statement of their own.
            (Self::NoReplicationSource, Dialect::Postgres) => (
                "'a subscription to ' || MIN(pg_subscription_rel.srrelid::regclass::text)",
                format!(
                    "FROM pg_subscription_rel WHERE pg_subscription_rel.srrelid IN ({}) \
                     HAVING COUNT(*) > 0",
                    quoted(&ALL_TABLES, "to_regclass(", ")")
                ),
            ),
            // The guard of deploy/sql admits every row to every role, and takes away deletes only.
            (Self::AllRowsVisible, Dialect::Postgres) => (
                "pg_class.relname::text",
                format!(
                    "FROM pg_class WHERE pg_class.oid IN ({}) AND row_security_active(pg_class.oid) \
                     AND (NOT EXISTS (SELECT 1 FROM pg_policy WHERE pg_policy.polrelid = pg_class.oid \
                     AND pg_policy.polpermissive AND pg_policy.polcmd = '*' \
                     AND pg_policy.polroles = '{{0}}' \
                     AND pg_get_expr(pg_policy.polqual, pg_policy.polrelid) = 'true') \
                     OR EXISTS (SELECT 1 FROM pg_policy WHERE pg_policy.polrelid = pg_class.oid \
                     AND NOT pg_policy.polpermissive \
                     AND NOT (pg_policy.polname = 'retentiond_guard_delete' AND pg_policy.polcmd = 'd')))",
                    quoted(&ALL_TABLES, "to_regclass(", ")")
                ),
            ),
            (Self::ForeignKeysInForce, _) => foreign_keys(dialect),
            (Self::NoSystemVersioning, Dialect::MariaDb) => (
                "CONVERT(tables.table_name USING utf8mb4)",
                format!(
                    "FROM information_schema.tables AS tables WHERE tables.table_schema = DATABASE() \
                     AND tables.table_name IN ({}) AND tables.table_type = 'SYSTEM VERSIONED'",
                    quoted(&SUBJECT_TABLES, "", "")
                ),
            ),
            (Self::SessionSettings, Dialect::MariaDb) => (
                "setting.name",
                format!(
                    "FROM {} WHERE setting.value <> setting.expected",
                    mariadb_session::read_back()
                ),
            ),
            _ => return None,
        };
        let class = self.class();
        Some(format!(
            "SELECT '{class}' AS requirement, {place} AS place {rest}"
        ))
    }
}

/// Every table of which a hidden row would change what is done.
const ALL_TABLES: [&str; 11] = [
    "tenant",
    "policy",
    "upload",
    "participant",
    "participant_metadata",
    "answer",
    "conversation_message",
    "invitation",
    "suppression",
    "suppression_key",
    "tenant_run",
];

/// The child tables whose key is missing, incomplete, disabled or not in force: dropped, not validated, its
/// triggers off, or switched off for the session (`session_replication_role`, `foreign_key_checks`,
/// `foreign_keys`).
fn foreign_keys(dialect: Dialect) -> (&'static str, String) {
    let children = |separator: &str| {
        CHILD_TABLES
            .map(|table| format!("'{table}'"))
            .join(separator)
    };
    match dialect {
        Dialect::Postgres => (
            "child.name",
            format!(
                "FROM unnest(ARRAY[{}]) AS child(name) \
                 WHERE current_setting('session_replication_role') = 'replica' \
                 OR NOT EXISTS (SELECT 1 FROM pg_constraint AS foreign_key \
                 WHERE foreign_key.conrelid = to_regclass(child.name) \
                 AND foreign_key.confrelid = to_regclass('participant') AND foreign_key.contype = 'f' \
                 AND cardinality(foreign_key.conkey) = 2 AND foreign_key.convalidated \
                 AND NOT EXISTS (SELECT 1 FROM pg_trigger \
                 WHERE pg_trigger.tgconstraint = foreign_key.oid \
                 AND pg_trigger.tgenabled NOT IN ('O', 'A')))",
                children(", ")
            ),
        ),
        // The one view that shows the keys to a role that may not change the schema.
        Dialect::MariaDb => (
            "child.name",
            format!(
                "FROM (SELECT {} AS name) AS child LEFT JOIN (SELECT DISTINCT table_name \
                 FROM information_schema.key_column_usage WHERE table_schema = DATABASE() \
                 AND table_name IN ({}) AND column_name = 'participant_id' \
                 AND referenced_table_schema = DATABASE() \
                 AND referenced_table_name = 'participant' AND referenced_column_name = 'id') AS keyed \
                 ON keyed.table_name = child.name \
                 WHERE keyed.table_name IS NULL OR @@SESSION.foreign_key_checks = 0",
                children(" AS name UNION ALL SELECT "),
                children(", ")
            ),
        ),
        Dialect::Sqlite => (
            "child.column1",
            format!(
                "FROM (VALUES ({})) AS child \
                 WHERE (SELECT foreign_keys FROM pragma_foreign_keys) = 0 \
                 OR NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(child.column1) AS foreign_key \
                 WHERE foreign_key.\"table\" = 'participant' AND foreign_key.\"to\" = 'id')",
                children("), (")
            ),
        ),
    }
}

fn quoted(tables: &[&str], before: &str, after: &str) -> String {
    let quoted: Vec<String> = tables
        .iter()
        .map(|table| format!("{before}'{table}'{after}"))
        .collect();
    quoted.join(", ")
}

/// A requirement that is not met, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Which one.
    pub requirement: Requirement,
    /// The table, the setting or the file; of the server `standby` or `server`, how many sessions wait, or what it
    /// copies from.
    pub place: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match self.requirement {
            Requirement::Writable if place == "standby" => write!(
                formatter,
                "the server is a standby, and takes no writes; point [database] url at the primary"
            ),
            Requirement::Writable => write!(
                formatter,
                "the server is read-only, by a setting; end that, or point [database] url at the primary"
            ),
            Requirement::SameFile => write!(
                formatter,
                "the file {place} was removed or replaced while retentiond had it open; put the right one in \
                 its place, and restart retentiond"
            ),
            Requirement::CommitsAcknowledged => write!(
                formatter,
                "{place} of our sessions have waited for a synchronous standby since their COMMIT \
                 (wait_event SyncRep); bring the standby back, or take it out of synchronous_standby_names"
            ),
            Requirement::NoReplicationSource => write!(
                formatter,
                "the server copies its rows from another one ({place}), where what is deleted here would \
                 stay; point [database] url at the primary, or, if this is one, end the replication \
                 (RESET REPLICA ALL, DROP SUBSCRIPTION) or set [database] replication_source = \"accept\""
            ),
            Requirement::AllRowsVisible => write!(
                formatter,
                "row-level security of the table {place} may hide rows from this role, and what is hidden \
                 would never be deleted; give the role BYPASSRLS, or drop the policies of {place}"
            ),
            Requirement::ForeignKeysInForce => write!(
                formatter,
                "the foreign key of {place} to participant is missing, not validated or not in force, or \
                 the role may not see it, so rows of {place} would outlive their participant; restore the \
                 key, end whatever disables keys, or run the GRANT file"
            ),
            Requirement::SessionSettings => write!(
                formatter,
                "the setting {place} of the session is not what retentiond has set, so statements may mean \
                 something else; look for what changes it between retentiond and the server, a proxy say"
            ),
            Requirement::NoSystemVersioning => write!(
                formatter,
                "the table {place} is system-versioned, so it keeps whatever is deleted; end that: ALTER \
                 TABLE {place} DROP SYSTEM VERSIONING"
            ),
        }
    }
}

/// The first of the requirements that is not met, if one is not.
pub async fn unmet_of(
    transaction: &Transaction,
    asked: &[Requirement],
) -> Result<Option<Unmet>, StoreError> {
    if asked.contains(&Requirement::SameFile)
        && let Some(place) = transaction.replaced_file()
    {
        return Ok(Some(Unmet {
            requirement: Requirement::SameFile,
            place,
        }));
    }
    let accepts_source = transaction.replication_source() == ReplicationSource::Accept;
    let mut asked = asked.to_vec();
    asked.retain(|one| !(accepts_source && *one == Requirement::NoReplicationSource));
    let queries: Vec<String> = asked
        .iter()
        .filter_map(|requirement| requirement.query(transaction.dialect()))
        .collect();
    let mut found = Vec::new();
    if !queries.is_empty() {
        let sql = queries.join(" UNION ALL ");
        found = transaction
            .rows::<Row>("requirements.unmet", &sql, &[])
            .await?;
    }
    // The order of the list, not that of the rows: what is wrong with the server comes first.
    let unmet = asked.iter().find_map(|requirement| {
        let row = found
            .iter()
            .find(|row| row.requirement == requirement.class())?;
        Some(Unmet {
            requirement: *requirement,
            place: row.place.clone(),
        })
    });
    let asks_for_source = asked.contains(&Requirement::NoReplicationSource);
    match unmet {
        None if asks_for_source => replication::mariadb_source(transaction).await,
        unmet => Ok(unmet),
    }
}

impl Database {
    /// The first of the requirements that is not met, if one is not.
    pub async fn unmet_of(&self, asked: &[Requirement]) -> Result<Option<Unmet>, StoreError> {
        let transaction = self
            .begin_read("asking whether the database is as it must be")
            .await?;
        let unmet = unmet_of(&transaction, asked).await?;
        transaction.rollback().await?;
        if matches!(&unmet, Some(unmet) if unmet.requirement == Requirement::Writable) {
            // The primary may be another server by now, of the same name.
            self.poison().record();
        }
        Ok(unmet)
    }
}

#[derive(FromQueryResult)]
struct Row {
    requirement: String,
    place: String,
}
