//! The only room that reads the wall clock (`clippy.toml` sees to it).
//!
//! Every time is truncated to microseconds before anything is decided by it: that is what the three
//! databases store, and rounding up would move an instant past a cutoff.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// A source of the host's time.
pub trait Clock: Debug + Send + Sync {
    /// The host's time in UTC, truncated to microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that can be handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The host's real clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    fn now(&self) -> DateTime<Utc> {
        truncate_to_microseconds(Utc::now())
    }
}

/// A clock that stands still, for tests.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        truncate_to_microseconds(self.0)
    }
}

/// Cuts `time` down to whole microseconds; never rounds up.
#[must_use]
pub fn truncate_to_microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only outside of the years 1677 to 2262, where truncating changes nothing that counts.
    time.duration_trunc(TimeDelta::microseconds(1))
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_time_is_truncated_never_rounded() {
        let time: DateTime<Utc> = "2024-02-29T22:59:59.999999999Z"
            .parse()
            .expect("a valid time");
        assert_eq!(
            FixedClock(time).now().to_rfc3339(),
            "2024-02-29T22:59:59.999999+00:00"
        );
    }
}
