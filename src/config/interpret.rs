//! From what is written to what is meant: kinds, ranges and defaults of every setting.
//!
//! The defaults stand here, each beside its range; `deploy/retentiond.toml` repeats them, and a
//! test compares the two.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use humantime_serde::re::humantime::{format_duration, parse_duration};

use crate::domain::zone::is_plain_name;

use super::error::{ConfigError, Origin};
use super::gap::{self, GapMax};
use super::raw::{Raw, Scalar};
use super::url::{DatabaseUrl, FORMS, LIST_FORMS, UrlError};
use super::window::{self, DailyWindow};
use super::{
    EngineConfig, HttpConfig, LogConfig, LogFormat, LogLevel, Reclaim, ReplicationSource,
    SafetyConfig, ScheduleConfig, ShutdownConfig,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A checked configuration whose secret files have not been looked at yet.
pub(super) struct Interpreted {
    pub(super) url: Option<DatabaseUrl>,
    pub(super) url_file: Option<PathBuf>,
    pub(super) replica_urls: Option<Vec<DatabaseUrl>>,
    pub(super) replica_urls_file: Option<PathBuf>,
    pub(super) max_connections: u32,
    pub(super) connect_timeout: Duration,
    pub(super) statement_timeout: Duration,
    pub(super) scan_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) reclaim: Reclaim,
    pub(super) reclaim_timeout: Duration,
    pub(super) replication_source: ReplicationSource,
    pub(super) schedule: ScheduleConfig,
    pub(super) engine: EngineConfig,
    pub(super) safety: SafetyConfig,
    pub(super) keyring_file: Option<PathBuf>,
    pub(super) http: HttpConfig,
    pub(super) log: LogConfig,
    pub(super) shutdown: ShutdownConfig,
}

