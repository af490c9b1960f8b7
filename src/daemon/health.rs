//! What `/livez` and `/readyz` say. The loop and the probe write it; a request only reads.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::metrics;

/// The loop turns every second; silent for this long, it hangs.
pub const LOOP_SILENCE_MAX: Duration = Duration::from_secs(20);

/// Why a check has not passed before it was made for the first time.
const NOT_YET: &str = "not looked at yet";

/// What must be so before work is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The database answers.
    Database,
    /// Its schema is this version's.
    Schema,
    /// The keyring is the one that the database was started with, and complete.
    Keys,
    /// The host's clock and the database's agree.
    Clock,
    /// What is owed could be looked at.
    Reconcile,
    /// Nothing that is owed waits for somebody to confirm it (S13).
    Gap,
}

impl Check {
    const ALL: [Self; 6] = [
        Self::Database,
        Self::Schema,
        Self::Keys,
        Self::Clock,
        Self::Reconcile,
        Self::Gap,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Keys => "keys",
            Self::Clock => "clock",
            Self::Reconcile => "look",
            Self::Gap => "gap",
        }
    }
}

/// Shared by the loop, the probe and the listener.
#[derive(Debug)]
pub struct Health(Mutex<State>);

#[derive(Debug)]
struct State {
    /// In the order of [`Check::ALL`]: unset = passed, else why not.
    problems: [Option<String>; Check::ALL.len()],
    turned_at: Instant,
    stopping: bool,
}

impl Health {
    /// Nothing has been looked at yet.
    #[must_use]
    pub fn new() -> Self {
        let not_yet = || Some(NOT_YET.to_owned());
        Self(Mutex::new(State {
            problems: Check::ALL.map(|_| not_yet()),
            turned_at: Instant::now(),
            stopping: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: whoever panicked left nothing half-done.
        self.0.lock().unwrap_or_else(|error| error.into_inner())
    }

    /// Records a check, and says so when that changes whether the service is ready.
    pub fn set(&self, check: Check, problem: Option<String>) {
        match self.record(check, problem) {
            Some(Ok(())) => {
                metrics::ready(true);
                tracing::info!(event = "service_ready", "ready");
            }
            Some(Err(reason)) => {
                metrics::ready(false);
                tracing::warn!(
                    event = "service_not_ready",
                    check = check.name(),
                    "not ready: {reason}"
                );
            }
            None => {}
        }
    }

    /// Records a check; returns whether the service is ready now, or why not, if that is news. It is
    /// none while the service stops: a check that was under way then makes nothing ready.
    fn record(&self, check: Check, problem: Option<String>) -> Option<Result<(), String>> {
        let mut state = self.state();
        let before = state.reason();
        state.problems[check as usize] = problem;
        match (before, state.reason()) {
            _ if state.stopping => None,
            (Some(_), None) => Some(Ok(())),
            (None, Some(reason)) => Some(Err(reason)),
            _ => None,
        }
    }

    /// Whether the check failed when it was last made: that it fails again is no news.
    #[must_use]
    pub fn is_failing(&self, check: Check) -> bool {
        let problem = &self.state().problems[check as usize];
        problem.as_ref().is_some_and(|problem| problem != NOT_YET)
    }

    /// The loop turned at `now`.
    pub fn turned(&self, now: Instant) {
        self.state().turned_at = now;
    }

    /// The service is about to end.
    pub fn stopping(&self) {
        self.state().stopping = true;
        metrics::ready(false);
    }

    /// Whether the loop turned lately, at `now`.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        now.duration_since(self.state().turned_at) <= LOOP_SILENCE_MAX
    }

    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state().is_ready()
    }

    /// A line for each check.
    #[must_use]
    pub fn describe(&self) -> String {
        let state = self.state();
        let mut text = String::new();
        for (check, problem) in Check::ALL.iter().zip(&state.problems) {
            text.push_str(check.name());
            text.push_str(": ");
            text.push_str(problem.as_deref().unwrap_or("ok"));
            text.push('\n');
        }
        if state.stopping {
            text.push_str("stopping\n");
        }
        text
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn is_ready(&self) -> bool {
        !self.stopping && self.reason().is_none()
    }

    fn reason(&self) -> Option<String> {
        self.problems.iter().flatten().next().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_check_passed_and_nobody_asked_to_stop() {
        let health = Health::new();
        for check in Check::ALL {
            assert!(!health.is_ready(), "before {check:?}");
            assert!(!health.is_failing(check), "a first failure is news");
            health.set(check, None);
        }
        assert!(health.is_ready());
        health.set(Check::Clock, Some("the clocks differ".to_owned()));
        assert!(!health.is_ready() && health.is_failing(Check::Clock));
        assert_eq!(
            health.describe(),
            "database: ok\nschema: ok\nkeys: ok\nclock: the clocks differ\nlook: ok\ngap: ok\n"
        );
        health.set(Check::Clock, None);
        health.stopping();
        assert!(!health.is_ready());
    }

    #[test]
    fn a_check_that_ends_while_the_service_stops_does_not_make_it_ready() {
        let health = Health::new();
        for check in Check::ALL {
            health.record(check, None);
        }
        let problem = || Some("the clocks differ".to_owned());
        assert_eq!(
            health.record(Check::Clock, problem()),
            Some(Err("the clocks differ".to_owned()))
        );
        assert_eq!(health.record(Check::Clock, None), Some(Ok(())));
        health.record(Check::Clock, problem());
        health.stopping();
        assert_eq!(health.record(Check::Clock, None), None);
        assert!(!health.is_ready());
    }

    #[test]
    fn live_means_that_the_loop_turned_lately() {
        let health = Health::new();
        let now = Instant::now();
        health.turned(now);
        assert!(health.is_live(now + LOOP_SILENCE_MAX));
        let later = now + LOOP_SILENCE_MAX + Duration::from_secs(1);
        assert!(!health.is_live(later));
        health.turned(later);
        assert!(health.is_live(later));
    }
}
