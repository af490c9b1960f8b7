//! Opening the database, and opening transactions on it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sqlx::Executor;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{
    AccessMode, ConnectOptions, Database as SeaDatabase, DatabaseConnection, IsolationLevel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use crate::config::{DatabaseConfig, Reclaim, ReplicationSource};

use super::dialect::Dialect;
use super::error::{ErrorClass, StoreError};
use super::mariadb_session;
use super::poison::Poison;
use super::sqlite_files::{self, SqliteFile};
use super::tls_files;
use super::transaction::{Transaction, watched, within};

/// A pool of connections to one database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: DatabaseConnection,
    dialect: Dialect,
    timeouts: Timeouts,
    reclaim: Reclaim,
    connections_max: u32,
    poison: Poison,
    /// The server that answered when the pool was opened, as it names itself.
    server: Arc<str>,
    replication_source: ReplicationSource,
    /// SQLite's.
    file: Option<Arc<SqliteFile>>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Timeouts {
    statement: Duration,
    pub(in crate::store) scan: Duration,
    pub(in crate::store) lock: Duration,
    pub(in crate::store) reclaim: Duration,
    /// A holder paused inside a transaction would block its successor for longer than its lease.
    idle_in_transaction: Duration,
}

/// Time that a reply may take on top of what the server itself enforces.
pub(in crate::store) const REPLY_MARGIN: Duration = Duration::from_secs(5);

/// Pause before a SQLite file that was busy is opened again.
const OPEN_PAUSE: Duration = Duration::from_millis(20);

/// Opens the database of the configuration. A SQLite file is created when its URL says `mode=rwc`.
///
/// `lease_duration` bounds how long a transaction may sit idle before the server ends it.
///
/// # Errors
///
/// A [`StoreError`] that says which part of `[database]` to look at.
pub async fn connect(
    config: &DatabaseConfig,
    lease_duration: Duration,
) -> Result<Database, StoreError> {
    const DOING: &str = "cannot open the database";
    sqlite_files::believe(&config.url)?;
    make_private_file(config)?;
    // Before it is opened: what replaces it meanwhile is another one.
    let file = sqlite_file(config).map(|file| Arc::new(file.identified()));
    if let Some(file) = &file {
        file.keep_temporary_files_beside().await;
    }
    let poison = Poison::default();
    let (postgres_poison, mariadb_poison) = (poison.clone(), poison.clone());
    let mut options = ConnectOptions::new(config.url.to_connect().as_str());
    options
        .max_connections(config.max_connections)
        .connect_timeout(config.connect_timeout)
        .acquire_timeout(config.connect_timeout)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_postgres_opts(|options| options.application_name("retentiond"))
        .map_sqlx_postgres_pool_opts(move |options| {
            let poison = postgres_poison.clone();
            options.after_release(move |_, connection| {
                let keep = !poison.suspects(connection.age);
                Box::pin(async move { Ok(keep) })
            })
        })
        .map_sqlx_mysql_pool_opts(move |options| {
            let poison = mariadb_poison.clone();
            let options = options.after_release(move |_, connection| {
                let keep = !poison.suspects(connection.age);
                Box::pin(async move { Ok(keep) })
            });
            options.after_connect(|connection, _| {
                Box::pin(async move {
                    mariadb_session::set(connection).await?;
                    read_what_was_committed_elsewhere(connection).await
                })
            })
        });
    let lock_timeout = config.lock_timeout;
    options.map_sqlx_sqlite_opts(move |options| {
        options
            .busy_timeout(lock_timeout)
            .foreign_keys(true)
            .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Full)
            .pragma("secure_delete", "ON")
    });
    let started = Instant::now();
    let pool = loop {
        let opened = within(
            config.connect_timeout + REPLY_MARGIN,
            DOING,
            SeaDatabase::connect(options.clone()),
        )
        .await;
        match opened {
            // SQLite's busy timeout does not cover the switch of a new file to write-ahead logging:
            // of two processes that open it at once, one is told at once that it is busy.
            Err(error)
                if error.class() == ErrorClass::LockTimeout
                    && started.elapsed() < config.lock_timeout =>
            {
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            Ok(pool) => break pool,
            Err(error) => {
                return Err(match file {
                    Some(file) => file.explain_opening(error),
                    None => tls_files::explain(&config.url, error),
                });
            }
        }
    };
    // Where everybody may make files, one may have come before SQLite made its own.
    sqlite_files::believe(&config.url)?;
    let dialect = Dialect::of(pool.get_database_backend());
    let mut database = Database {
        pool,
        dialect,
        timeouts: Timeouts {
            statement: config.statement_timeout,
            scan: config.scan_timeout,
            lock: config.lock_timeout,
            reclaim: config.reclaim_timeout,
            idle_in_transaction: lease_duration,
        },
        reclaim: config.reclaim,
        connections_max: config.max_connections,
        poison,
        server: Arc::default(),
        replication_source: config.replication_source,
        file,
    };
    database.server = database.look_at_server().await?.into();
    Ok(database)
}

