//! What a reconciliation begins, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Reclaim;
use crate::domain::gap::GAP;
use crate::domain::record::Fault;
use crate::engine::due::Candidate;
use crate::engine::reclaim;
use crate::engine::report::Outcome;
use crate::engine::survey::Survey;
use crate::telemetry::metrics::{self, DueGauges};

use super::super::audit::Audited;
use super::super::health::Check;
use super::super::probe;
use super::super::reconcile::{self, ReconcileError};
use super::super::ticks::Timetable;
use super::super::wakeup::Source;
use super::super::workers::Workers;
use super::Daemon;
use super::tasks::{BackgroundTask, Reconciling};

/// How long after an instant the loop looks whether it has passed: "expires at" is still held at
/// that very moment, and the two clocks are never quite the same.
const AFTER: Duration = Duration::from_millis(50);

/// While runs end one after the other, how often the figures are read anew.
const REFRESH: Duration = Duration::from_secs(5);

/// How long after the database's files could not be cleaned up it is tried again. Emptying SQLite's
/// write-ahead log keeps writers waiting for as long as somebody reads; reclaiming reads whole tables.
const CLEAN_UP_AGAIN: Duration = Duration::from_secs(60);
const RECLAIM_AGAIN: Duration = Duration::from_secs(15 * 60);

impl Daemon {
    /// Looks at what is owed; without a cause, only because the last look is out of date.
    pub(super) fn begin_reconcile(&mut self, source: Option<Source>) {
        let Some(workers) = &mut self.workers else {
            // The start has not been yet, and looks itself.
            return;
        };
        if self.reconciling.is_some() {
            // It may have read before what woke us up was written. A named cause is not forgotten.
            self.reconcile_again = Some(source.or(self.reconcile_again.flatten()));
            return;
        }
        if let Some(source) = source {
            metrics::woke_up(source.name());
        }
        self.refresh_at = None;
        workers.reconcile_begins();
        let engine = Arc::clone(workers.engine());
        let since = Instant::now();
        let task = self.tasks.spawn(async move {
            BackgroundTask::Reconciled(source, Box::new(reconcile::reconcile(&engine).await))
        });
        self.reconciling = Some(Reconciling { since, task });
    }

    pub(super) fn on_reconciled(
        &mut self,
        source: Option<Source>,
        outcome: Result<Survey, ReconcileError>,
    ) {
        self.reconciled_at = Some(Instant::now());
        let is_back = outcome.is_ok()
            && (source == Some(Source::Recovery) || self.health.is_failing(Check::Database));
        if is_back && let Some(workers) = &mut self.workers {
            workers.clear_backoff();
        }
        reconcile::report(&self.health, outcome.as_ref().err());
        match outcome {
            Ok(survey) => {
                metrics::looked(survey.now);
                self.notice_rules();
                self.pauses = probe::pauses();
                self.act_on(source, survey);
                self.clean_up_if_idle();
            }
            Err(error) => {
                metrics::failed(error.class());
                if error.stops_work()
                    && let Some(workers) = &mut self.workers
                {
                    workers.stop();
                }
                self.timer_at = Some(Instant::now() + self.next_pause());
                if error.refuses_login() {
                    self.take_up_new_password();
                }
            }
        }
        if let Some(source) = self.reconcile_again.take() {
            self.begin_reconcile(source);
        }
    }

    fn act_on(&mut self, source: Option<Source>, survey: Survey) {
        let mut findings = survey.findings;
        if let Some(source) = source {
            say(source, findings.owed.len());
        }
        self.report_gap(&findings.blocked_by_gap);
        self.report_faults(findings.faults);
        findings.owed = self.admit(findings.owed);
        let Some(workers) = &mut self.workers else {
            return;
        };
        metrics::tenants_looked_at(findings.tenants);
        metrics::clock_skew(survey.clock_skew);
        metrics::due_gauges(&DueGauges {
            due_at: findings.due_at,
            last_success: survey.last_success,
            last_completion: survey.last_completion,
            orphans: findings.orphans,
        });
        if !self.has_progressed {
            // Gauges die with the process; this one goes on from what the database knows.
            self.has_progressed = true;
            if let Some(instant) = survey.last_completion {
                metrics::progressed(instant);
            }
        }
        let engine = Arc::clone(workers.engine());
        let timetable = Timetable::at(survey.now, findings.zones.values(), engine.schedule_hour);
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
        let known = findings
            .look_again_in
            .map(|wait| now + wait.to_std().unwrap_or_default() + AFTER);
        let held_back = workers.assign(findings.owed);
        self.timer_at = [known, held_back].into_iter().flatten().min();
    }

