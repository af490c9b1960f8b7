//! Runs make way: they pause between two batches while the database is hard at work, by whatever
//! limit was set. What is measured stands in [`store::pressure`](crate::store::pressure), what follows
//! from it in [`limits`], and who waits in `batch/throttle_gate`.
//!
//! All workers of a process share one measurement, which is made once a second at most, and only by
//! who is about to begin a batch: an idle process measures nothing, and one without a limit never.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use crate::config::DatabaseConfig;
use crate::ids::TenantId;
use crate::store::ErrorClass;
use crate::store::pressure::{Meter, Unknown, Wanted, What};
use crate::telemetry::metrics;

mod limits;

pub use limits::{Limits, Pressure};

use limits::Judge;

/// How long a measurement is believed.
pub(in crate::engine) const MEASURED_AGE_MAX: Duration = Duration::from_secs(1);

/// Why a worker pauses between two batches, or a run is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `engine.rows_per_second_max`.
    Rate,
    /// `engine.replica_lag_max`.
    ReplicaLag,
    /// `engine.latency_max`.
    Latency,
    /// `engine.wal_bytes_per_second_max`.
    WalRate,
    /// `engine.window`.
    Window,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::Rate,
        Self::ReplicaLag,
        Self::Latency,
        Self::WalRate,
        Self::Window,
    ];

    /// The reasons that something has to be measured for.
    pub const MEASURED: [Self; 3] = [Self::ReplicaLag, Self::Latency, Self::WalRate];

    /// Name in metrics and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::ReplicaLag => "replica_lag",
            Self::Latency => "latency",
            Self::WalRate => "wal_rate",
            Self::Window => "window",
        }
    }
}

/// The limits of a process, and what was measured last.
#[derive(Debug)]
pub struct Throttle(Option<Arc<Mutex<State>>>);

#[derive(Debug)]
struct State {
    meter: Meter,
    judge: Judge,
    measured_at: Option<Instant>,
    pressure: Option<Pressure>,
    unknown: Vec<Unknown>,
}

impl Throttle {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(limits: Limits, config: &DatabaseConfig) -> Self {
        let wanted = Wanted {
            replica_lag: limits.replica_lag_max.is_some(),
            latency: limits.latency_max.is_some(),
            wal: limits.wal_bytes_per_second_max.is_some(),
        };
        if !(wanted.replica_lag || wanted.latency || wanted.wal) {
            return Self::off();
        }
        let state = State {
            meter: Meter::new(config, wanted),
            judge: Judge::new(limits),
            measured_at: None,
            pressure: None,
            unknown: Vec::new(),
        };
        Self(Some(Arc::new(Mutex::new(state))))
    }

    /// Without any limit.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether there is no limit.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// The limit that is passed now, if one is; measures, if the last measurement is too old. `tenant`
    /// is any that has a row.
    pub async fn pressure(&self, tenant: TenantId) -> Option<Pressure> {
        let mut state = Arc::clone(self.0.as_ref()?).lock_owned().await;
        let is_young = |at: Instant| at.elapsed() < MEASURED_AGE_MAX;
        if state.measured_at.is_some_and(is_young) {
            return state.pressure;
        }
        // In a task of its own: a run that is stopped does not break a call off in the middle, and
        // connecting needs a stack that has not been used up by the run.
        let measuring = tokio::spawn(async move {
            state.measure(tenant).await;
            state.pressure
        });
        // A defect of ours is logged where it happens, and keeps nobody.
        measuring.await.unwrap_or_default()
    }
}

impl State {
    async fn measure(&mut self, tenant: TenantId) {
        let reading = self.meter.read(tenant).await;
        let now = Instant::now();
        self.pressure = self.judge.judge(now, &reading);
        self.measured_at = Some(now);
        for unknown in &reading.unknown {
            let is_known = |before: &Unknown| {
                (before.what, &before.replica) == (unknown.what, &unknown.replica)
            };
            if !self.unknown.iter().any(is_known) {
                report(unknown);
            }
        }
        for reason in Reason::MEASURED {
            let unknown = reading.unknown.iter();
            let count = unknown.filter(|unknown| reason_of(unknown.what) == reason);
            metrics::unmeasured(reason.name(), count.count());
        }
        self.unknown = reading.unknown;
    }
}

fn reason_of(what: What) -> Reason {
    match what {
        What::ReplicaLag | What::ReplicasHidden => Reason::ReplicaLag,
        What::Latency => Reason::Latency,
        What::Wal => Reason::WalRate,
    }
}

/// Says once that a limit cannot be kept to, until it can.
fn report(unknown: &Unknown) {
    let error = unknown.error.as_ref();
    let cause = match (unknown.what, error) {
        (What::ReplicasHidden, _) => {
            "the role may not see how far replicas are behind; an administrator grants it \
             pg_read_all_stats (deploy/sql/postgres-replica-lag.sql)"
        }
        (What::ReplicaLag, None) => {
            "the replica follows no server, or its replication stands still; see SHOW ALL REPLICAS \
             STATUS there"
        }
        (What::ReplicaLag, Some(error))
            if unknown.replica.is_some() && error.class() == ErrorClass::Permission =>
        {
            "the replica refused to tell; an administrator grants the user SLAVE MONITOR \
             (deploy/sql/mariadb-replica-lag.sql)"
        }
        _ => "it could not be asked for",
    };
    tracing::warn!(
        event = "limit_not_measured",
        reason = reason_of(unknown.what).name(),
        replica = unknown.replica,
        class = error.map(|error| error.class().name()),
        code = error.and_then(|error| error.code()),
        "runs ignore the limit: {cause}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn without_a_limit_nothing_is_ever_measured() {
        let config = Config::load(None, std::iter::empty()).unwrap();
        let throttle = Throttle::new(Limits::default(), &config.database);
        assert!(throttle.is_off());
        assert_eq!(throttle.pressure(TenantId(1)).await, None);
        let limits = Limits {
            latency_max: Some(Duration::from_secs(1)),
            ..Limits::default()
        };
        assert!(!Throttle::new(limits, &config.database).is_off());
    }
}
