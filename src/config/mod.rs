//! What can be set, and where it comes from: built-in defaults, then one TOML file, then
//! `RETENTIOND__SECTION__KEY` of the environment. Flags come after, and are the commands' own.
//!
//! A configuration is read as a whole or not at all: an unknown key, a value out of its range and
//! settings that contradict each other are errors that name the file or the variable, the key and
//! what is allowed. Each layer is checked as it is added, which is how an error knows where the
//! culprit stands. Secrets come from files (`*_file`, or `$CREDENTIALS_DIRECTORY`, which systemd
//! sets) and show in no error, `Debug` or `config show`.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

mod contradictions;
mod error;
mod gap;
mod interpret;
mod load;
mod place;
mod raw;
#[cfg(test)]
mod tests;
mod url;
mod warning;
mod window;

pub use error::{ConfigError, Origin};
pub use gap::GapMax;
pub use place::DatabasePlace;
pub use url::DatabaseUrl;
pub use warning::Warning;
pub use window::DailyWindow;

/// The whole configuration. Serialises without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// `[database]`
    pub database: DatabaseConfig,
    /// `[schedule]`
    pub schedule: ScheduleConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[safety]`
    pub safety: SafetyConfig,
    /// `[suppression]`
    pub suppression: SuppressionConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[shutdown]`
    pub shutdown: ShutdownConfig,
    /// The file that was read, if there was one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Nobody named a database: neither the file nor the environment nor a credential.
    #[serde(skip)]
    pub is_database_default: bool,
    /// What is allowed, and lets somebody else in.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

/// Which database, and how long it may take to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseConfig {
    /// Where it is. Comes from `url`, from the file `url_file`, or from the credential
    /// `database_url`.
    pub url: DatabaseUrl,
    /// MariaDB's replicas, which are asked how far behind they are. Comes from `replica_urls`, from
    /// the file `replica_urls_file`, or from the credential `replica_urls`.
    pub replica_urls: Vec<DatabaseUrl>,
    /// Connections in the pool; not fewer than `engine.workers`.
    pub max_connections: u32,
    /// How long a connection may take.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long a statement may take.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// How long a statement of `plan`, `verify` or a recount may take: they read whole tables.
    #[serde(with = "humantime_serde")]
    pub scan_timeout: Duration,
    /// How long a statement may wait for a lock.
    #[serde(with = "humantime_serde")]
    pub lock_timeout: Duration,
    /// What is done about erased values in the database's files.
    pub reclaim: Reclaim,
    /// How long that may take for one table.
    #[serde(with = "humantime_serde")]
    pub reclaim_timeout: Duration,
    /// What is done with a server that is itself a replica of another.
    pub replication_source: ReplicationSource,
}

/// What is done with a server that copies another one's rows: a replica of MariaDB that takes writes, or a
/// subscriber of PostgreSQL. What is deleted there stays at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicationSource {
    /// Nothing is deleted there.
    Refuse,
    /// It is a primary too, and the operator has said so: each of two in a circle, say.
    Accept,
}

/// What is done, after something was erased, about the values that are left in the database's files.
/// What each reaches stands in `docs/operating.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reclaim {
    /// Nothing beyond what the database does by itself.
    None,
    /// The space is freed and the statistics are taken anew; nothing is overwritten.
    Vacuum,
    /// The tables are written anew, which leaves nothing of what was erased.
    Rewrite,
}

impl Reclaim {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Vacuum => "vacuum",
            Self::Rewrite => "rewrite",
        }
    }
}

/// When a period becomes due, and how the service notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScheduleConfig {
    /// The hour of the first of the month at which a period is due, in each tenant's zone: 0..=23.
    pub hour: u8,
    /// How often to look for what a wake-up missed.
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    /// How far host and database clock may be apart before nothing is erased any more.
    #[serde(with = "humantime_serde")]
    pub clock_skew_max: Duration,
}

