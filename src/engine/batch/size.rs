//! How many participants the next batch takes: as many as fit a target duration.
//!
//! What others notice of a run is how long it keeps rows locked and the log busy at a stretch, and
//! that is the duration of a batch, not its rows: the same thousand rows take 30 ms on an idle
//! server and a second on a busy one. So the size follows the clock, and a server under load gets
//! smaller batches by itself.

use std::time::Duration;

/// Where a stage begins, if there is a target: small enough for a slow server.
const ROWS_INITIAL: u64 = 250;

/// The target makes batches no smaller than this. What a batch costs whatever its size (a dozen round
/// trips, the log's flush) may be longer than the target, and then no size would ever fit; only a
/// failure goes lower.
const ROWS_MIN: u64 = 100;

/// From one batch to the next the size changes by no more than this factor: one batch that waited
/// for a lock says little about the next.
const FACTOR_MAX: u64 = 2;

/// The size of the batches of one stage.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct BatchSize {
    rows: u64,
    rows_max: u64,
    target: Option<Duration>,
}

impl BatchSize {
    /// At most `rows_max` participants; without a target, always that many.
    pub(in crate::engine) fn new(rows_max: u64, target: Option<Duration>) -> Self {
        let rows_max = rows_max.max(1);
        Self {
            rows: target.map_or(rows_max, |_| rows_max.min(ROWS_INITIAL)),
            rows_max,
            target,
        }
    }

    /// How many the next batch takes.
    pub(in crate::engine) fn rows(&self) -> u64 {
        self.rows
    }

    /// A batch of `rows` was committed, and took so long. One that found fewer rows than it might
    /// have taken says nothing about the size.
    pub(in crate::engine) fn committed(&mut self, rows: u64, took: Duration) {
        if rows < self.rows {
            return;
        }
        // One that is smaller after a failure grows.
        let rows_min = ROWS_MIN.min(self.rows.saturating_mul(FACTOR_MAX));
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
            .clamp(rows_min.min(self.rows_max), self.rows_max);
    }

    /// A batch of at most `rows` was too large for a timeout: of its statement, or of a lock that it
    /// waited for.
    pub(in crate::engine) fn failed(&mut self, rows: u64) {
        self.rows = (self.rows.min(rows) / FACTOR_MAX).max(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: Duration = Duration::from_millis(50);

    /// A server that needs so many microseconds a batch, and so many a row.
    fn settle(size: &mut BatchSize, a_batch: u64, a_row: u64) -> Duration {
        let mut took = Duration::ZERO;
        for _ in 0..32 {
            took = Duration::from_micros(a_batch + a_row * size.rows());
            size.committed(size.rows(), took);
        }
        took
    }

    #[test]
    fn a_batch_takes_as_long_as_it_may_on_a_fast_server_and_on_a_slow_one() {
        for (a_batch, a_row) in [(0, 20), (1_000, 20), (5_000, 100), (0, 400)] {
            let mut size = BatchSize::new(10_000, Some(TARGET));
            let took = settle(&mut size, a_batch, a_row);
            assert!(
                took > TARGET * 8 / 10 && took < TARGET * 11 / 10,
                "{a_batch} {a_row}: {took:?}"
            );
        }
    }

    #[test]
    fn where_no_batch_can_be_that_short_they_do_not_shrink_to_nothing() {
        let mut size = BatchSize::new(10_000, Some(TARGET));
        settle(&mut size, 60_000, 100);
        assert_eq!(size.rows(), 100);
        let mut few = BatchSize::new(40, Some(TARGET));
        settle(&mut few, 60_000, 100);
        assert_eq!(few.rows(), 40);
    }

    #[test]
    fn it_is_never_more_than_was_configured_and_never_nothing() {
        let mut size = BatchSize::new(300, Some(TARGET));
        settle(&mut size, 0, 1);
        assert_eq!(size.rows(), 300);
        for _ in 0..32 {
            size.failed(size.rows());
        }
        assert_eq!(size.rows(), 1);
        size.committed(1, Duration::from_secs(1));
        size.committed(2, Duration::from_secs(1));
        assert_eq!(size.rows(), 4, "it grows back though batches are slow");
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
        size.failed(1_000);
        size.failed(500);
        assert_eq!(size.rows(), 250);
        // A page that was not full says nothing.
        size.committed(249, Duration::ZERO);
        assert_eq!(size.rows(), 250);
        size.committed(250, Duration::from_secs(1));
        size.committed(500, Duration::from_secs(1));
        size.committed(1_000, Duration::from_secs(1));
        assert_eq!(size.rows(), 1_000);
        // The rate allowed fewer than the size did, and even those were too many.
        size.failed(80);
        assert_eq!(size.rows(), 40);
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
                    size.failed(rows);
                } else {
                    size.committed(rows, Duration::from_nanos(nanoseconds));
                }
                prop_assert!((1..=rows_max).contains(&size.rows()));
            }
        }
    }
}
