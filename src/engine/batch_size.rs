//! How many participants the next batch takes: as many as fit a target duration.
//!
//! What others notice of a run is how long it keeps rows locked and the log busy at a stretch, and
//! that is the duration of a batch, not its rows: the same thousand rows take 30 ms on an idle
//! server and a second on a busy one. So the size follows the clock, and a server under load gets
//! smaller batches by itself.

use std::time::Duration;

/// Where a stage begins, if there is a target: small enough for a slow server.
const ROWS_INITIAL: u64 = 250;

/// From one batch to the next the size changes by no more than this factor: one batch that waited
/// for a lock says little about the next.
const FACTOR_MAX: u64 = 2;

/// The size of the batches of one stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSize {
    rows: u64,
    rows_max: u64,
    target: Option<Duration>,
}

impl BatchSize {
    /// At most `rows_max` participants; without a target, always that many.
    pub(super) fn new(rows_max: u64, target: Option<Duration>) -> Self {
        let rows_max = rows_max.max(1);
        Self {
            rows: target.map_or(rows_max, |_| rows_max.min(ROWS_INITIAL)),
            rows_max,
            target,
        }
    }

    /// How many the next batch takes.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// A batch of `rows` was committed, and took so long. One that found fewer rows than it might
    /// have taken says nothing about the size.
    pub(super) fn committed(&mut self, rows: u64, took: Duration) {
        if rows < self.rows {
            return;
        }
        let fitting = match self.target {
            // Shrunk by a failure; it grows back.
            None => self.rows.saturating_mul(FACTOR_MAX),
            Some(target) => {
                let nanoseconds = took.as_nanos().max(1);
                let fitting = u128::from(self.rows) * target.as_nanos() / nanoseconds;
                u64::try_from(fitting).unwrap_or(u64::MAX)
            }
        };
        self.rows = fitting
            .clamp(self.rows / FACTOR_MAX, self.rows.saturating_mul(FACTOR_MAX))
            .clamp(1, self.rows_max);
    }

    /// A batch was too large for a timeout: of its statement, or of a lock that it waited for.
    pub(super) fn failed(&mut self) {
        self.rows = (self.rows / FACTOR_MAX).max(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: Duration = Duration::from_millis(50);

    /// A server that needs so many microseconds a row, and as many again for each batch.
    fn settle(size: &mut BatchSize, microseconds_a_row: u64) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..32 {
            took = Duration::from_micros(microseconds_a_row * size.rows());
            size.committed(size.rows(), took);
        }
        took
    }

    #[test]
    fn a_batch_takes_as_long_as_it_may_on_a_fast_server_and_on_a_slow_one() {
        for microseconds_a_row in [20, 200, 2_000] {
            let mut size = BatchSize::new(10_000, Some(TARGET));
            let took = settle(&mut size, microseconds_a_row);
            assert!(
                took > TARGET * 9 / 10 && took < TARGET * 11 / 10,
                "{microseconds_a_row}: {took:?}"
            );
        }
    }

    #[test]
    fn it_is_never_more_than_was_configured_and_never_nothing() {
        let mut size = BatchSize::new(300, Some(TARGET));
        settle(&mut size, 1);
        assert_eq!(size.rows(), 300);
        settle(&mut size, 10_000_000);
        assert_eq!(size.rows(), 1);
    }

    #[test]
    fn one_slow_batch_halves_it_and_no_more() {
        let mut size = BatchSize::new(10_000, Some(TARGET));
        size.committed(250, Duration::from_secs(30));
        assert_eq!(size.rows(), 125);
    }

    #[test]
    fn a_timeout_halves_it_and_it_grows_back() {
        let mut size = BatchSize::new(1_000, None);
        assert_eq!(size.rows(), 1_000);
        size.failed();
        size.failed();
        assert_eq!(size.rows(), 250);
        // A page that was not full says nothing.
        size.committed(249, Duration::ZERO);
        assert_eq!(size.rows(), 250);
        size.committed(250, Duration::from_secs(1));
        size.committed(500, Duration::from_secs(1));
        size.committed(1_000, Duration::from_secs(1));
        assert_eq!(size.rows(), 1_000);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_whatever_happens(
            rows_max in 1_u64..20_000,
            has_target: bool,
            steps in prop::collection::vec((0_u64..40_000, 0_u64..10_000_000_000, prop::bool::ANY), 0..64),
        ) {
            let mut size = BatchSize::new(rows_max, has_target.then_some(TARGET));
            for (rows, nanoseconds, fails) in steps {
                if fails {
                    size.failed();
                } else {
                    size.committed(rows, Duration::from_nanos(nanoseconds));
                }
                prop_assert!((1..=rows_max).contains(&size.rows()));
            }
        }
    }
}
