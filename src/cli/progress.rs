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
                line.set_message(format!(
                    "{doing}: {} of {} tenants, {} participants anonymized, {} deleted",
                    count(&progress.tenants_done),
                    count(&progress.tenants_total),
                    count(&progress.anonymized),
                    count(&progress.purged),
                ));
                line.tick();
            }
        }
    }
}
