//! Progress on a terminal; silence in a pipe.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::telemetry::stderr::ProgressLine;

/// How often the line is drawn.
const INTERVAL: Duration = Duration::from_millis(250);

/// Awaits `work` and shows meanwhile on stderr, if it is a terminal, what the engine did so far.
pub async fn shown<T>(engine: &Engine, doing: &'static str, work: impl Future<Output = T>) -> T {
    let Some(line) = ProgressLine::begin() else {
        return work.await;
    };
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            result = &mut work => return result,
            _ = ticks.tick() => {
                let count = |value: &AtomicU64| value.load(Ordering::Relaxed);
                let progress = &engine.progress;
                let (anonymized, purged) = (count(&progress.anonymized), count(&progress.purged));
                let elapsed = started.elapsed();
                line.say(format!(
                    "{doing} [{} s]: {} of {} tenants, {anonymized} participants anonymized, {purged} \
                     deleted{}",
                    elapsed.as_secs(),
                    count(&progress.tenants_done),
                    count(&progress.tenants_total),
                    time_left(anonymized + purged, count(&progress.planned), elapsed),
                ));
            }
        }
    }
}

/// Shows on stderr, if it is a terminal, how much of a file was read.
pub struct FileProgress {
    line: Option<ProgressLine>,
    started: Instant,
    /// Milliseconds from `started` to the last drawing; at first none.
    drawn: AtomicU64,
}

impl FileProgress {
    /// Nothing was read yet.
    pub fn begin() -> Self {
        Self {
            line: ProgressLine::begin(),
            started: Instant::now(),
            drawn: AtomicU64::new(0),
        }
    }

    /// So many bytes of the file were read, of `total`.
    pub fn show(&self, read: u64, total: u64) {
        let Some(line) = &self.line else { return };
        let elapsed = self.started.elapsed();
        let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if u128::from(now - self.drawn.load(Ordering::Relaxed)) < INTERVAL.as_millis() {
            return;
        }
        self.drawn.store(now, Ordering::Relaxed);
        let percent = read.saturating_mul(100).checked_div(total).unwrap_or(100);
        line.say(format!(
            "importing [{} s]: {percent} % of {} KiB",
            elapsed.as_secs(),
            total.div_ceil(1024)
        ));
    }
}

/// Of the tenants that were begun: how many participants there are, how fast it goes, and how long it
/// will take at that rate.
fn time_left(done: u64, planned: u64, elapsed: Duration) -> String {
    if done == 0 || planned == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let left = planned.saturating_sub(done) as f64 / rate;
    format!(" of {planned} in the tenants begun, {rate:.0} a second, {left:.0} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_rate_so_far() {
        let ten = Duration::from_secs(10);
        assert_eq!(
            time_left(1_000, 5_000, ten),
            " of 5000 in the tenants begun, 100 a second, 40 s left"
        );
        // Rows that came within reach later are more than were counted.
        assert!(time_left(5_001, 5_000, ten).ends_with(" 0 s left"));
        assert_eq!(time_left(0, 5_000, ten), "");
    }
}