/// Checks each value by itself; `origin` is the layer that was added last.
pub(super) fn interpret(raw: Raw, origin: &Origin) -> Result<Interpreted, ConfigError> {
    let Raw {
        database,
        schedule,
        engine,
        safety,
        suppression,
        http,
        log,
        shutdown,
    } = raw;
    let at = |key: &'static str, value: Option<Scalar>| Setting { key, value, origin };
    Ok(Interpreted {
        url: at("database.url", database.url).database_url()?,
        url_file: at("database.url_file", database.url_file).path()?,
        replica_urls: at("database.replica_urls", database.replica_urls).database_urls()?,
        replica_urls_file: at("database.replica_urls_file", database.replica_urls_file).path()?,
        max_connections: at("database.max_connections", database.max_connections)
            .whole(1..=1_000)?
            .unwrap_or(8),
        connect_timeout: at("database.connect_timeout", database.connect_timeout)
            .duration(100 * MILLISECOND..=10 * MINUTE)?
            .unwrap_or(10 * SECOND),
        statement_timeout: at("database.statement_timeout", database.statement_timeout)
            .duration(100 * MILLISECOND..=HOUR)?
            .unwrap_or(30 * SECOND),
        scan_timeout: at("database.scan_timeout", database.scan_timeout)
            .duration(SECOND..=24 * HOUR)?
            .unwrap_or(15 * MINUTE),
        lock_timeout: at("database.lock_timeout", database.lock_timeout)
            .duration(10 * MILLISECOND..=HOUR)?
            .unwrap_or(5 * SECOND),
        reclaim: at("database.reclaim", database.reclaim)
            .one_of(&[
                ("none", Reclaim::None),
                ("vacuum", Reclaim::Vacuum),
                ("rewrite", Reclaim::Rewrite),
            ])?
            .unwrap_or(Reclaim::None),
        reclaim_timeout: at("database.reclaim_timeout", database.reclaim_timeout)
            .duration(SECOND..=7 * 24 * HOUR)?
            .unwrap_or(6 * HOUR),
        replication_source: at("database.replication_source", database.replication_source)
            .one_of(&[
                ("refuse", ReplicationSource::Refuse),
                ("accept", ReplicationSource::Accept),
            ])?
            .unwrap_or(ReplicationSource::Refuse),
        schedule: ScheduleConfig {
            hour: at("schedule.hour", schedule.hour)
                .whole(0..=23)?
                .unwrap_or(0),
            sweep_interval: at("schedule.sweep_interval", schedule.sweep_interval)
                .duration(SECOND..=24 * HOUR)?
                .unwrap_or(5 * MINUTE),
            clock_skew_max: at("schedule.clock_skew_max", schedule.clock_skew_max)
                .duration(MILLISECOND..=HOUR)?
                .unwrap_or(5 * MINUTE),
        },
        engine: EngineConfig {
            workers: at("engine.workers", engine.workers)
                .whole(1..=64)?
                .unwrap_or(1),
            tenants_at_a_time: at("engine.tenants_at_a_time", engine.tenants_at_a_time)
                .whole(1..=1_000)?,
            batch_rows: at("engine.batch_rows", engine.batch_rows)
                .whole(1..=10_000)?
                .unwrap_or(250),
            batch_duration_target: at("engine.batch_duration_target", engine.batch_duration_target)
                .duration(Duration::ZERO..=MINUTE)?
                .unwrap_or(50 * MILLISECOND),
            lease_duration: at("engine.lease_duration", engine.lease_duration)
                .duration(SECOND..=HOUR)?
                .unwrap_or(60 * SECOND),
            rows_per_second_max: at("engine.rows_per_second_max", engine.rows_per_second_max)
                .whole(1..=10_000_000)?,
            replica_lag_max: at("engine.replica_lag_max", engine.replica_lag_max)
                .duration(SECOND..=24 * HOUR)?,
            latency_max: at("engine.latency_max", engine.latency_max)
                .duration(MILLISECOND..=5 * SECOND)?,
            wal_bytes_per_second_max: at(
                "engine.wal_bytes_per_second_max",
                engine.wal_bytes_per_second_max,
            )
            .whole(1_000..=100_000_000_000)?,
            window: at("engine.window", engine.window).parsed(window::FORM, DailyWindow::parse)?,
            window_time_zone: at("engine.window_time_zone", engine.window_time_zone)
                .parsed(
                    "the IANA name of a time zone, such as \"Europe/Brussels\"",
                    |text| is_plain_name(text).then(|| text.to_owned()),
                )?
                .unwrap_or_else(|| "UTC".to_owned()),
            retry_attempts: at("engine.retry_attempts", engine.retry_attempts)
                .whole(0..=100)?
                .unwrap_or(8),
            retry_backoff_initial: at("engine.retry_backoff_initial", engine.retry_backoff_initial)
                .duration(MILLISECOND..=MINUTE)?
                .unwrap_or(100 * MILLISECOND),
            retry_backoff_max: at("engine.retry_backoff_max", engine.retry_backoff_max)
                .duration(MILLISECOND..=HOUR)?
                .unwrap_or(30 * SECOND),
        },
        safety: SafetyConfig {
            gap_max: at("safety.gap_max", safety.gap_max)
                .parsed(gap::FORM, GapMax::parse)?
                .unwrap_or(GapMax::DEFAULT),
        },
        keyring_file: at("suppression.keyring_file", suppression.keyring_file).path()?,
        http: HttpConfig {
            listen: at("http.listen", http.listen)
                .parsed(
                    "an IP address and a port, such as \"127.0.0.1:9464\"",
                    |text| text.parse().ok(),
                )?
                .unwrap_or_else(|| ([127, 0, 0, 1], 9464).into()),
        },
        log: LogConfig {
            format: at("log.format", log.format)
                .one_of(&[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)])?,
            level: at("log.level", log.level)
                .one_of(&[
                    ("error", LogLevel::Error),
                    ("warn", LogLevel::Warn),
                    ("info", LogLevel::Info),
                    ("debug", LogLevel::Debug),
                    ("trace", LogLevel::Trace),
                ])?
                .unwrap_or(LogLevel::Info),
        },
        shutdown: ShutdownConfig {
            grace_period: at("shutdown.grace_period", shutdown.grace_period)
                .duration(Duration::ZERO..=HOUR)?
                .unwrap_or(30 * SECOND),
        },
    })
}

