//! What is done about erased values that are left in the database's files.
//!
//! A transaction that erases a value frees the place where it stood. Whether, and when, that place is
//! overwritten is the database's affair; here it is told to. The statements that do it cannot stand in
//! a transaction, so each is sent by itself, in one message and without a parameter: a transaction
//! pooler hands it to one connection, and no setting stays behind on that.
//!
//! None of them may be believed. PostgreSQL skips a table that the role does not own with a warning
//! that nobody sees, and copies erased rows into the new file while any transaction might still look
//! at them; MariaDB reports a failure as a row of the result. So each is checked afterwards.
//!
//! What is owed stands in the runs' records, so a process that is killed before it came here leaves
//! it to the next one.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

use crate::config::Reclaim;
use crate::domain::subject::SUBJECT_TABLES;

use crate::store::db::connect::{Database, REPLY_MARGIN};
use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};
use crate::store::db::statement::named;
use crate::store::db::transaction::{Transaction, watched, within};
use crate::store::leases;

const DOING: &str = "cannot reclaim the disk space of what was erased";

/// A run that erased something, has ended for good, and of which nothing was reclaimed since. One that
/// was stopped or failed goes on, and would have to wait for the tables.
const OWED: &str = "state IN ('completed', 'superseded') AND finished_at IS NOT NULL \
    AND reclaimed_at IS NULL AND anonymized + purged + uploads_removed > 0";

/// Whether there is anything to reclaim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// Nothing was erased since the last time.
    Nothing,
    /// Some process erases at this moment: the last one to end does it.
    Later,
    /// Everything that was erased up to this point.
    Until(Point),
}

/// A moment in the database's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// By the database's clock.
    at: DateTime<Utc>,
    /// PostgreSQL: every transaction that erased something has a lower number.
    transaction: u64,
}

/// The tables that are done already, so that trying again does not begin with the first.
#[derive(Debug, Default)]
pub struct Done(Mutex<Vec<&'static str>>);

impl Done {
    fn missing(&self) -> Vec<&'static str> {
        let done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = SUBJECT_TABLES.into_iter();
        missing.filter(|table| !done.contains(table)).collect()
    }

    fn add(&self, table: &'static str) {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(table);
    }
}

impl Database {
    /// What is owed, as the runs' records have it.
    pub async fn reclaim_owed(&self) -> Result<Owed, StoreError> {
        let transaction = self.begin_read(DOING).await?;
        let owed = owed(&transaction).await?;
        transaction.rollback().await?;
        Ok(owed)
    }

