//! The schema's version: who migrates, and whether a database is ours at all.
//!
//! SeaORM's migrator takes no lock, and two of it at once fail half-way. So one process migrates
//! and the others wait: by a transaction-level advisory lock on PostgreSQL, a named lock on a
//! connection of its own on MariaDB (whose DDL commits implicitly), and the write lock on SQLite.

use std::collections::BTreeSet;

use migration::{Migrator, MigratorTrait};
use sea_orm::FromQueryResult;
use thiserror::Error;

use crate::store::db::connect::Database;
use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};
use crate::store::db::transaction::Transaction;

/// "retentd" in ASCII; any number will do as long as every version uses the same.
const ADVISORY_LOCK: i64 = 0x72_6574_656e_7464;

/// How long to wait for another process that is migrating, in seconds.
const LOCK_WAIT_SECONDS: i64 = 300;

/// How the schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaStatus {
    /// Migrations that are in place, oldest first.
    pub applied: Vec<String>,
    /// Migrations of this version that are not.
    pub pending: Vec<String>,
    /// Migrations in place that this version does not know: a newer version made them.
    pub unknown: Vec<String>,
}

impl SchemaStatus {
    /// Of a database that is not there yet.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self::comparing(Vec::new())
    }

    fn comparing(applied: Vec<String>) -> Self {
        let ours: Vec<String> = Migrator::migrations()
            .iter()
            .map(|migration| migration.name().to_owned())
            .collect();
        let known: BTreeSet<&String> = ours.iter().collect();
        Self {
            pending: ours
                .iter()
                .filter(|name| !applied.contains(name))
                .cloned()
                .collect(),
            unknown: applied
                .iter()
                .filter(|name| !known.contains(name))
                .cloned()
                .collect(),
            applied,
        }
    }
}

/// Why the schema cannot be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// It has not been made, or an older version made it.
    #[error(
        "the database's schema lacks {pending} migration(s) of this version; run `retentiond migrate up`"
    )]
    Behind {
        /// How many are missing.
        pending: usize,
    },
    /// A newer version made it.
    #[error(
        "the database's schema was made by a newer version of retentiond (it has migration {newest}); \
         upgrade this one"
    )]
    Ahead {
        /// Name of the newest migration in place.
        newest: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the migrations in place with those of this version. Writes nothing.
///
/// # Errors
///
/// When the database cannot be read.
pub async fn status(database: &Database) -> Result<SchemaStatus, StoreError> {
    const DOING: &str = "reading the schema's version";
    let transaction = database.begin_read(DOING).await?;
    let applied = applied_migrations(&transaction).await?;
    transaction.rollback().await?;
    Ok(SchemaStatus::comparing(applied))
}

async fn applied_migrations(transaction: &Transaction) -> Result<Vec<String>, StoreError> {
    let exist = match transaction.dialect() {
        Dialect::Sqlite => {
            "SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'seaql_migrations'"
        }
        Dialect::Postgres => {
            "SELECT COUNT(*) AS n FROM information_schema.tables \
             WHERE table_name = 'seaql_migrations' AND table_schema = ANY (current_schemas(false))"
        }
        Dialect::MariaDb => {
            "SELECT COUNT(*) AS n FROM information_schema.tables \
             WHERE table_name = 'seaql_migrations' AND table_schema = DATABASE()"
        }
    };
    if transaction
        .number("schema.has_migrations", exist, &[])
        .await?
        == 0
    {
        return Ok(Vec::new());
    }
    let select = "SELECT version FROM seaql_migrations ORDER BY version";
    let applied = transaction
        .rows::<Applied>("schema.migrations", select, &[])
        .await?;
    Ok(applied.into_iter().map(|row| row.version).collect())
}

#[derive(FromQueryResult)]
struct Applied {
    version: String,
}

/// Refuses a schema that is not exactly this version's. An empty SQLite file is migrated first:
/// the embedded default needs no set-up.
///
/// # Errors
///
/// [`SchemaError::Behind`] or [`SchemaError::Ahead`], or the database's.
pub async fn ensure_current(database: &Database) -> Result<(), SchemaError> {
    let mut status = status(database).await?;
    if database.dialect() == Dialect::Sqlite && status.applied.is_empty() {
        migrate_up(database).await?;
        status = self::status(database).await?;
    }
    if let Some(newest) = status.unknown.last() {
        return Err(SchemaError::Ahead {
            newest: newest.clone(),
        });
    }
    match status.pending.len() {
        0 => Ok(()),
        pending => Err(SchemaError::Behind { pending }),
    }
}

/// Brings the schema up to this version; does nothing where it is. If another process is at it,
/// waits for that one.
///
/// # Errors
///
/// [`SchemaError::Ahead`] when a newer version made the schema, or the database's.
pub async fn migrate_up(database: &Database) -> Result<(), SchemaError> {
    const DOING: &str = "migrating the schema";
    if let Some(newest) = status(database).await?.unknown.last() {
        return Err(SchemaError::Ahead {
            newest: newest.clone(),
        });
    }
    if database.dialect() == Dialect::MariaDb {
        return Ok(migrate_mariadb(database).await?);
    }
    let transaction = database.begin_long(DOING).await?;
    if database.dialect() == Dialect::Postgres {
        // The lock may take longer than a row lock may.
        for setting in [
            format!("SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'"),
            "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(),
            format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"),
        ] {
            transaction
                .execute("schema.lock_or_setting", &setting, &[])
                .await?;
        }
    }
    transaction
        .run(Migrator::up(transaction.orm(), None))
        .await?;
    transaction.commit().await?;
    Ok(())
}

async fn migrate_mariadb(database: &Database) -> Result<(), StoreError> {
    const DOING: &str = "migrating the schema";
    // A named lock belongs to its connection; this transaction keeps one out of the pool.
    let lock = database.begin_long(DOING).await?;
    lock.execute(
        "schema.no_idle_timeout",
        "SET SESSION idle_transaction_timeout = 0",
        &[],
    )
    .await?;
    let taken = lock
        .number(
            "schema.take_lock",
            "SELECT CAST(GET_LOCK('retentiond migrate', :seconds) AS SIGNED) AS n",
            &[("seconds", LOCK_WAIT_SECONDS.into())],
        )
        .await?;
    if taken != 1 {
        return Err(StoreError::new(ErrorClass::LockTimeout, DOING));
    }
    let outcome = Migrator::up(database.pool(), None)
        .await
        .map_err(|error| StoreError::from_db(&error, DOING));
    lock.number(
        "schema.release_lock",
        "SELECT CAST(RELEASE_LOCK('retentiond migrate') AS SIGNED) AS n",
        &[],
    )
    .await?;
    lock.rollback().await?;
    outcome
}