/// The file of a SQLite database.
fn sqlite_file(config: &DatabaseConfig) -> Option<SqliteFile> {
    let (path, is_read_only) = config.url.sqlite_file()?;
    Some(SqliteFile::new(path, is_read_only))
}

/// On a node of a Galera cluster: each transaction begins by waiting until the node has applied
/// whatever was committed on any node before. A node may be behind, and would let a batch erase by a
/// policy that is no longer in force. Answers of a node that lost its cluster are refused for the same
/// reason. Both variables do nothing on a server by itself, and some builds lack them.
async fn read_what_was_committed_elsewhere(
    connection: &mut sea_orm::sqlx::MySqlConnection,
) -> Result<(), sea_orm::sqlx::Error> {
    let set = "SET SESSION wsrep_sync_wait = 1, wsrep_dirty_reads = OFF";
    match connection.execute(set).await {
        Err(error) if !is_unknown_variable(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_unknown_variable(error: &sea_orm::sqlx::Error) -> bool {
    const UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
        .is_some_and(|error| error.number() == UNKNOWN_SYSTEM_VARIABLE)
}

/// Makes a new SQLite file that only its owner may read, before SQLite makes it readable for all.
/// (The files beside it take its mode.) A file that is there keeps the mode that it has.
fn make_private_file(config: &DatabaseConfig) -> Result<(), StoreError> {
    let Some(path) = config.url.missing_file_to_create() else {
        return Ok(());
    };
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    match made {
        // Somebody else was faster.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let address = "cannot make the file of the database";
            Err(sqlite_files::why_not_made(error.kind(), &path)
                .unwrap_or_else(|| StoreError::new(ErrorClass::Address, address)))
        }
        _ => Ok(()),
    }
}

impl Database {
    /// The database's dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What is done about erased values in the database's files.
    #[must_use]
    pub fn reclaim(&self) -> Reclaim {
        self.reclaim
    }

    /// The server that answered when the database was opened, as it names itself.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// How many connections the pool has at most.
    #[must_use]
    pub fn connections_max(&self) -> usize {
        self.connections_max as usize
    }

    pub(in crate::store) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    pub(in crate::store) fn poison(&self) -> &Poison {
        &self.poison
    }

    /// The pool, for the migrator and for tests.
    #[must_use]
    pub fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Shows `observe` each statement as it went to the driver, values included; for tests of what is sent. Only
    /// of clones of the database that are made from here on.
    pub fn observe_statements(&mut self, observe: impl Fn(&Statement) + Send + Sync + 'static) {
        self.pool
            .set_metric_callback(move |info| observe(info.statement));
    }

    /// Opens a transaction that writes: READ COMMITTED on the servers, BEGIN IMMEDIATE on SQLite
    /// (a deferred one that turns into a writer fails at once, whatever the busy timeout says).
    ///
    /// # Errors
    ///
    /// When no connection is to be had; `doing` names the undertaking in every later error too.
    pub async fn begin(&self, doing: &'static str) -> Result<Transaction, StoreError> {
        self.open(self.writing(), self.timeouts.statement, doing)
            .await
    }

    /// Opens a transaction that writes at the end of long reads: as [`Database::begin`], but its
    /// statements may take as long as a scan.
    ///
    /// # Errors
    ///
    /// As [`Database::begin`].
    pub async fn begin_long(&self, doing: &'static str) -> Result<Transaction, StoreError> {
        self.open(self.writing(), self.timeouts.scan, doing).await
    }

    /// Opens a transaction that only reads, on one snapshot, for as long as a scan may take.
    ///
    /// # Errors
    ///
    /// As [`Database::begin`].
    pub async fn begin_read(&self, doing: &'static str) -> Result<Transaction, StoreError> {
        let options = match self.dialect {
            Dialect::Sqlite => TransactionOptions::default(),
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        self.open(options, self.timeouts.scan, doing).await
    }

    /// Does `work` in a transaction that only reads; see [`Database::begin_read`].
    ///
    /// # Errors
    ///
    /// As [`Database::begin_read`], or that of `work`.
    pub async fn read<T, E: From<StoreError>>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin_read(doing).await?;
        let done = work(&transaction).await;
        // The connection may be the very thing that failed; it rolls back when it is closed.
        let ended = transaction.rollback().await;
        let value = done?;
        ended?;
        Ok(value)
    }

    /// Does `work` in a transaction that writes, and commits it; see [`Database::begin`]. An error of `work` rolls
    /// back what it did.
    ///
    /// # Errors
    ///
    /// As [`Database::begin`], or that of `work`.
    pub async fn write<T, E: From<StoreError>>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin(doing).await?;
        match work(&transaction).await {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The connection may be the very thing that failed; it rolls back when it is closed.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    fn writing(&self) -> TransactionOptions {
        match self.dialect {
            Dialect::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::ReadCommitted),
                ..TransactionOptions::default()
            },
        }
    }

    async fn open(
        &self,
        options: TransactionOptions,
        statement_timeout: Duration,
        doing: &'static str,
    ) -> Result<Transaction, StoreError> {
        let deadline = statement_timeout + REPLY_MARGIN;
        let begin = self.pool.begin_with_options(options);
        let inner = watched(&self.poison, deadline, doing, begin)
            .await
            .map_err(|error| match &self.file {
                Some(file) => file.explain_opening(error),
                None => error,
            })?;
        let poison = self.poison.clone();
        let transaction = Transaction::new(
            inner,
            self.dialect,
            deadline,
            doing,
            poison,
            self.file.clone(),
            self.replication_source,
        );
        // Per transaction, because through a transaction pooler the next one may be on another
        // server connection. What changes the meaning of a statement is set here as well, whatever the role
        // or the database has been given, and so is what would write values into the server's log. To compile a statement takes PostgreSQL longer than ours run: 113 of 141
        // ms, on a table that had never been analyzed.
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        match self.dialect {
            Dialect::Postgres => {
                transaction
                    .rows::<Ignored>(
                        "connect.settings_of_transaction",
                        "SELECT set_config('statement_timeout', :statement, true) AS ignored, \
                         set_config('lock_timeout', :lock, true), \
                         set_config('idle_in_transaction_session_timeout', :idle, true), \
                         set_config('jit', 'off', true), \
                         set_config('TimeZone', 'UTC', true), \
                         set_config('DateStyle', 'ISO, MDY', true), \
                         set_config('IntervalStyle', 'postgres', true), \
                         set_config('transform_null_equals', 'off', true), \
                         set_config('array_nulls', 'on', true), \
                         set_config('standard_conforming_strings', 'on', true), \
                         set_config('log_parameter_max_length_on_error', '0', true), \
                         set_config('debug_print_parse', 'off', true), \
                         set_config('debug_print_rewritten', 'off', true), \
                         set_config('debug_print_plan', 'off', true)",
                        &[
                            ("statement", milliseconds(statement_timeout).into()),
                            ("lock", milliseconds(self.timeouts.lock).into()),
                            (
                                "idle",
                                milliseconds(self.timeouts.idle_in_transaction).into(),
                            ),
                        ],
                    )
                    .await?;
            }
            Dialect::MariaDb => {
                transaction
                    .execute(
                        "connect.settings_of_session",
                        "SET SESSION max_statement_time = :statement, \
                         innodb_lock_wait_timeout = :lock, idle_transaction_timeout = :idle",
                        &[
                            ("statement", statement_timeout.as_secs_f64().into()),
                            ("lock", self.timeouts.lock.as_secs().max(1).into()),
                            (
                                "idle",
                                self.timeouts.idle_in_transaction.as_secs().max(1).into(),
                            ),
                        ],
                    )
                    .await?;
            }
            Dialect::Sqlite => {}
        }
        Ok(transaction)
    }

    /// Closes the pool.
    pub async fn close(self) {
        // The process is about to end; a connection that cannot say good-bye is no error.
        let _ = within(REPLY_MARGIN, "closing", self.pool.close()).await;
    }
}

#[derive(sea_orm::FromQueryResult)]
struct Ignored {
    #[expect(dead_code, reason = "set_config returns what was set")]
    ignored: String,
}