    /// Does for every subject table what `[database] reclaim` asks for, and records it for the runs
    /// that had ended at `point`. Returns whether there was still something to do: another process
    /// may have been faster.
    ///
    /// # Errors
    ///
    /// [`ErrorClass::LockTimeout`] when another session is in the way, be it with a lock or with a
    /// snapshot that still shows what was erased; [`ErrorClass::Permission`] when the role does not
    /// own the tables; [`ErrorClass::Deadline`] when a table took longer than `reclaim_timeout`: the
    /// server may finish it all the same.
    pub async fn reclaim_until(&self, point: Point, done: &Done) -> Result<bool, StoreError> {
        if self.reclaim_owed().await? == Owed::Nothing {
            return Ok(false);
        }
        match (self.dialect(), self.reclaim()) {
            (_, Reclaim::None) => return Ok(false),
            (Dialect::Postgres, tier) => self.reclaim_postgres(tier, point, done).await?,
            (Dialect::MariaDb, Reclaim::Vacuum) => self.on_mariadb("ANALYZE", done).await?,
            (Dialect::MariaDb, Reclaim::Rewrite) => self.on_mariadb("OPTIMIZE", done).await?,
            // `secure_delete` overwrites a row where it stood, but not the copies that are left where
            // SQLite moved it from when it made room.
            (Dialect::Sqlite, Reclaim::Vacuum | Reclaim::Rewrite) => {
                self.send("reclaim.vacuum_file", "VACUUM").await?
            }
        }
        let transaction = self.begin(DOING).await?;
        // What ended at a time that has not come yet ended by a clock that was wrong (S12).
        let sql = format!(
            "UPDATE tenant_run SET reclaimed_at = :at WHERE {OWED} \
             AND (finished_at <= :at OR finished_at > {})",
            self.dialect().now()
        );
        transaction
            .execute("reclaim.record", &sql, &[("at", point.at.into())])
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn reclaim_postgres(
        &self,
        tier: Reclaim,
        point: Point,
        done: &Done,
    ) -> Result<(), StoreError> {
        for table in done.missing() {
            self.require_ownership(table).await?;
            if tier == Reclaim::Vacuum {
                // ANALYZE, because until then pg_stats shows values that were common.
                self.send("reclaim.vacuum", &format!("VACUUM (ANALYZE) {table}"))
                    .await?;
            } else {
                self.write_anew(table, point).await?;
                self.send("reclaim.analyze", &format!("ANALYZE {table}"))
                    .await?;
            }
            done.add(table);
        }
        Ok(())
    }

    /// PostgreSQL: writes the table anew, so that nothing of what was erased before `point` is in its
    /// file: it is another file, and its `relfrozenxid`, below which no transaction could look any
    /// more, has reached that point. (A plain vacuum may raise that number as well.)
    async fn write_anew(&self, table: &str, point: Point) -> Result<(), StoreError> {
        let in_use = || StoreError::new(ErrorClass::LockTimeout, DOING);
        let before = self.storage(table).await?;
        // While a transaction is open that was there before, it is not worth trying.
        if before.oldest < point.transaction {
            return Err(in_use());
        }
        // Does not queue for its lock: everybody who comes to the table later would have to wait
        // behind it.
        self.send(
            "reclaim.rewrite",
            &format!("VACUUM (FULL, SKIP_LOCKED) {table}"),
        )
        .await?;
        let after = self.storage(table).await?;
        if after.file == before.file || !reaches(after.frozen, point.transaction) {
            return Err(in_use());
        }
        Ok(())
    }

    /// PostgreSQL: the role may VACUUM and ANALYZE, which otherwise do nothing and say nothing.
    async fn require_ownership(&self, table: &str) -> Result<(), StoreError> {
        let transaction = self.begin_read(DOING).await?;
        let may = transaction
            .number(
                "reclaim.is_owner",
                "SELECT CASE WHEN pg_has_role(class.relowner, 'USAGE') \
                 OR pg_has_role(database.datdba, 'USAGE') THEN 1 \
                 WHEN current_setting('server_version_num')::int >= 170000 \
                 THEN has_table_privilege(class.oid, 'MAINTAIN')::int ELSE 0 END::bigint AS n \
                 FROM pg_class AS class, pg_database AS database \
                 WHERE class.oid = to_regclass(:table) AND database.datname = current_database()",
                &[("table", table.into())],
            )
            .await?;
        transaction.rollback().await?;
        match may {
            1 => Ok(()),
            _ => Err(StoreError::new(ErrorClass::Permission, DOING)),
        }
    }

    /// PostgreSQL: the table's file, and who may still look at what.
    async fn storage(&self, table: &str) -> Result<Storage, StoreError> {
        let transaction = self.begin_read(DOING).await?;
        let row = transaction
            .row::<StorageRow>(
                "reclaim.storage",
                "SELECT pg_relation_filenode(oid)::bigint AS file, relfrozenxid::text AS frozen, \
                 pg_snapshot_xmin(pg_current_snapshot())::text AS oldest \
                 FROM pg_class WHERE oid = to_regclass(:table)",
                &[("table", table.into())],
            )
            .await?;
        transaction.rollback().await?;
        let schema = || StoreError::new(ErrorClass::Schema, DOING);
        let row = row.ok_or_else(schema)?;
        Ok(Storage {
            file: row.file,
            frozen: row.frozen.parse().map_err(|_| schema())?,
            oldest: row.oldest.parse().map_err(|_| schema())?,
        })
    }

    /// MariaDB: ANALYZE or OPTIMIZE of every subject table. Their answer is a result set.
    async fn on_mariadb(&self, verb: &str, done: &Done) -> Result<(), StoreError> {
        let timeouts = self.timeouts();
        for table in done.missing() {
            let sql = format!(
                "SET STATEMENT lock_wait_timeout = {}, max_statement_time = {} FOR {verb} TABLE {table}",
                timeouts.lock.as_secs().max(1),
                timeouts.reclaim.as_secs().max(1),
            );
            let statement = named(
                "reclaim.on_mariadb",
                Statement::from_string(self.dialect().backend(), sql),
            );
            let rows = watched(
                self.poison(),
                timeouts.reclaim + REPLY_MARGIN,
                DOING,
                self.pool().query_all_raw(statement),
            )
            .await?;
            for row in &rows {
                let row = TableMessage::from_query_result(row, "")
                    .map_err(|error| StoreError::from_db(&error, DOING))?;
                row.check()?;
            }
            done.add(table);
        }
        Ok(())
    }

    /// One statement by itself, in one message.
    async fn send(&self, name: &'static str, sql: &str) -> Result<(), StoreError> {
        let statement = named(name, Statement::from_string(self.dialect().backend(), sql));
        let deadline = self.timeouts().reclaim + REPLY_MARGIN;
        watched(
            self.poison(),
            deadline,
            DOING,
            self.pool().execute_unprepared(&statement.sql),
        )
        .await?;
        Ok(())
    }

    /// SQLite: moves what the write-ahead log holds into the database file and empties the log,
    /// where erased values would otherwise stay. Nothing to do on the servers.
    ///
    /// # Errors
    ///
    /// [`ErrorClass::LockTimeout`] when another connection kept the log in use.
    pub async fn truncate_write_ahead_log(&self) -> Result<(), StoreError> {
        const DOING: &str = "cannot empty SQLite's write-ahead log";
        if self.dialect() != Dialect::Sqlite {
            return Ok(());
        }
        let row = within(
            self.timeouts().scan,
            DOING,
            self.pool().query_one_raw(named(
                "reclaim.empty_log",
                Statement::from_string(self.dialect().backend(), "PRAGMA wal_checkpoint(TRUNCATE)"),
            )),
        )
        .await?;
        let busy = row.and_then(|row| row.try_get_by_index::<i32>(0).ok());
        match busy {
            Some(0) => Ok(()),
            _ => Err(StoreError::new(ErrorClass::LockTimeout, DOING)),
        }
    }
}

async fn owed(transaction: &Transaction) -> Result<Owed, StoreError> {
    let dialect = transaction.dialect();
    let counted = format!("SELECT COUNT(*) AS n FROM tenant_run WHERE {OWED}");
    if transaction
        .number("reclaim.count_owed", &counted, &[])
        .await?
        == 0
    {
        return Ok(Owed::Nothing);
    }
    let at_work = format!(
        "SELECT COUNT(*) AS n FROM run_lease WHERE token IS NOT NULL AND {}",
        leases::is_alive(dialect)
    );
    let longest = [("longest", leases::WAIT_MAX.as_secs_f64().into())];
    if transaction
        .number("reclaim.count_at_work", &at_work, &longest)
        .await?
        > 0
    {
        return Ok(Owed::Later);
    }
    let horizon = match dialect {
        Dialect::Postgres => "pg_snapshot_xmax(pg_current_snapshot())::text",
        _ => "'0'",
    };
    let sql = format!("SELECT {} AS at, {horizon} AS horizon", dialect.now());
    let row = transaction
        .row::<PointRow>("reclaim.point", &sql, &[])
        .await?;
    let schema = || StoreError::new(ErrorClass::Schema, DOING);
    let row = row.ok_or_else(schema)?;
    Ok(Owed::Until(Point {
        at: row.at,
        transaction: row.horizon.parse().map_err(|_| schema())?,
    }))
}

/// Whether the 32-bit transaction number `frozen` is `horizon` or later; such numbers go round.
fn reaches(frozen: u32, horizon: u64) -> bool {
    let horizon = u32::try_from(horizon & u64::from(u32::MAX)).unwrap_or_default();
    frozen.wrapping_sub(horizon) < 1 << 31
}

#[derive(FromQueryResult)]
struct PointRow {
    at: DateTime<Utc>,
    horizon: String,
}

#[derive(FromQueryResult)]
struct StorageRow {
    file: i64,
    frozen: String,
    oldest: String,
}

struct Storage {
    file: i64,
    frozen: u32,
    oldest: u64,
}

/// A row of what MariaDB answers to ANALYZE and OPTIMIZE. Has no `Debug`: the text may quote a row.
struct TableMessage {
    kind: String,
    text: String,
}

impl FromQueryResult for TableMessage {
    fn from_query_result(row: &sea_orm::QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            kind: row.try_get_by_index(2)?,
            text: row.try_get_by_index(3)?,
        })
    }
}

