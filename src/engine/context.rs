//! What every part of the engine is given: dependencies and settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::clock::truncate_to_microseconds;
use crate::domain::clocks::earlier_clock;
use crate::domain::counts::Counts;
use crate::domain::period::{Months, ScheduleHour};
use crate::domain::suppression::Keyring;
use crate::domain::window::Window;
use crate::domain::zone::ZoneFault;
use crate::ids::SharedIds;
use crate::store::requirements::{self, Requirement};
use crate::store::{Database, ErrorClass, RetryPolicy, StoreError, Transaction};

use super::error::EngineError;
use super::pace::Pace;
use super::throttle::Throttle;
use crate::tzdata::Tzdata;

use super::turns::Turns;

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
    pub turns: Turns,
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
    pub fn places(&self, in_hand: usize) -> usize {
        if in_hand < self.turns.workers() {
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
    pub fn now(
        &self,
        host: DateTime<Utc>,
        database: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, EngineError> {
        let difference = host.signed_duration_since(database).abs();
        if difference > self.skew_max() {
            return Err(EngineError::ClockSkew {
                host,
                database,
                difference_seconds: difference.num_seconds(),
            });
        }
        Ok(earlier_clock(host, database)?)
    }

    /// S7: largest difference of the two clocks.
    #[must_use]
    pub fn skew_max(&self) -> TimeDelta {
        // A limit too long for chrono is no limit.
        TimeDelta::from_std(self.clock_skew_max).unwrap_or(TimeDelta::MAX)
    }

    /// Reads both clocks; see [`Engine::now`].
    ///
    /// # Errors
    ///
    /// As [`Engine::now`], or the database's.
    pub async fn read_clocks(&self) -> Result<DateTime<Utc>, EngineError> {
        let (host, database) = self.both_clocks().await?;
        self.now(host, database)
    }

    /// The host's time and the database's, read one right after the other.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn both_clocks(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), EngineError> {
        let transaction = self
            .database
            .begin_read("reading the database's clock")
            .await?;
        let database = database_now(&transaction).await?;
        let host = self.clock.now();
        transaction.rollback().await?;
        Ok((host, database))
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

/// The database's time, truncated to microseconds.
///
/// # Errors
///
/// The database's.
pub async fn database_now(transaction: &Transaction) -> Result<DateTime<Utc>, EngineError> {
    let sql = format!("SELECT {} AS now", transaction.dialect().now());
    let row = transaction
        .row::<Now>("context.database_now", &sql, &[])
        .await?;
    row.map(|row| truncate_to_microseconds(row.now))
        .ok_or(EngineError::Store(StoreError::new(
            ErrorClass::Internal,
            "reading the database's clock",
        )))
}

#[derive(sea_orm::FromQueryResult)]
struct Now {
    now: DateTime<Utc>,
}
