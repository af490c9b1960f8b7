//! `[engine] window`: outside of it nothing is begun, and what is in hand when it closes is given back
//! after its batch, as on a stop. Nobody holds a run's lease through the day.

use chrono::SecondsFormat;
use tokio::time::Instant;

use crate::engine::due::Candidate;
use crate::engine::throttle::Reason;
use crate::telemetry::metrics;

use super::super::wakeup::Source;
use super::Daemon;

/// The window is closed.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// Since when something is owed that waits for it to open.
    waiting_since: Option<Instant>,
}

impl Daemon {
    /// Looks at the clock, and does what follows if the window has opened or closed. By the host's
    /// clock alone: nothing is due by it, and a second more or less harms nobody.
    pub(super) fn keep_to_window(&mut self) {
        let Some(workers) = &mut self.workers else {
            return;
        };
        // Where nobody knows what the clocks of its zone show, it is closed; the look says why.
        let is_closed = !matches!(workers.engine().closed_until(self.wall), Ok(None));
        if is_closed && self.closed.is_none() {
            workers.stop();
            self.closed = Some(Closed::default());
        } else if !is_closed && let Some(closed) = self.closed.take() {
            say_ended(&closed);
            self.begin_reconcile(Some(Source::Timer));
        }
    }

    /// Whoever may be begun now of those that are owed a run: outside of the window nobody.
    pub(super) fn admit(&mut self, owed: Vec<Candidate>) -> Vec<Candidate> {
        self.keep_to_window();
        let Some(closed) = &mut self.closed else {
            return owed;
        };
        metrics::withheld(Reason::Window.name(), owed.len());
        if owed.is_empty() {
            // Somebody else has done it.
            say_ended(closed);
            closed.waiting_since = None;
        } else if closed.waiting_since.is_none() {
            closed.waiting_since = Some(Instant::now());
            let until = self
                .workers
                .as_ref()
                .and_then(|all| all.engine().closed_until(self.wall).ok()?);
            tracing::info!(
                event = "throttle_began",
                reason = Reason::Window.name(),
                owed = owed.len(),
                until = until.map(|until| until.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                "what is owed waits for [engine] window to open"
            );
        }
        Vec::new()
    }
}

fn say_ended(closed: &Closed) {
    metrics::withheld(Reason::Window.name(), 0);
    let Some(since) = closed.waiting_since else {
        return;
    };
    metrics::throttled(Reason::Window.name(), since.elapsed());
    tracing::info!(
        event = "throttle_ended",
        reason = Reason::Window.name(),
        paused_seconds = since.elapsed().as_secs_f64(),
        "nothing waits for [engine] window any more"
    );
}