impl TableMessage {
    fn check(&self) -> Result<(), StoreError> {
        let class = match self.kind.to_ascii_lowercase().as_str() {
            "note" | "info" | "warning" => return Ok(()),
            "status" if self.text == "OK" || self.text == "Table is already up to date" => {
                return Ok(());
            }
            _ if self.text.starts_with("Lock wait timeout") => ErrorClass::LockTimeout,
            _ if self.text.contains("is full") || self.text.contains("No space left") => {
                ErrorClass::DiskFull
            }
            _ if self.text.contains("denied") => ErrorClass::Permission,
            _ => ErrorClass::Internal,
        };
        Err(StoreError::new(class, DOING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_numbers_go_round() {
        assert!(reaches(700, 700));
        assert!(reaches(701, 700));
        assert!(!reaches(699, 700));
        let second_round = (1 << 32) + 5;
        assert!(reaches(5, second_round) && reaches(6, second_round));
        assert!(!reaches(u32::MAX, second_round), "before the round began");
        assert!(reaches(3, u64::from(u32::MAX)), "after it");
    }

    #[test]
    fn what_mariadb_says_in_rows_is_heard() {
        let check = |kind: &str, text: &str| {
            let (kind, text) = (kind.to_owned(), text.to_owned());
            TableMessage { kind, text }
                .check()
                .map_err(|error| error.class())
        };
        assert_eq!(check("status", "OK"), Ok(()));
        let recreated = "Table does not support optimize, doing recreate + analyze instead";
        assert_eq!(check("note", recreated), Ok(()));
        assert_eq!(
            check("status", "Operation failed"),
            Err(ErrorClass::Internal)
        );
        let waited = "Lock wait timeout exceeded; try restarting transaction";
        assert_eq!(check("Error", waited), Err(ErrorClass::LockTimeout));
        let full = "The table 'participant' is full";
        assert_eq!(check("Error", full), Err(ErrorClass::DiskFull));
    }
}
