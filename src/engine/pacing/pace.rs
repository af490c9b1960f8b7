//! `[engine] rows_per_second_max`: how fast all processes together may erase.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How long the number of processes that share the rate is believed.
const SHARE_AGE_MAX: Duration = Duration::from_secs(1);

/// A worker that woke up so much too late, as timers do, still goes by the time it was meant to.
const LATENESS: Duration = Duration::from_millis(20);

/// Shares a rate between the workers of a process, and between processes.
#[derive(Debug)]
pub struct Pace {
    rows_per_second_max: Option<u32>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the rows that were erased so far will have used up their time.
    free_at: Option<Instant>,
    /// Processes that hold runs, this one included.
    processes: u32,
    /// When they were counted.
    counted_at: Option<Instant>,
}

impl Pace {
    /// A pace of at most so many participants a second; `None` = as fast as it goes.
    #[must_use]
    pub fn new(rows_per_second_max: Option<u32>) -> Self {
        Self {
            rows_per_second_max,
            state: Mutex::new(State {
                free_at: None,
                processes: 1,
                counted_at: None,
            }),
        }
    }

    /// The largest batch whose pause, with those of all other `workers` before it, is over well
    /// within a lease of `lease_duration`.
    #[must_use]
    pub(in crate::engine) fn batch_rows_max(
        &self,
        lease_duration: Duration,
        workers: usize,
    ) -> u64 {
        let Some(rate) = self.rows_per_second_max else {
            return u64::MAX;
        };
        let milliseconds = u64::try_from(lease_duration.as_millis()).unwrap_or(u64::MAX);
        let workers = u64::try_from(workers.max(1)).unwrap_or(u64::MAX);
        let sharers = workers.saturating_mul(u64::from(self.locked().processes));
        (u64::from(rate).saturating_mul(milliseconds) / 4_000 / sharers).max(1)
    }

    /// Whether the processes that share the rate should be counted again. Of several workers that
    /// ask, one is told so.
    pub(in crate::engine) fn wants_processes(&self) -> bool {
        if self.rows_per_second_max.is_none() {
            return false;
        }
        let mut state = self.locked();
        let is_old = state
            .counted_at
            .is_none_or(|at| at.elapsed() >= SHARE_AGE_MAX);
        if is_old {
            state.counted_at = Some(Instant::now());
        }
        is_old
    }

    /// So many processes hold runs now: each takes an equal part of the rate.
    pub(in crate::engine) fn share_among(&self, processes: u64) {
        let processes = u32::try_from(processes).unwrap_or(u32::MAX).max(1);
        self.locked().processes = processes;
    }

    /// Waits, after a batch of `rows` that began at `started`, for as long as the rate asks for;
    /// returns how long that was. The time that the batch itself took is part of it.
    pub(in crate::engine) async fn after(&self, started: Instant, rows: u64) -> Duration {
        let Some(rate) = self.rows_per_second_max else {
            return Duration::ZERO;
        };
        let until = {
            let mut state = self.locked();
            let share = f64::from(rate.max(1)) / f64::from(state.processes);
            #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 rows")]
            let cost = Duration::from_secs_f64(rows as f64 / share);
            let begun = state
                .free_at
                .filter(|free_at| started < *free_at + LATENESS)
                .unwrap_or(started);
            let until = begun + cost;
            state.free_at = Some(until);
            until
        };
        let now = Instant::now();
        tokio::time::sleep_until(until).await;
        until.saturating_duration_since(now)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        // A worker that panicked while it held the lock left nothing half-done.
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers that erase batches of 100 rows, each of which takes 30 ms, for ten seconds.
    async fn rate_of(pace: &Pace, workers: usize) -> f64 {
        let started = Instant::now();
        let work = async || {
            let mut rows = 0_u32;
            while started.elapsed() < Duration::from_secs(10) {
                let batch = Instant::now();
                tokio::time::sleep(Duration::from_millis(30)).await;
                rows += 100;
                pace.after(batch, 100).await;
            }
            rows
        };
        let rows = match workers {
            1 => work().await,
            _ => {
                let (a, b) = tokio::join!(work(), work());
                a + b
            }
        };
        f64::from(rows) / started.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_exact_within_5_percent_however_long_batches_take() {
        for workers in [1, 2] {
            let rate = rate_of(&Pace::new(Some(1_000)), workers).await;
            assert!((950.0..=1_050.0).contains(&rate), "{workers}: {rate}");
        }
        let slow = rate_of(&Pace::new(Some(1_000_000)), 1).await;
        assert!(slow < 3_400.0, "no faster than the batches: {slow}");
    }

    #[tokio::test(start_paused = true)]
    async fn processes_share_the_rate_equally() {
        let pace = Pace::new(Some(1_000));
        assert!(pace.wants_processes(), "nobody has counted them yet");
        assert!(!pace.wants_processes(), "one worker is enough");
        pace.share_among(4);
        let rate = rate_of(&pace, 2).await;
        assert!((237.0..=263.0).contains(&rate), "{rate}");
        assert!(pace.wants_processes(), "one may have gone meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let pace = Pace::new(None);
        assert!(!pace.wants_processes());
        assert_eq!(pace.after(Instant::now(), u64::MAX).await, Duration::ZERO);
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
        let shared = Pace::new(Some(10));
        shared.share_among(3);
        assert_eq!(shared.batch_rows_max(minute, 2), 25);
    }
}
