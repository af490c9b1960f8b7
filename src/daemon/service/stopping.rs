//! The end: the batches in hand, SQLite's write-ahead log, and no longer than the grace period.

use std::pin::pin;

use tokio::time::{Instant, Interval, sleep_until};

use crate::engine::reclaim;
use crate::store::ErrorClass;
use crate::telemetry::logs;

use super::super::notify;
use super::super::signals::Signals;
use super::super::workers::Workers;
use super::{Daemon, ServeError};

impl Daemon {
    /// Ends the batches in hand, gives the leases back, and closes.
    pub(super) async fn stop(
        mut self,
        signals: &mut Signals,
        mut pulse: Interval,
    ) -> Result<(), ServeError> {
        let in_hand = self.workers.as_ref().map_or(0, Workers::in_hand);
        tracing::info!(
            event = "service_stopping",
            in_hand,
            "ending the current batches"
        );
        self.health.stopping();
        notify::stopping(&format!("stopping; {in_hand} held runs"));
        let deadline = Instant::now() + self.config.shutdown.grace_period;
        // A clean-up that is under way is done again below, within the grace period.
        self.tasks.abort_all();
        self.probe = None;
        let is_dirty = self.is_dirty();
        if let Some(workers) = &mut self.workers {
            workers.stop();
            let is_over = {
                let mut ending = pin!(end_work(workers, is_dirty));
                loop {
                    tokio::select! {
                        () = &mut ending => break false,
                        () = sleep_until(deadline) => break true,
                        _ = pulse.tick() => {
                            self.health.turned(Instant::now());
                            notify::alive();
                        }
                        () = signals.next_stop() => {
                            tracing::warn!(
                                event = "service_stopped",
                                "stopped at once, as asked twice"
                            );
                            logs::finish();
                            // The database rolls back what was under way; a batch is all or nothing.
                            std::process::exit(1);
                        }
                    }
                }
            };
            let in_hand = workers.in_hand();
            if is_over && in_hand > 0 {
                tracing::error!(
                    event = "service_stopped",
                    in_hand,
                    "the grace period is over; current batches are rolled back"
                );
                return Err(ServeError::GracePeriod);
            }
            if is_over {
                tracing::warn!(
                    event = "write_ahead_log_in_use",
                    class = ErrorClass::Deadline.name(),
                    "the grace period is over; erased values may still be in SQLite's write-ahead \
                     log, and the next process tries again"
                );
            }
        }
        tracing::info!(event = "service_stopped", "service stopped");
        Ok(())
    }
}

/// Waits for all runs to end, and then empties SQLite's write-ahead log if something was erased.
async fn end_work(workers: &mut Workers, mut is_dirty: bool) {
    while workers.next_ended().await.is_some() {
        is_dirty = true;
    }
    if is_dirty {
        // The log says what could not be emptied; the next process tries again. It also reclaims what is
        // owed, which may take hours, and nobody waits for that now.
        let _ = reclaim::empty_write_ahead_log(workers.engine()).await;
    }
}
