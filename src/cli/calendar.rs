//! A tenant's calendar as of now: which period is the first whose run is not over, and whom the one
//! before left behind.

use chrono::{DateTime, Utc};
use entity::tenant_run;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::forecast::Calendar;
use crate::domain::period::{Period, ScheduleHour, Zone, newest_due_period};
use crate::domain::policy::{Version, version_at, version_numbered};
use crate::domain::run_state::RunState;
use crate::engine::stage::Stage;
use crate::ids::TenantId;
use crate::store::{Transaction, runs};

use super::command_context::CommandContext;
use super::exit::Failure;

/// A calendar that begins with the newest due period, and that period's run.
pub(super) struct NewestDueRun<'a> {
    calendar: Calendar<'a>,
    run: Option<tenant_run::Model>,
    /// A newer run covers it.
    is_covered: bool,
}

/// Why a completed run left somebody behind whom its cutoffs cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// Stored after the run began (S11).
    Late,
    /// Stored before: it should have been taken.
    Overdue,
}

/// A stage of a completed run that left somebody behind.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Missed {
    pub run_id: Uuid,
    pub period: Period,
    pub stage: &'static str,
    pub reason: Reason,
}

/// The run that is open, and the version that it has pinned.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct OpenRun {
    pub run_id: Uuid,
    pub period: Period,
    pub policy_version: i32,
}

/// Somebody, as far as stages go by it.
pub(super) struct Subject {
    pub added_at: DateTime<Utc>,
    /// When it became visible: itself, or the end of its upload.
    pub stored_at: DateTime<Utc>,
    pub is_anonymized: bool,
}

impl<'a> NewestDueRun<'a> {
    /// Reads where the tenant's newest due period stands.
    pub(super) async fn read(
        context: &CommandContext,
        transaction: &Transaction,
        tenant: TenantId,
        zone: &'a Zone,
        hour: ScheduleHour,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let first = newest_due_period(now, zone, hour);
        let latest = context.latest(transaction).await?;
        let not_superseded = RunState::ALL
            .into_iter()
            .filter(|state| *state != RunState::Superseded);
        let states: Vec<RunState> = not_superseded.collect();
        let newest = runs::newest_period(transaction, tenant, &states, latest).await?;
        Ok(Self {
            calendar: Calendar { zone, hour, first },
            run: runs::find(transaction, tenant, first).await?,
            is_covered: newest.is_some_and(|newest| newest > first),
        })
    }

    /// From the first period on for which a version can still be chosen: a run that is over is not
    /// done again, and one that was claimed has pinned its version (P9).
    pub(super) fn unpinned(&self) -> Calendar<'a> {
        let pinned = self
            .run
            .as_ref()
            .is_some_and(|run| run.policy_version.is_some());
        self.without_newest_due_if(pinned || self.is_over())
    }

    /// From the first period on whose run is not over, with the cutoffs that it has pinned.
    pub(super) fn unfinished(&self) -> (Calendar<'a>, Option<Cutoffs>) {
        let pinned = self.pinned().map(|(run, _)| cutoffs_of(run));
        (self.without_newest_due_if(self.is_over()), pinned)
    }

    /// The run that is open and has pinned a version (P9), if there is one.
    pub(super) fn open_run(&self) -> Option<OpenRun> {
        self.pinned().map(|(run, policy_version)| OpenRun {
            run_id: run.id,
            period: self.calendar.first,
            policy_version,
        })
    }

    /// What `verify` would say of somebody whom the completed run of the newest due period covers,
    /// under the cutoffs that hold now (P10).
    pub(super) fn missed(
        &self,
        versions: &[Version],
        now: DateTime<Utc>,
        subject: &Subject,
    ) -> Option<Missed> {
        let run = self
            .run
            .as_ref()
            .filter(|_| self.state() == Some(RunState::Completed))?;
        let Calendar { zone, first, .. } = self.calendar;
        let current = version_at(versions, now);
        let at_recount = version_numbered(versions, run.recount_version);
        let cutoffs = cutoffs_of(run).judging(first, zone, at_recount, current);
        let covers =
            |cutoff: Option<DateTime<Utc>>| cutoff.is_some_and(|cutoff| subject.added_at < cutoff);
        let stage = if covers(cutoffs.purge) {
            Stage::Purge
        } else if covers(cutoffs.anonymize) && !subject.is_anonymized {
            Stage::Anonymize
        } else {
            return None;
        };
        let is_late = subject.stored_at >= run.started_at.unwrap_or(run.due_at);
        Some(Missed {
            run_id: run.id,
            period: first,
            stage: stage.name(),
            reason: if is_late {
                Reason::Late
            } else {
                Reason::Overdue
            },
        })
    }

    fn pinned(&self) -> Option<(&tenant_run::Model, i32)> {
        let run = self.run.as_ref().filter(|_| !self.is_over())?;
        Some((run, run.policy_version?))
    }

    fn state(&self) -> Option<RunState> {
        self.run.as_ref().and_then(|run| run.state.parse().ok())
    }

    /// S12: superseded by a month that has not come yet, it will be done.
    fn is_over(&self) -> bool {
        match self.state() {
            Some(RunState::Completed) => true,
            Some(RunState::Superseded) => self.is_covered,
            _ => false,
        }
    }

    fn without_newest_due_if(&self, settled: bool) -> Calendar<'a> {
        let mut calendar = self.calendar;
        if settled {
            calendar.first = calendar.first.next();
        }
        calendar
    }
}

fn cutoffs_of(run: &tenant_run::Model) -> Cutoffs {
    Cutoffs {
        anonymize: run.anonymize_cutoff,
        purge: run.purge_cutoff,
    }
}
