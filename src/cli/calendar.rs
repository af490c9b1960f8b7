//! A tenant's calendar as of now: which period is the first whose run is not over.

use chrono::{DateTime, Utc};
use entity::tenant_run;

use crate::domain::cutoff::Cutoffs;
use crate::domain::forecast::Calendar;
use crate::domain::period::{ScheduleHour, Zone, newest_due_period};
use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::{Transaction, runs};

use super::exit::Failure;

/// A calendar that begins with the newest due period, and that period's run.
pub(super) struct Standing {
    calendar: Calendar,
    run: Option<tenant_run::Model>,
}

impl Standing {
    /// Reads where the tenant's newest due period stands.
    pub(super) async fn read(
        transaction: &Transaction,
        tenant: TenantId,
        zone: Zone,
        hour: ScheduleHour,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let first = newest_due_period(now, zone, hour);
        Ok(Self {
            calendar: Calendar { zone, hour, first },
            run: runs::find(transaction, tenant, first).await?,
        })
    }

    /// From the first period on for which a version can still be chosen: a run that is over is not
    /// done again, and one that was claimed has pinned its version (P9).
    pub(super) fn unpinned(&self) -> Calendar {
        let pinned = self
            .run
            .as_ref()
            .is_some_and(|run| run.policy_version.is_some());
        self.without_newest_due_if(pinned || self.is_over())
    }

    /// From the first period on whose run is not over, with the cutoffs that it has pinned.
    pub(super) fn unfinished(&self) -> (Calendar, Option<Cutoffs>) {
        let pinned = self
            .run
            .as_ref()
            .filter(|run| run.policy_version.is_some() && !self.is_over())
            .map(|run| Cutoffs {
                anonymize: run.anonymize_cutoff,
                purge: run.purge_cutoff,
            });
        (self.without_newest_due_if(self.is_over()), pinned)
    }

    fn is_over(&self) -> bool {
        let state = self.run.as_ref().and_then(|run| run.state.parse().ok());
        matches!(state, Some(RunState::Completed | RunState::Superseded))
    }

    fn without_newest_due_if(&self, settled: bool) -> Calendar {
        let mut calendar = self.calendar;
        if settled {
            calendar.first = calendar.first.next();
        }
        calendar
    }
}
