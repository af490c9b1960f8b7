//! Looking at what is owed, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::engine::reclaim;
use crate::engine::report::{Outcome, PassEntry};
use crate::engine::survey::Survey;
use crate::telemetry::metrics::{self, Standing};

use super::super::audit::Audited;
use super::super::health::Check;
use super::super::look::{self, LookError, look};
use super::super::ticks::Timetable;
use super::super::wakeup::Source;
use super::{CLEAN_UP_PAUSE, Chore, Daemon};

/// How long after an instant the loop looks whether it has passed: "expires at" is still held at
/// that very moment, and the two clocks are never quite the same.
const AFTER: Duration = Duration::from_millis(50);

/// While runs end one after the other, how often the figures are read anew.
const REFRESH: Duration = Duration::from_secs(5);

impl Daemon {
    /// Looks at what is owed; without a cause, only because the last look is out of date.
    pub(super) fn look(&mut self, source: Option<Source>) {
        let Some(workers) = &mut self.workers else {
            // The start has not been yet, and looks itself.
            return;
        };
        if self.looking.is_some() {
            // It may have read before what woke us up was written. A named cause is not forgotten.
            self.look_again = Some(source.or(self.look_again.flatten()));
            return;
        }
        if let Some(source) = source {
            metrics::woke_up(source.name());
        }
        self.looking = Some(Instant::now());
        workers.look_begins();
        let engine = Arc::clone(workers.engine());
        self.chores
            .spawn(async move { Chore::Looked(source, look(&engine).await) });
    }

    pub(super) fn on_looked(&mut self, source: Option<Source>, outcome: Result<Survey, LookError>) {
        self.looking = None;
        self.looked_at = Some(Instant::now());
        let is_back = outcome.is_ok()
            && (source == Some(Source::Recovery) || self.health.is_failing(Check::Database));
        if is_back && let Some(workers) = &mut self.workers {
            workers.forgive();
        }
        look::report(&self.health, outcome.as_ref().err());
        match outcome {
            Ok(survey) => {
                self.pauses = Box::new(super::super::probe::backoff());
                self.act_on(source, survey);
            }
            Err(error) => {
                if error.stops_work()
                    && let Some(workers) = &mut self.workers
                {
                    workers.stop();
                }
                self.timer_at = Some(Instant::now() + self.next_pause());
            }
        }
        if let Some(source) = self.look_again.take() {
            self.look(source);
        }
    }

    fn act_on(&mut self, source: Option<Source>, survey: Survey) {
        let Some(workers) = &mut self.workers else {
            return;
        };
        let findings = survey.findings;
        let owed = findings.owed.len();
        if let Some(source) = source {
            say(source, owed);
        }
        self.tenants_by_state = findings.states.into_iter().collect();
        metrics::clock_skew(survey.clock_skew);
        metrics::standing(&Standing {
            states: &self.tenants_by_state,
            due_at: findings.due_at,
            last_success: survey.last_success,
            last_completion: survey.last_completion,
        });
        if !self.has_progressed {
            // Gauges die with the process; this one goes on from what the database knows.
            self.has_progressed = true;
            if let Some(instant) = survey.last_completion {
                metrics::progressed(instant);
            }
        }
        let engine = Arc::clone(workers.engine());
        let timetable = Timetable::at(survey.now, findings.zones, engine.schedule_hour);
        self.timetable.send_if_modified(|known| {
            let is_new = *known != timetable;
            *known = timetable;
            is_new
        });
        self.audited.send_replace(Some(Audited {
            engine,
            completed: findings.completed,
        }));
        let now = Instant::now();
        let known = findings.look_again_at.map(|at| {
            let wait = (at - survey.now).max(TimeDelta::zero());
            now + wait.to_std().unwrap_or_default() + AFTER
        });
        let held_back = workers.assign(findings.owed);
        self.timer_at = [known, held_back].into_iter().flatten().min();
        self.clean_up();
    }

    /// A run has ended, whatever its end was.
    pub(super) fn on_ended(&mut self, entry: &PassEntry) {
        let Some(workers) = &mut self.workers else {
            return;
        };
        // A batch may have been committed before the run failed or was stopped.
        self.is_dirty |= !matches!(entry.outcome, Outcome::AlreadyCompleted | Outcome::NoPolicy);
        let is_idle = workers.in_hand() == 0 && workers.in_line() == 0;
        let is_stopped = workers.is_stopped();
        self.clean_up();
        if is_stopped {
            // Wrong for everybody: the disk is full, or a clock is off. Not at once again.
            if is_idle {
                self.timer_at = Some(Instant::now() + self.next_pause());
            }
        } else if is_idle || self.looked_at.is_none_or(|at| at.elapsed() > REFRESH) {
            self.look(None);
        }
    }

    /// Once no run is in hand or in line, cleans up the database's files.
    fn clean_up(&mut self) {
        let Some(workers) = &self.workers else {
            return;
        };
        let is_idle = workers.in_hand() == 0 && workers.in_line() == 0;
        if !is_idle || !self.is_dirty || self.cleaning || self.clean_up_at > Instant::now() {
            return;
        }
        self.is_dirty = false;
        self.cleaning = true;
        let engine = Arc::clone(workers.engine());
        self.chores
            .spawn(async move { Chore::CleanedUp(reclaim::clean_up(&engine).await) });
    }

    pub(super) fn on_cleaned_up(&mut self, is_done: bool) {
        self.cleaning = false;
        if !is_done {
            // A later look tries again, and so does the next process.
            self.is_dirty = true;
            self.clean_up_at = Instant::now() + CLEAN_UP_PAUSE;
        }
    }
}

/// A look that found nothing is no news when it was the sweep that looked.
fn say(source: Source, owed: usize) {
    let source_name = source.name();
    if source == Source::Sweep && owed == 0 {
        tracing::debug!(
            event = "wakeup",
            source = source_name,
            owed,
            "nothing is owed"
        );
    } else {
        tracing::info!(
            event = "wakeup",
            source = source_name,
            owed,
            "looked at what is owed"
        );
    }
}
