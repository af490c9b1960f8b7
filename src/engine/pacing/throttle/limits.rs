//! From what was measured to whether runs pause. Pure: it knows no database, and time is given.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::pressure::{Reading, ReplicaLag};

use super::Reason;

/// A limit that was passed is kept to again only below so much of it, so that a value that hovers at
/// the limit does not start and stop runs all the time.
const CALM: f64 = 0.8;

/// Bytes of log beyond the limit are made up for by a pause of no more than that: nobody waits for an
/// hour because somebody else loaded data for an hour.
const DEBT_MAX: Duration = Duration::from_secs(60);

/// Who has not measured for that long begins anew.
const GAP_MAX: Duration = Duration::from_secs(10);

/// Positions that are remembered; at one a second more than an hour.
const POSITIONS_MAX: usize = 4_096;

/// The limits; unset ones are not measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How far a replica may be behind.
    pub replica_lag_max: Option<Duration>,
    /// How long a small read may take.
    pub latency_max: Option<Duration>,
    /// How fast the log may grow.
    pub wal_bytes_per_second_max: Option<u64>,
}

/// A limit that was passed: what was measured, and the limit, in seconds or in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// Which limit.
    pub reason: Reason,
    /// What was measured.
    pub measured: f64,
    /// What is allowed.
    pub limit: f64,
}

/// Remembers what is needed to decide.
#[derive(Debug)]
pub(super) struct Judge {
    limits: Limits,
    replica_lag: Switch,
    latency: Switch,
    log: LogGrowth,
    positions: Positions,
}

impl Judge {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            replica_lag: Switch::default(),
            latency: Switch::default(),
            log: LogGrowth::default(),
            positions: Positions::default(),
        }
    }

    /// Which limit keeps runs waiting, of what was measured at `now`. What is not known keeps nobody.
    pub(super) fn judge(&mut self, now: Instant, reading: &Reading) -> Option<Pressure> {
        let lag = self
            .positions
            .lag(now, reading.wal_bytes, &reading.replicas);
        let growth = self.limits.wal_bytes_per_second_max.and_then(|limit| {
            let growth = self.log.grew(now, reading.wal_bytes?, limit);
            growth.map(|measured| Pressure {
                reason: Reason::WalRate,
                measured,
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
                limit: limit as f64,
            })
        });
        let lag = self
            .replica_lag
            .passed(Reason::ReplicaLag, lag, self.limits.replica_lag_max);
        let latency =
            self.latency
                .passed(Reason::Latency, reading.latency, self.limits.latency_max);
        lag.or(latency).or(growth)
    }
}

/// A limit of a time, with hysteresis.
#[derive(Debug, Default)]
struct Switch {
    is_passed: bool,
}

impl Switch {
    fn passed(
        &mut self,
        reason: Reason,
        measured: Option<Duration>,
        limit: Option<Duration>,
    ) -> Option<Pressure> {
        let (limit, measured) = (
            limit?.as_secs_f64(),
            measured.map(|time| time.as_secs_f64()),
        );
        let bound = if self.is_passed { limit * CALM } else { limit };
        let passed = measured.filter(|measured| *measured > bound);
        self.is_passed = passed.is_some();
        passed.map(|measured| Pressure {
            reason,
            measured,
            limit,
        })
    }
}

/// The growth of the log, kept to a limit on average: what was too much in one second is made up for
/// by waiting. (Runs that only stopped and went by the last second would write at full speed every
/// other second.)
#[derive(Debug, Default)]
struct LogGrowth {
    last: Option<(Instant, u64)>,
    /// Bytes beyond what the limit allowed.
    debt_bytes: f64,
}

impl LogGrowth {
    /// The log has come to `bytes`. Returns how many a second it grew by since the last time, if there
    /// is something to make up for.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a quotient of large numbers is no less true for it"
    )]
    fn grew(&mut self, now: Instant, bytes: u64, limit: u64) -> Option<f64> {
        let last = self.last.replace((now, bytes));
        let last = last.filter(|(at, _)| now.duration_since(*at) <= GAP_MAX);
        let Some((at, before)) = last else {
            self.debt_bytes = 0.0;
            return None;
        };
        let seconds = now.duration_since(at).as_secs_f64();
        // A server that was started again counts from 0.
        let grown = bytes.saturating_sub(before) as f64;
        let limit = limit as f64;
        let debt = self.debt_bytes + grown - limit * seconds;
        self.debt_bytes = debt.clamp(0.0, limit * DEBT_MAX.as_secs_f64());
        (self.debt_bytes > 0.0 && seconds > 0.0).then(|| grown / seconds)
    }
}

/// When the log had come how far: by that it is known since when a standby lacks something. What
/// PostgreSQL says itself (`replay_lag`) is the lag of what was replayed last. It grows no further
/// where nothing is replayed any more, and there is none of a standby that has just come.
#[derive(Debug, Default)]
struct Positions {
    seen: VecDeque<(Instant, u64)>,
}

impl Positions {
    /// How far the slowest replica is behind; `None` if there is none that told.
    fn lag(
        &mut self,
        now: Instant,
        written: Option<u64>,
        replicas: &[ReplicaLag],
    ) -> Option<Duration> {
        if let Some(written) = written {
            if self.seen.back().is_some_and(|(_, last)| *last > written) {
                // Another server than before.
                self.seen.clear();
            }
            // When there is no room, the older ones are worth more.
            if self.seen.len() < POSITIONS_MAX {
                self.seen.push_back((now, written));
            }
        }
        let lag = replicas
            .iter()
            .map(|replica| match replica {
                ReplicaLag::Time(lag) => *lag,
                ReplicaLag::Position(position, _) if written.is_some_and(|w| *position >= w) => {
                    Duration::ZERO
                }
                ReplicaLag::Position(position, told) => {
                    let lacks_since = self.seen.iter().find(|(_, written)| written > position);
                    let lag = lacks_since.map(|(at, _)| now.duration_since(*at));
                    lag.max(*told).unwrap_or_default()
                }
            })
            .max();
        let replayed_by_all = replicas.iter().filter_map(|replica| match replica {
            ReplicaLag::Position(position, _) => Some(*position),
            ReplicaLag::Time(_) => None,
        });
        let replayed_by_all = replayed_by_all.min().or(written).unwrap_or_default();
        while self
            .seen
            .front()
            .is_some_and(|(_, written)| *written <= replayed_by_all)
        {
            self.seen.pop_front();
        }
        lag
    }
}

#[cfg(test)]
mod tests;
