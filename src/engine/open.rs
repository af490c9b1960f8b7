//! Opening the engine: database, schema, keyring, settings. Whatever may erase is opened here, so that
//! nothing does it with a schema or a keyring that is not the database's.

use std::sync::Arc;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::config::{Config, EngineConfig};
use crate::domain::period::{Months, ScheduleHour};
use crate::domain::suppression::Keyring;
use crate::domain::window::Window;
use crate::ids::SharedIds;
use crate::keyring::{self, KeyringFileError};
use crate::store::keys::{self, KeyCheckError};
use crate::store::schema::{self, SchemaError};
use crate::store::{self, Database, RetryPolicy, StoreError, server_logs};

use crate::tzdata::Tzdata;

use super::context::{Engine, WorkingHours};
use super::pace::Pace;
use super::permits::Permits;
use super::throttle::{Limits, Throttle};

/// Why the engine cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its schema is not this version's.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The keyring cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringFileError),
    /// The keyring is not this database's (U8).
    #[error(transparent)]
    Keys(#[from] KeyCheckError),
}

/// Opens the database and refuses a schema that is not this version's.
///
/// # Errors
///
/// [`OpenError::Store`] or [`OpenError::Schema`].
pub async fn open_database(config: &Config) -> Result<Database, OpenError> {
    let database = store::connect(&config.database, config.engine.lease_duration).await?;
    schema::ensure_current(&database).await?;
    Ok(database)
}

/// Opens the engine to erase. The check value of a key that the database does not know yet is stored.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open(
    config: &Config,
    clock: SharedClock,
    ids: SharedIds,
    tzdata: Tzdata,
) -> Result<Engine, OpenError> {
    let database = open_database(config).await?;
    warn_of_server_logs(&database).await;
    let keyring = keyring::load(&config.suppression.keyring_file)?;
    keys::check_and_register(&database, &keyring, clock.now()).await?;
    Ok(engine(config, clock, ids, tzdata, database, keyring))
}

/// Opens the engine to look only: a key that the database does not know stays unknown to it.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn open_to_look(
    config: &Config,
    clock: SharedClock,
    ids: SharedIds,
    tzdata: Tzdata,
) -> Result<Engine, OpenError> {
    let database = open_database(config).await?;
    let keyring = keyring::load(&config.suppression.keyring_file)?;
    keys::check(&database, &keyring).await?;
    Ok(engine(config, clock, ids, tzdata, database, keyring))
}

/// Logs which of the server's settings would write people into its logs. What cannot be asked is left out:
/// nothing depends on it.
async fn warn_of_server_logs(database: &Database) {
    let settings = server_logs::settings_that_log_people(database).await;
    let Some(sentence) = settings.ok().and_then(|found| server_logs_sentence(&found)) else {
        return;
    };
    tracing::warn!(event = "server_logs_people", "{sentence}");
}

/// What to say of the settings by which a server logs people; `None` if there are none.
#[must_use]
pub fn server_logs_sentence(settings: &[String]) -> Option<String> {
    if settings.is_empty() {
        return None;
    }
    Some(format!(
        "the database server writes the values of statements into its logs ({}): the rows of an import are \
         people, and no run reaches a log; see \"The server's logs\" in docs/operating.md",
        settings.join(", ")
    ))
}

fn engine(
    config: &Config,
    clock: SharedClock,
    ids: SharedIds,
    tzdata: Tzdata,
    database: Database,
    keyring: Keyring,
) -> Engine {
    let tenants_at_a_time = config.engine.tenants_at_a_time.unwrap_or_else(|| {
        let side_by_side = database.dialect().tenants_side_by_side();
        side_by_side.max(config.engine.workers)
    });
    Engine {
        database,
        clock,
        ids,
        tzdata,
        keyring,
        stop: CancellationToken::new(),
        progress: Arc::default(),
        holder: holder(),
        schedule_hour: ScheduleHour::try_from(config.schedule.hour)
            .expect("the configuration admits the hours 0 to 23 only"),
        clock_skew_max: config.schedule.clock_skew_max,
        gap_max: gap_max(config),
        is_gap_confirmed: false,
        tenants_at_a_time: usize::from(tenants_at_a_time),
        permits: Permits::new(usize::from(config.engine.workers)),
        batch_rows: u64::from(config.engine.batch_rows),
        batch_duration_target: Some(config.engine.batch_duration_target)
            .filter(|target| !target.is_zero()),
        lease_duration: config.engine.lease_duration,
        pace: Arc::new(Pace::new(config.engine.rows_per_second_max)),
        throttle: Arc::new(Throttle::new(limits(&config.engine), &config.database)),
        working_hours: working_hours(&config.engine),
        retry: retry_policy(&config.engine),
    }
}

fn gap_max(config: &Config) -> Option<Months> {
    let months = config.safety.gap_max.months()?;
    Some(
        Months::try_from(i64::from(months))
            .expect("the configuration admits 1 to 1,200 months only"),
    )
}

fn limits(config: &EngineConfig) -> Limits {
    Limits {
        replica_lag_max: config.replica_lag_max,
        latency_max: config.latency_max,
        wal_bytes_per_second_max: config.wal_bytes_per_second_max,
    }
}

fn working_hours(config: &EngineConfig) -> Option<WorkingHours> {
    let window = config.window?;
    Some(WorkingHours {
        window: Window::new(window.from, window.to),
        time_zone: config.window_time_zone.clone(),
    })
}

/// How whatever met a passing error is tried again.
#[must_use]
pub fn retry_policy(config: &EngineConfig) -> RetryPolicy {
    RetryPolicy {
        attempts_max: usize::try_from(config.retry_attempts).unwrap_or(usize::MAX),
        backoff_initial: config.retry_backoff_initial,
        backoff_max: config.retry_backoff_max,
    }
}

/// Name of this process in leases: host and process id.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "localhost" } else { host };
    format!("{host}:{}", std::process::id())
}