/// One setting on its way from written to meant.
struct Setting<'a> {
    key: &'static str,
    value: Option<Scalar>,
    origin: &'a Origin,
}

impl Setting<'_> {
    fn refused(&self, found: impl Into<String>, allowed: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            setting: self.origin.name(self.key),
            found: found.into(),
            allowed: allowed.into(),
        }
    }

    /// A whole number; from the environment it comes as text.
    fn whole<T>(&self, range: RangeInclusive<T>) -> Result<Option<T>, ConfigError>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let Some(value) = &self.value else {
            return Ok(None);
        };
        let number = match value {
            Scalar::Whole(number) => Some(*number),
            Scalar::Text(text) => text.parse().ok(),
            Scalar::List(_) | Scalar::Other(_) => None,
        };
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(self.refused(
                shown(value),
                format!("a whole number from {} to {}", range.start(), range.end()),
            )),
        }
    }

    fn duration(&self, range: RangeInclusive<Duration>) -> Result<Option<Duration>, ConfigError> {
        let allowed = format!(
            "a duration such as \"5m\" or \"50ms\", from {} to {}",
            format_duration(*range.start()),
            format_duration(*range.end())
        );
        self.parsed(&allowed, |text| {
            parse_duration(text)
                .ok()
                .filter(|duration| range.contains(duration))
        })
    }

    fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<Option<T>, ConfigError> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.parsed(&names.join(", "), |text| {
            choices
                .iter()
                .find_map(|(name, choice)| (*name == text).then_some(*choice))
        })
    }

    fn path(&self) -> Result<Option<PathBuf>, ConfigError> {
        self.parsed("the path of a file", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        })
    }

    fn parsed<T>(
        &self,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = &self.value else {
            return Ok(None);
        };
        let parsed = match value {
            Scalar::Text(text) => parse(text),
            _ => None,
        };
        match parsed {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(self.refused(shown(value), allowed)),
        }
    }

    /// Never shows what was found.
    fn database_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        match &self.value {
            None => Ok(None),
            Some(Scalar::Text(text)) => match DatabaseUrl::parse(text) {
                Ok(url) => Ok(Some(url)),
                Err(error) => Err(self.refused(error.found(), error.allowed(FORMS))),
            },
            Some(_) => Err(self.refused("not a text", FORMS)),
        }
    }

    /// Never shows what was found. From the environment it comes as text.
    fn database_urls(&self) -> Result<Option<Vec<DatabaseUrl>>, ConfigError> {
        let urls = match &self.value {
            None => return Ok(None),
            Some(Scalar::Text(text)) => DatabaseUrl::parse_list(text),
            Some(Scalar::List(values)) => values
                .iter()
                .map(|value| match value {
                    Scalar::Text(text) => DatabaseUrl::parse(text),
                    _ => Err(UrlError::Unreadable),
                })
                .collect(),
            Some(_) => Err(UrlError::Unreadable),
        };
        urls.map(Some)
            .map_err(|error| self.refused(error.found_in_list(), error.allowed(LIST_FORMS)))
    }
}

/// A value for an error message. A text that might be a secret in the wrong place is not shown.
fn shown(value: &Scalar) -> String {
    const TEXT_LENGTH_MAX: usize = 32;
    match value {
        Scalar::Whole(number) => number.to_string(),
        Scalar::Text(text) if text.len() > TEXT_LENGTH_MAX || text.contains(['@', ':']) => {
            "a text that is not shown here".to_owned()
        }
        Scalar::Text(text) => format!("{text:?}"),
        Scalar::List(_) => "a list".to_owned(),
        Scalar::Other(kind) => (*kind).to_owned(),
    }
}
