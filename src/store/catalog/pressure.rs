//! How hard the database is at work, as far as it tells: what others notice of a run.
//!
//! Asked for on connections of its own, so that neither the pool nor a batch stands in between, and
//! opened only when somebody asks. A replica that does not answer is left alone for a while: nobody
//! waits for it again and again.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use tokio::time::{Instant, timeout};

use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::ids::TenantId;

use crate::store::db::connect::{Database, connect};
use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};

/// What does not answer by then is not waited for.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The same of a replica, which may be gone for good while runs go on.
const REPLICA_ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long a replica that could not be asked is left alone.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Reads whose middle one counts: one that met a hiccup says nothing.
const READS: usize = 3;

const DOING: &str = "measuring how hard the database is at work";

/// What is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How far replicas are behind.
    pub replica_lag: bool,
    /// How long a small read takes.
    pub latency: bool,
    /// How much the log has grown.
    pub wal: bool,
}

/// What was measured; what was not wanted, or could not be had, is missing.
#[derive(Debug, Default)]
pub struct Reading {
    /// How long the middle one of a few reads of one row by its key took, there and back.
    pub latency: Option<Duration>,
    /// Bytes of log that the server has written since its beginning (PostgreSQL) or its start.
    pub wal_bytes: Option<u64>,
    /// The replicas that told.
    pub replicas: Vec<ReplicaLag>,
    /// What could not be measured.
    pub unknown: Vec<Unknown>,
}

/// How far a replica is behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReplicaLag {
    /// In time, as MariaDB's replica says.
    Time(Duration),
    /// How much of the log it has replayed, and how long the newest of that took to get there, as
    /// PostgreSQL's primary says.
    Position(u64, Option<Duration>),
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What.
    pub what: What,
    /// Which replica, if it is one of those that are asked themselves.
    pub replica: Option<String>,
    /// Why, if the database did not simply not tell.
    pub error: Option<StoreError>,
}

/// What could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The lag of a replica that could not be asked, or does not follow.
    ReplicaLag,
    /// The lag of replicas that the role may not see.
    ReplicasHidden,
    /// The time of a read.
    Latency,
    /// The growth of the log.
    Wal,
}

/// The connections by which is measured.
#[derive(Debug)]
pub struct Meter {
    primary: Link,
    replicas: Vec<Link>,
    wanted: Wanted,
}

/// A connection that is there when it is needed.
#[derive(Debug)]
struct Link {
    config: DatabaseConfig,
    database: Option<Database>,
    /// How long it is left alone after it could not be asked.
    again_after: Duration,
    /// Why it could not be asked the last time, and until when it is left alone.
    failed: Option<(StoreError, Instant)>,
}

impl Meter {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(config: &DatabaseConfig, wanted: Wanted) -> Self {
        Self {
            primary: Link::new(config, config.url.clone(), ANSWER_MAX, Duration::ZERO),
            replicas: config
                .replica_urls
                .iter()
                .map(|url| Link::new(config, url.clone(), REPLICA_ANSWER_MAX, AGAIN_AFTER))
                .collect(),
            wanted,
        }
    }

    /// Measures once. `tenant` is one that has a row to read.
    pub async fn read(&mut self, tenant: TenantId) -> Reading {
        let mut reading = Reading::default();
        // First and by itself: what follows would be measured too.
        if self.wanted.latency {
            let started = Instant::now();
            match self
                .primary
                .ask(async |on| latency(&on, tenant).await)
                .await
            {
                Ok(latency) => reading.latency = Some(latency),
                // It took so long at least.
                Err(error) if is_slowness(&error) => reading.latency = Some(started.elapsed()),
                Err(error) => reading.missing(What::Latency, Some(error)),
            }
        }
        let on_mariadb = self.primary.config.url.is_mariadb();
        if self.wanted.wal || (self.wanted.replica_lag && !on_mariadb) {
            match self.primary.ask(async |on| wal_bytes(&on).await).await {
                Ok(bytes) => reading.wal_bytes = Some(bytes),
                Err(error) if self.wanted.wal => reading.missing(What::Wal, Some(error)),
                // The question after the standbys will tell.
                Err(_) => {}
            }
        }
        if self.wanted.replica_lag && on_mariadb {
            let asked = self.replicas.iter_mut().map(async |replica| {
                let name = replica.config.url.to_string();
                (
                    name,
                    replica.ask(async |on| seconds_behind(&on).await).await,
                )
            });
            for (replica, told) in join_all(asked).await {
                reading.replica(replica, told);
            }
        } else if self.wanted.replica_lag {
            match self.primary.ask(async |on| standbys(&on).await).await {
                Ok(standbys) => reading.standbys(standbys),
                Err(error) => reading.missing(What::ReplicaLag, Some(error)),
            }
        }
        reading
    }
}

impl Reading {
    fn missing(&mut self, what: What, error: Option<StoreError>) {
        self.unknown.push(Unknown {
            what,
            replica: None,
            error,
        });
    }

    fn replica(&mut self, name: String, told: Result<Option<Duration>, StoreError>) {
        match told {
            Ok(Some(lag)) => self.replicas.push(ReplicaLag::Time(lag)),
            told => self.unknown.push(Unknown {
                what: What::ReplicaLag,
                replica: Some(name),
                error: told.err(),
            }),
        }
    }

