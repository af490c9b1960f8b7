//! Progress on a terminal; silence in a pipe.

use std::future::Future;
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::Engine;

/// How often the line is drawn.
const INTERVAL: Duration = Duration::from_millis(250);

/// Awaits `work` and shows meanwhile on stderr, if it is a terminal, what the engine did so far.
pub async fn shown<T>(engine: &Engine, doing: &'static str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
        line.set_style(style);
    }
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            result = &mut work => {
                line.finish_and_clear();
                return result;
            }
            _ = ticks.tick() => {
                let count = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
                let progress = &engine.progress;
                let (anonymized, purged) = (count(&progress.anonymized), count(&progress.purged));
                line.set_message(format!(
                    "{doing}: {} of {} tenants, {anonymized} participants anonymized, {purged} \
                     deleted{}",
                    count(&progress.tenants_done),
                    count(&progress.tenants_total),
                    time_left(anonymized + purged, count(&progress.planned), line.elapsed()),
                ));
                line.tick();
            }
        }
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
