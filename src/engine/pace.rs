//! `[engine] rows_per_second_max`: how fast this process may erase.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Shares a rate between the workers of a process.
#[derive(Debug)]
pub struct Pace {
    rows_per_second_max: Option<u32>,
    /// When the rows that were erased so far will have used up their time.
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of at most so many participants a second; `None` = as fast as it goes.
    #[must_use]
    pub fn new(rows_per_second_max: Option<u32>) -> Self {
        Self {
            rows_per_second_max,
            free_at: Mutex::new(None),
        }
    }

    /// The largest batch whose pause, with those of all other `workers` before it, is over well
    /// within a lease of `lease_duration`.
    #[must_use]
    pub(super) fn batch_rows_max(&self, lease_duration: Duration, workers: usize) -> u64 {
        let Some(rate) = self.rows_per_second_max else {
            return u64::MAX;
        };
        let milliseconds = u64::try_from(lease_duration.as_millis()).unwrap_or(u64::MAX);
        let workers = u64::try_from(workers.max(1)).unwrap_or(u64::MAX);
        (u64::from(rate).saturating_mul(milliseconds) / 4_000 / workers).max(1)
    }

    /// Waits after a batch of `rows` for as long as the rate asks for.
    pub(super) async fn after(&self, rows: u64) {
        let Some(rate) = self.rows_per_second_max else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 rows")]
        let cost = Duration::from_secs_f64(rows as f64 / f64::from(rate.max(1)));
        let until = {
            // A worker that panicked while it held the lock left nothing half-done.
            let mut free_at = self
                .free_at
                .lock()
                .unwrap_or_else(|error| error.into_inner());
            let now = Instant::now();
            let until = free_at.map_or(now, |free_at| free_at.max(now)) + cost;
            *free_at = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn workers_share_the_rate() {
        let pace = Pace::new(Some(1_000));
        let started = Instant::now();
        tokio::join!(pace.after(50), pace.after(50));
        assert!(started.elapsed() >= Duration::from_millis(100));
        Pace::new(None).after(u64::MAX).await;
    }

    #[test]
    fn a_slow_rate_makes_batches_small_enough_for_the_lease() {
        let minute = Duration::from_secs(60);
        assert_eq!(Pace::new(Some(10)).batch_rows_max(minute, 2), 75);
        assert_eq!(
            Pace::new(Some(1)).batch_rows_max(Duration::from_secs(1), 64),
            1
        );
        assert_eq!(Pace::new(None).batch_rows_max(minute, 2), u64::MAX);
    }
}
