//! What every part of the engine is given: dependencies and settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::domain::clocks::Clocks;
use crate::domain::counts::Counts;
use crate::domain::period::{Months, ScheduleHour};
use crate::domain::suppression::Keyring;
use crate::domain::window::Window;
use crate::domain::zone::ZoneFault;
use crate::ids::SharedIds;
use crate::store::requirements::{self, Requirement};
use crate::store::{Database, Disposition, RetryPolicy, StoreError, Transaction, clocks};

use super::error::EngineError;
use super::pace::Pace;
use super::throttle::Throttle;
use crate::tzdata::Tzdata;

use super::permits::Permits;

/// The engine's dependencies and settings; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    // Dependencies.
    /// The database.
    pub database: Database,
    /// The host's clock.
    pub clock: SharedClock,
    /// Ids of runs and batches, and lease tokens.
    pub ids: SharedIds,
    /// Reads the rules of time zones.
    pub tzdata: Tzdata,
    /// Keys for the hashes of unsubscribed people.
    pub keyring: Keyring,
    /// Cancelled = end after the batch in hand.
    pub stop: CancellationToken,
    /// What was done so far, for whoever watches.
    pub progress: Arc<Progress>,

    // Settings.
    /// Name of this process in leases.
    pub holder: String,
    /// Hour of the first day of the month at which a period is due.
    pub schedule_hour: ScheduleHour,
    /// S7: largest difference of the two clocks.
    pub clock_skew_max: Duration,
    /// S13: so many months after the last settled period a run has to be confirmed; `None` = never.
    pub gap_max: Option<Months>,
    /// S13: runs that come after a longer gap are confirmed.
    pub is_gap_confirmed: bool,
    /// Tenants in hand at a time.
    pub tenants_at_a_time: usize,
    /// Who of them works now.
    pub permits: Permits,
    /// Participants a batch, at most.
    pub batch_rows: u64,
    /// How long a batch should take; `None` = each takes `batch_rows`, however long that lasts.
    pub batch_duration_target: Option<Duration>,
    /// How long a lease lasts from each renewal.
    pub lease_duration: Duration,
    /// How fast all processes together may erase.
    pub pace: Arc<Pace>,
    /// What runs make way for.
    pub throttle: Arc<Throttle>,
    /// The time of day in which a daemon works; `None` = always.
    pub working_hours: Option<WorkingHours>,
    /// How a batch is tried again.
    pub retry: RetryPolicy,
}

impl Engine {
    /// How many tenants to take in hand beside those that are. None as long as those keep all workers
    /// busy, and then as many as there may be: who comes while others are under way would have to catch
    /// up alone while they wait, and go through the table by itself.
    #[must_use]
    pub fn free_slots(&self, in_hand: usize) -> usize {
        if in_hand < self.permits.workers() {
            self.tenants_at_a_time.saturating_sub(in_hand)
        } else {
            0
        }
    }

    /// `None` while a daemon may work at `now`; else when it may again, as far as that is known.
    ///
    /// # Errors
    ///
    /// [`ZoneFault`]: nobody knows, so nothing may be begun.
    pub fn closed_until(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ZoneFault> {
        let Some(hours) = &self.working_hours else {
            return Ok(None);
        };
        let zone = self.tzdata.newest().find(&hours.time_zone)?;
        Ok(hours.window.closed_until(&zone, now))
    }

    /// S10: now is the earlier of the host's and the database's clock. S7: when the two differ by
    /// more than the limit, there is no now; nor is there when one shows a year that cannot be.
    ///
    /// # Errors
    ///
    /// [`EngineError::ClockSkew`] or [`EngineError::ClockOutOfRange`].
    pub fn now(&self, clocks: Clocks) -> Result<DateTime<Utc>, EngineError> {
        let difference = clocks.skew().abs();
        if difference > self.skew_max() {
            return Err(EngineError::ClockSkew {
                host: clocks.host,
                database: clocks.database,
                difference_seconds: difference.num_seconds(),
            });
        }
        Ok(clocks.now()?)
    }

    /// S7: largest difference of the two clocks.
    #[must_use]
    pub fn skew_max(&self) -> TimeDelta {
        // A limit too long for chrono is no limit.
        TimeDelta::from_std(self.clock_skew_max).unwrap_or(TimeDelta::MAX)
    }

    /// What both clocks show.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clocks(&self, transaction: &Transaction) -> Result<Clocks, StoreError> {
        clocks::read(transaction, &self.clock).await
    }

    /// What both clocks show, in a transaction of its own.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clocks_alone(&self) -> Result<Clocks, StoreError> {
        self.database
            .read("reading the database's clock", async |transaction| {
                self.clocks(transaction).await
            })
            .await
    }

    /// Stops the pass if `error` concerns every tenant: a full disk, a clock that is wrong.
    pub(super) fn stop_if_systemic(&self, error: &EngineError) {
        if error.disposition() == Disposition::Stop {
            self.stop.cancel();
        }
    }
}

/// Refuses a server, a role or a session by which nothing may be deleted.
///
/// # Errors
///
/// [`EngineError::Unmet`], or the database's.
pub async fn require(
    transaction: &Transaction,
    requirements: &[Requirement],
) -> Result<(), EngineError> {
    match requirements::unmet_of(transaction, requirements).await? {
        Some(unmet) => Err(EngineError::Unmet(unmet)),
        None => Ok(()),
    }
}

/// The time of day in which a daemon works, `[engine] window`.
#[derive(Clone, Debug)]
pub struct WorkingHours {
    /// From when to when.
    pub window: Window,
    /// By the clocks of the zone of this name.
    pub time_zone: String,
}

/// What a pass did so far; a terminal shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Tenants that the pass looks at.
    pub tenants_total: AtomicU64,
    /// Tenants that it is done with.
    pub tenants_done: AtomicU64,
    /// Participants that the runs begun so far found to do.
    pub planned: AtomicU64,
    /// Participants anonymized.
    pub anonymized: AtomicU64,
    /// Participants deleted.
    pub purged: AtomicU64,
}

impl Progress {
    pub(super) fn expect_tenants(&self, count: usize) {
        let total = u64::try_from(count).unwrap_or(u64::MAX);
        self.tenants_total.store(total, Ordering::Relaxed);
    }

    pub(super) fn tenant_done(&self) {
        self.tenants_done.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expect_participants(&self, participants: u64) {
        self.planned.fetch_add(participants, Ordering::Relaxed);
    }

    pub(super) fn add(&self, counts: &Counts) {
        self.anonymized
            .fetch_add(counts.anonymized, Ordering::Relaxed);
        self.purged.fetch_add(counts.purged, Ordering::Relaxed);
    }
}