    /// S13: says how many runs wait for somebody to confirm them. The others go on.
    fn report_gap(&mut self, blocked: &[Candidate]) {
        metrics::blocked(GAP, blocked.len());
        let Some(first) = blocked.first() else {
            self.blocked_by_gap = 0;
            return self.health.set(Check::Gap, None);
        };
        let problem = format!(
            "{} tenant-runs, among them that of {} for {}, come more than [safety] gap_max after \
             the last finished month; if the date is right, confirm them with `retentiond run \
             --after-gap`",
            blocked.len(),
            first.slug,
            first.period
        );
        if self.blocked_by_gap != blocked.len() {
            self.blocked_by_gap = blocked.len();
            tracing::error!(
                event = "runs_blocked",
                reason = GAP,
                class = GAP,
                runs = blocked.len(),
                tenant = first.slug,
                period = %first.period,
                "they are not begun: {problem}"
            );
        }
        self.health.set(Check::Gap, Some(problem));
    }

    /// S14: says what is wrong with records that somebody else must have written.
    fn report_faults(&mut self, faults: BTreeMap<Fault, u64>) {
        for fault in Fault::OF_LOOK {
            let records = faults.get(&fault).copied().unwrap_or_default();
            metrics::record_faults(fault.name(), records);
            if records > 0 && self.record_faults.get(&fault) != Some(&records) {
                let what = fault.words();
                tracing::error!(
                    event = "record_faults_found",
                    class = fault.name(),
                    runs = records,
                    "records of tenant-runs cannot be true: {what}; see `retentiond verify`"
                );
            }
        }
        self.record_faults = faults;
    }

    /// A run has ended, whatever its end was.
    pub(super) fn on_ended(&mut self, outcome: &Outcome) {
        let Some(workers) = &mut self.workers else {
            return;
        };
        // A batch may have been committed before the run failed or was stopped.
        if !matches!(outcome, Outcome::AlreadyCompleted | Outcome::NoPolicy) {
            self.erasures += 1;
        }
        if matches!(outcome, Outcome::Done) {
            self.stop_pauses = probe::pauses();
        }
        let is_idle = workers.in_hand() == 0;
        if workers.is_stopped() {
            // Wrong for everybody: the disk is full, or a clock is off. Not at once again.
            if is_idle {
                let pause = self.stop_pauses.next();
                let until = Instant::now() + pause.unwrap_or(self.config.schedule.sweep_interval);
                workers.pause(until);
                self.timer_at = Some(until);
            }
        } else if is_idle {
            self.begin_reconcile(None);
        } else {
            // The pause of a run that failed is known only to a look.
            let at = self
                .reconciled_at
                .map_or_else(Instant::now, |at| at + REFRESH);
            self.refresh_at = Some(self.refresh_at.map_or(at, |known| known.min(at)));
        }
        // The clean-up is for the look that follows: it may find more to do, and that comes first.
    }

    /// Whether the database's files may hold what was erased.
    pub(super) fn is_dirty(&self) -> bool {
        self.erasures > self.erasures_cleaned_up
    }

    /// Cleans the database's files up, if that is wanted and no run would have to wait for it.
    pub(super) fn clean_up_if_idle(&mut self) {
        let idle = |workers: &&Workers| workers.in_hand() == 0;
        let Some(workers) = self.workers.as_ref().filter(idle) else {
            return;
        };
        // Reclaiming that failed is tried again at its time, and not at every look before.
        // Nor is it begun outside of the window, which is there to keep such work away.
        let waits = self.clean_up_at.is_some() || self.closed.is_some();
        let is_early = waits && self.config.database.reclaim != Reclaim::None;
        if self.is_dirty() && self.cleaning.is_none() && !is_early {
            let (erasures, engine) = (self.erasures, Arc::clone(workers.engine()));
            let task = self.tasks.spawn(async move {
                BackgroundTask::CleanedUp(erasures, reclaim::clean_up(&engine).await)
            });
            self.cleaning = Some(task);
        }
    }

    /// The files were cleaned up, or not, after so many of the runs that erase had ended.
    pub(super) fn on_cleaned_up(&mut self, erasures: u64, is_emptied: bool) {
        if is_emptied {
            self.erasures_cleaned_up = erasures;
            self.clean_up_at = None;
            // A run may have ended meanwhile.
            self.clean_up_if_idle();
        } else {
            let pause = match self.config.database.reclaim {
                Reclaim::None => CLEAN_UP_AGAIN,
                Reclaim::Vacuum | Reclaim::Rewrite => RECLAIM_AGAIN,
            };
            self.clean_up_at = Some(Instant::now() + pause);
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
