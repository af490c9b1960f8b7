//! Counts participants that are still there although a completed run should have taken them: the
//! figure to be woken up for.
//!
//! One tenant at a time: soon after its run was completed, after a start, and then every hour.
//! A count reads an index and, of people who are anonymous already, their rows; so the auditor rests
//! twenty times as long as a count took, and never takes more than a twentieth of one connection.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::domain::period::Period;
use crate::engine::Engine;
use crate::engine::due::Candidate;
use crate::engine::error::PANIC;
use crate::engine::overdue::{self, Overdue};
use crate::engine::stage::Stage;
use crate::ids::TenantId;
use crate::telemetry::metrics;

/// How often every tenant is counted again.
const ROUND: Duration = Duration::from_secs(3600);

/// Rest after a count, in multiples of what it took.
const REST_FACTOR: u32 = 20;

/// Rest after a count at least.
const REST_MIN: Duration = Duration::from_millis(20);

/// Who is to be audited, and by which engine.
#[derive(Clone, Debug)]
pub(super) struct Audited {
    pub(super) engine: Arc<Engine>,
    pub(super) completed: Vec<Candidate>,
}

/// Audits until the sender is gone.
pub(super) async fn run(mut input: watch::Receiver<Option<Audited>>) {
    let mut audit = Audit::default();
    loop {
        let next = audit.next_at();
        tokio::select! {
            changed = input.changed() => {
                if changed.is_err() {
                    return;
                }
                let newest = input.borrow_and_update().clone();
                if let Some(newest) = newest {
                    audit.adopt(newest);
                }
            }
            () = tokio::time::sleep_until(next) => audit.step().await,
        }
    }
}

#[derive(Debug, Default)]
struct Audit {
    engine: Option<Arc<Engine>>,
    completed: HashMap<TenantId, Candidate>,
    line: VecDeque<TenantId>,
    in_line: HashSet<TenantId>,
    found: HashMap<TenantId, (Period, Overdue)>,
    /// Why those could not be counted who could not be the last time.
    failed: HashMap<TenantId, &'static str>,
    round_at: Option<Instant>,
    rest_until: Option<Instant>,
}

impl Audit {
    fn adopt(&mut self, newest: Audited) {
        self.engine = Some(newest.engine);
        self.round_at.get_or_insert_with(|| Instant::now() + ROUND);
        self.completed = newest
            .completed
            .into_iter()
            .map(|candidate| (candidate.tenant, candidate))
            .collect();
        let completed = &self.completed;
        // What was counted of a period that is over says nothing any more.
        self.found.retain(|tenant, (period, _)| {
            completed
                .get(tenant)
                .is_some_and(|candidate| candidate.period == *period)
        });
        self.failed
            .retain(|tenant, _| completed.contains_key(tenant));
        let new: Vec<TenantId> = completed
            .keys()
            .filter(|tenant| !self.found.contains_key(*tenant))
            .copied()
            .collect();
        self.line_up(new);
        self.show();
    }

    fn line_up(&mut self, tenants: Vec<TenantId>) {
        for tenant in tenants {
            if self.in_line.insert(tenant) {
                self.line.push_back(tenant);
            }
        }
    }

    /// When the next step is due.
    fn next_at(&self) -> Instant {
        let now = Instant::now();
        let wanted = if self.line.is_empty() {
            self.round_at.unwrap_or(now + ROUND)
        } else {
            now
        };
        wanted.max(self.rest_until.unwrap_or(wanted))
    }

    /// Counts one tenant, or lines all of them up again.
    async fn step(&mut self) {
        let Some(tenant) = self.line.pop_front() else {
            self.round_at = Some(Instant::now() + ROUND);
            return self.line_up(self.completed.keys().copied().collect());
        };
        self.in_line.remove(&tenant);
        let (Some(engine), Some(candidate)) = (&self.engine, self.completed.get(&tenant)) else {
            return;
        };
        let started = Instant::now();
        match count(engine, candidate).await {
            Ok(overdue) => {
                self.failed.remove(&tenant);
                report(
                    candidate,
                    &overdue,
                    self.found.get(&tenant).map(|(_, before)| before),
                );
                self.found.insert(tenant, (candidate.period, overdue));
            }
            Err((class, code)) => {
                metrics::failed(class);
                // What was found before stands, and is as old as that.
                if self.failed.insert(tenant, class) != Some(class) {
                    tracing::warn!(
                        event = "overdue_not_counted",
                        tenant = candidate.slug,
                        period = %candidate.period,
                        class,
                        code,
                        "overdue participants could not be counted; it is tried again"
                    );
                }
            }
        }
        self.rest_until = Some(Instant::now() + (started.elapsed() * REST_FACTOR).max(REST_MIN));
        self.show();
    }

    fn show(&self) {
        let sum =
            |count: fn(&Overdue) -> u64| self.found.values().map(|(_, found)| count(found)).sum();
        metrics::overdue(Stage::Anonymize.name(), sum(|found| found.anonymize));
        metrics::overdue(Stage::Purge.name(), sum(|found| found.purge));
        metrics::undated(sum(|found| found.undated));
        metrics::queued_for_unsubscribed(sum(|found| found.queued_for_unsubscribed));
    }
}

/// Counts in a task of its own, so that one tenant's panic does not end the audit; else class and code
/// of what went wrong.
async fn count(
    engine: &Arc<Engine>,
    candidate: &Candidate,
) -> Result<Overdue, (&'static str, Option<String>)> {
    let (engine, candidate) = (Arc::clone(engine), candidate.clone());
    let counting = tokio::spawn(async move { overdue::of_candidate(&engine, &candidate).await });
    match AbortOnDropHandle::new(counting).await {
        Ok(counted) => counted.map_err(|error| (error.class(), error.code().map(str::to_owned))),
        Err(_) => Err((PANIC, None)),
    }
}

/// Says once who is concerned; the metric does not.
fn report(candidate: &Candidate, found: &Overdue, before: Option<&Overdue>) {
    let is_new = before
        .is_none_or(|before| (before.anonymize, before.purge) != (found.anonymize, found.purge));
    if is_new && found.anonymize + found.purge > 0 {
        tracing::error!(
            event = "overdue_found",
            tenant = candidate.slug,
            period = %candidate.period,
            overdue_anonymize = found.anonymize,
            overdue_purge = found.purge,
            "participants still exist that the completed run should have erased; see `retentiond \
             verify`"
        );
    } // What there was when the run was completed, the run has said.
    if before.is_some_and(|before| before.undated != found.undated) && found.undated > 0 {
        tracing::warn!(
            event = "undated_found",
            tenant = candidate.slug,
            period = %candidate.period,
            undated = found.undated,
            "participants have no real date in added_at, and are never anonymized or deleted \
             until it is set"
        );
    }
}