/// How the work is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineConfig {
    /// Tenants that have a turn at a time; not more than `database.max_connections`.
    pub workers: u16,
    /// Tenants that take turns; as suits the database if unset.
    pub tenants_at_a_time: Option<u16>,
    /// Participants in one batch, which is one transaction, at most.
    pub batch_rows: u32,
    /// How long a batch should take: it gets as many participants as fit. Zero = always
    /// `batch_rows`.
    #[serde(with = "humantime_serde")]
    pub batch_duration_target: Duration,
    /// How long a claim on a tenant-run lasts without being renewed.
    #[serde(with = "humantime_serde")]
    pub lease_duration: Duration,
    /// Participants erased in a second at most, by all processes together; unlimited if unset.
    pub rows_per_second_max: Option<u32>,
    /// How far a replica may be behind before runs pause; no limit if unset.
    #[serde(with = "humantime_serde")]
    pub replica_lag_max: Option<Duration>,
    /// How long a small read may take before runs pause; no limit if unset.
    #[serde(with = "humantime_serde")]
    pub latency_max: Option<Duration>,
    /// How fast the database's log may grow, whoever writes it, before runs pause; no limit if unset.
    pub wal_bytes_per_second_max: Option<u64>,
    /// The time of day in which `serve` works; always if unset.
    pub window: Option<DailyWindow>,
    /// The IANA name of the zone of that time of day. Whether there is such a zone depends on the machine:
    /// see `crate::tzdata`.
    pub window_time_zone: String,
    /// How many times a batch that met a passing error is tried again.
    pub retry_attempts: u32,
    /// The pause before the first retry; it doubles with each.
    #[serde(with = "humantime_serde")]
    pub retry_backoff_initial: Duration,
    /// The longest pause before a retry.
    #[serde(with = "humantime_serde")]
    pub retry_backoff_max: Duration,
}

/// What a person has to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SafetyConfig {
    /// The longest time after the last settled month after which runs need nobody's word.
    pub gap_max: GapMax,
}

/// How unsubscribed people are recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuppressionConfig {
    /// The file of keys: `keyring_file`, else the credential `keyring` if there is one, else
    /// `retentiond.keyring` in the working directory.
    pub keyring_file: PathBuf,
}

/// Metrics and health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

/// What is logged, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogConfig {
    /// JSON or for people; if unset, for people on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
    /// The least severe level that is logged.
    pub level: LogLevel,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line for people each.
    Pretty,
}

/// How severe an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something needs a look.
    Warn,
    /// What happened.
    Info,
    /// Each batch too.
    Debug,
    /// Everything.
    Trace,
}

/// How the service ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShutdownConfig {
    /// How long batches that are under way may take to finish.
    #[serde(with = "humantime_serde")]
    pub grace_period: Duration,
}

/// The process's environment, for [`Config::load`]. What is not Unicode is replaced, not dropped,
/// so that a broken setting is an error and not a default.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

impl Config {
    /// Refuses the built-in database where there is a configuration: a file that names none is one that
    /// somebody is just writing, or the URL is a credential that only the service is given.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoDatabase`].
    pub fn require_named_database(&self) -> Result<(), ConfigError> {
        match &self.file {
            Some(path) if self.is_database_default => {
                Err(ConfigError::NoDatabase { path: path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The whole path of the file that was read, if there was one.
    #[must_use]
    pub fn whole_file(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        Some(std::path::absolute(file).unwrap_or_else(|_| file.clone()))
    }

    /// Refuses another database, and another file, than before: a reload is for settings, and what names
    /// another database may be a slip.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Moved`].
    pub fn for_reload_of(self, before: &Self) -> Result<Self, ConfigError> {
        let moved = |what, from: String, to: String| ConfigError::Moved { what, from, to };
        if self.file != before.file {
            let name = |file: &Option<PathBuf>| {
                file.as_ref()
                    .map_or_else(|| "no file".to_owned(), |file| file.display().to_string())
            };
            let (from, to) = (name(&before.file), name(&self.file));
            return Err(moved("the configuration file", from, to));
        }
        if self.database.url.place() != before.database.url.place() {
            let (from, to) = (&before.database.url, &self.database.url);
            return Err(moved("[database] url", from.to_string(), to.to_string()));
        }
        Ok(self)
    }

    /// The effective configuration as JSON, secrets left out: sections of keys.
    #[must_use]
    pub fn effective(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("sections are structs of plain values")
    }

    /// The effective configuration as `section.key` and value, secrets left out, in the order in
    /// which the settings are documented. Unset ones have no value.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, Option<String>)> {
        let effective = self.effective();
        let mut settings = Vec::new();
        for (section, keys) in raw::SECTIONS {
            for key in *keys {
                let value = match effective.get(section).and_then(|values| values.get(key)) {
                    // `url_file`, whose content is already in `url`.
                    None => continue,
                    Some(serde_json::Value::Null) => None,
                    Some(serde_json::Value::String(text)) => Some(text.clone()),
                    Some(other) => Some(other.to_string()),
                };
                settings.push((format!("{section}.{key}"), value));
            }
        }
        settings
    }
}