    fn standbys(&mut self, standbys: Vec<Standby>) {
        if standbys.iter().any(|standby| standby.hidden) {
            self.missing(What::ReplicasHidden, None);
        }
        self.replicas.extend(standbys.iter().filter_map(|standby| {
            let position = u64::try_from(standby.replayed?).ok()?;
            let lag = standby.lag_seconds.map(|seconds| {
                Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
            });
            Some(ReplicaLag::Position(position, lag))
        }));
    }
}

impl Link {
    fn new(
        config: &DatabaseConfig,
        url: DatabaseUrl,
        answer_max: Duration,
        again_after: Duration,
    ) -> Self {
        Self {
            config: DatabaseConfig {
                url,
                max_connections: 1,
                connect_timeout: config.connect_timeout.min(answer_max),
                statement_timeout: answer_max,
                scan_timeout: answer_max,
                lock_timeout: answer_max,
                ..config.clone()
            },
            database: None,
            again_after,
            failed: None,
        }
    }

    /// Asks on the connection, which is opened if it is not there.
    async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some((error, until)) = &self.failed
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        let answer_max = self.config.statement_timeout;
        let answer = timeout(answer_max, async {
            let database = match &self.database {
                Some(database) => database.clone(),
                None => {
                    let opened = connect(&self.config, answer_max).await?;
                    self.database.insert(opened).clone()
                }
            };
            question(database).await
        });
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(StoreError::new(ErrorClass::Deadline, DOING)));
        self.failed = None;
        if let Err(error) = &answer {
            // Whatever became of it, the next one begins anew.
            self.database = None;
            self.failed = Some((error.clone(), Instant::now() + self.again_after));
        }
        answer
    }
}

/// Whether it was only not fast enough.
fn is_slowness(error: &StoreError) -> bool {
    matches!(
        error.class(),
        ErrorClass::Deadline | ErrorClass::StatementTimeout | ErrorClass::LockTimeout
    )
}

/// One read of a row by its key, there and back: the middle one of a few.
async fn latency(on: &Database, tenant: TenantId) -> Result<Duration, StoreError> {
    let transaction = on.begin_read(DOING).await?;
    let mut took = [Duration::ZERO; READS];
    for took in &mut took {
        let started = Instant::now();
        let sql = "SELECT COUNT(*) AS n FROM tenant WHERE id = :id";
        transaction
            .number("pressure.latency", sql, &[("id", tenant.into())])
            .await?;
        *took = started.elapsed();
    }
    transaction.rollback().await?;
    took.sort_unstable();
    Ok(took[READS / 2])
}

/// How far the server's log has come.
async fn wal_bytes(on: &Database) -> Result<u64, StoreError> {
    let sql = match on.dialect() {
        Dialect::Postgres => "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS n",
        Dialect::MariaDb => {
            "SELECT CAST(variable_value AS SIGNED) AS n FROM information_schema.global_status \
             WHERE variable_name = 'INNODB_OS_LOG_WRITTEN'"
        }
        // The configuration admits no limit there.
        Dialect::Sqlite => "SELECT NULL AS n",
    };
    let transaction = on.begin_read(DOING).await?;
    let bytes = transaction.number("pressure.wal_bytes", sql, &[]).await?;
    transaction.rollback().await?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

/// What PostgreSQL's primary knows of a standby. A role without the right to it sees that there is
/// one, and nothing of it.
#[derive(FromQueryResult)]
struct Standby {
    hidden: bool,
    replayed: Option<i64>,
    lag_seconds: Option<f64>,
}

async fn standbys(on: &Database) -> Result<Vec<Standby>, StoreError> {
    let transaction = on.begin_read(DOING).await?;
    let standbys = transaction
        .rows(
            "pressure.standbys",
            "SELECT state IS NULL AS hidden, \
             (replay_lsn - '0/0'::pg_lsn)::bigint AS replayed, \
             EXTRACT(EPOCH FROM replay_lag)::double precision AS lag_seconds \
             FROM pg_stat_replication",
            &[],
        )
        .await?;
    transaction.rollback().await?;
    Ok(standbys)
}

/// What a replica of MariaDB says of itself, of each server that it follows.
struct Follows {
    seconds_behind: Option<u64>,
}

impl FromQueryResult for Follows {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            seconds_behind: row.try_get(prefix, "Seconds_Behind_Master")?,
        })
    }
}

/// How far a replica of MariaDB is behind; `None` if it follows nobody, or stands still.
async fn seconds_behind(on: &Database) -> Result<Option<Duration>, StoreError> {
    let transaction = on.begin_read(DOING).await?;
    let sql = "SHOW ALL REPLICAS STATUS";
    let follows = transaction
        .rows::<Follows>("pressure.replica_delay", sql, &[])
        .await?;
    transaction.rollback().await?;
    let all: Option<Vec<u64>> = follows.iter().map(|one| one.seconds_behind).collect();
    let seconds = all.and_then(|all| all.into_iter().max());
    Ok(seconds.map(Duration::from_secs))
}
