//! Keeps the tasks beside the loop up. Nobody waits for them to end, so nobody would notice if a
//! defect ended one: the metrics would stand still, or a tick would never come again.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::engine::error::PANIC;
use crate::telemetry::metrics;

use super::probe;

/// How a task ends.
pub(super) trait End: Send + 'static {
    /// Whether it ended because there is nothing more for it to do.
    fn is_wanted(&self) -> bool;
}

impl End for () {
    fn is_wanted(&self) -> bool {
        true
    }
}

impl End for std::io::Result<()> {
    fn is_wanted(&self) -> bool {
        self.is_ok()
    }
}

/// Runs the task that `start` gives, and whenever a panic or an error ends it, after a pause another
/// one. Whoever drops the handle ends it.
pub(super) fn supervise<Task>(
    name: &'static str,
    start: impl Fn() -> Task + Send + 'static,
) -> AbortOnDropHandle<()>
where
    Task: Future<Output: End> + Send + 'static,
{
    supervise_and_tell(name, start, || {})
}

/// As [`supervise`]; tells `broken` whenever the task is broken.
pub(super) fn supervise_and_tell<Task>(
    name: &'static str,
    start: impl Fn() -> Task + Send + 'static,
    broken: impl Fn() + Send + 'static,
) -> AbortOnDropHandle<()>
where
    Task: Future<Output: End> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut pauses = probe::pauses();
        loop {
            match AbortOnDropHandle::new(tokio::spawn(start())).await {
                Ok(end) if end.is_wanted() => return,
                Ok(_) => {}
                // The runtime ends.
                Err(error) if error.is_cancelled() => return,
                Err(_) => metrics::failed(PANIC),
            }
            broken();
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            tracing::error!(
                event = "task_restarted",
                task = name,
                retry_seconds = pause.as_secs_f64(),
                "a task of the service ended that should not have; it is started again"
            );
            tokio::time::sleep(pause).await;
        }
    }))
}

/// The pauses never end; this is for the type.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_fails_is_started_again_and_one_that_is_done_is_not() {
        let starts = Arc::new(AtomicUsize::new(0));
        let told = Arc::new(AtomicUsize::new(0));
        let (counted, telling) = (Arc::clone(&starts), Arc::clone(&told));
        let supervised = supervise_and_tell(
            "test",
            move || {
                let start = counted.fetch_add(1, Ordering::Relaxed);
                async move {
                    match start {
                        0 => panic!("a defect"),
                        1 => Err(io::ErrorKind::Other.into()),
                        _ => Ok::<(), io::Error>(()),
                    }
                }
            },
            move || {
                telling.fetch_add(1, Ordering::Relaxed);
            },
        );
        supervised.await.expect("it ends when its task is done");
        assert_eq!(starts.load(Ordering::Relaxed), 3);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
