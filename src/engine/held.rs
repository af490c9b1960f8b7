//! A run that this process holds, and how it keeps the lease while it waits: for a permit, for a count, for a
//! pause, for its share of the rate.
//!
//! A batch renews the lease by its fence. A process that does something else for longer than the lease lasts
//! would lose the run to another process, which would then do the same and lose it again.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::period::{Period, Zone};
use crate::domain::suppression::TenantHasher;
use crate::store::leases::Lease;
use crate::store::{ErrorClass, Transaction};

use super::context::Engine;
use super::error::EngineError;
use super::permits::{Permit, Rank};

/// Heartbeats in the time of a lease. Up to five waits may come one after the other before the next batch
/// renews the lease, and each may end just before its first heartbeat.
const HEARTBEATS_PER_LEASE: u32 = 6;

/// A claimed tenant-run: what its record has pinned, the lease to work on it, and the engine that works.
#[derive(Clone, Debug)]
pub struct HeldRun {
    /// The engine that works on it.
    pub engine: Engine,
    /// The lease.
    pub lease: Lease,
    /// The tenant's slug, for logs.
    pub slug: String,
    /// The period.
    pub period: Period,
    /// When it was due, as reckoned at the claim.
    pub due_at: DateTime<Utc>,
    /// The tenant's zone, with the rules that it had when the run was claimed.
    pub zone: Zone,
    /// The pinned policy version.
    pub policy_version: i32,
    /// The pinned cutoffs.
    pub pinned: Cutoffs,
    /// How many times the run was claimed, this time included.
    pub attempts: i32,
    /// What earlier attempts did.
    pub done_before: Counts,
    /// An earlier attempt, or the tenant's run before, found rows without their participant, or a foreign key
    /// that was not in force: they are looked for before it is completed.
    pub may_have_orphans: bool,
    /// Hashes addresses under the tenant's keys.
    pub hasher: TenantHasher,
}

impl HeldRun {
    /// S12: a run that was claimed by a clock that was wrong ends when the clock has been set right.
    pub(super) fn require_due(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        if now < self.due_at {
            return Err(EngineError::ClockWentBack {
                due_at: self.due_at,
            });
        }
        Ok(())
    }

    /// Renews the lease in `transaction`: from then on no other process can take the run over before it ends.
    ///
    /// # Errors
    ///
    /// [`EngineError::LeaseLost`], or the database's.
    pub(super) async fn fence(&self, transaction: &Transaction) -> Result<(), EngineError> {
        if self.lease.fence(transaction).await? {
            Ok(())
        } else {
            Err(EngineError::LeaseLost)
        }
    }

    /// Renews the lease while `wait`, which writes nothing, takes its time; a request to stop ends it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Stopped`], [`EngineError::LeaseLost`], or that of `wait`.
    pub(super) async fn while_holding<T>(
        &self,
        wait: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let done = CancellationToken::new();
        let work = async {
            let result = wait.await;
            done.cancel();
            result
        };
        // Beside each other: a heartbeat that waits for a connection must not stop the work that holds
        // the last one. One that is on its way when the work is done is waited for: dropped in mid-call
        // it would cost the pool its connections.
        let both = async { tokio::try_join!(work, self.heartbeats(&done)) };
        tokio::select! {
            result = both => result.map(|(value, ())| value),
            // What a count found so far is of no use to anybody.
            () = self.engine.stop.cancelled() => Err(EngineError::Stopped),
        }
    }

    /// Waits for a permit, and keeps the lease meanwhile.
    ///
    /// # Errors
    ///
    /// As [`HeldRun::while_holding`].
    pub(super) async fn permit(&self, rank: Rank) -> Result<Permit, EngineError> {
        self.while_holding(async { Ok(self.engine.permits.take(rank).await) })
            .await
    }

    /// Renews the lease again and again, until that is no longer possible, or the work is done.
    async fn heartbeats(&self, done: &CancellationToken) -> Result<(), EngineError> {
        let pause = self.engine.lease_duration / HEARTBEATS_PER_LEASE;
        while tokio::time::timeout(pause, done.cancelled()).await.is_err() {
            self.heartbeat().await?;
        }
        Ok(())
    }

    /// Renews the lease now. That it could not be done in passing is no error: the next one may succeed,
    /// and if none does, the lease may go to another process, and the fence of the next batch tells.
    ///
    /// # Errors
    ///
    /// [`EngineError::LeaseLost`], or the database's.
    pub(super) async fn heartbeat(&self) -> Result<(), EngineError> {
        let database = &self.engine.database;
        let fence = async |transaction: &Transaction| self.fence(transaction).await;
        match database.write("renewing a lease", fence).await {
            Err(EngineError::Store(error))
                if error.class().is_transient()
                    || error.class() == ErrorClass::StatementTimeout =>
            {
                Ok(())
            }
            renewed => renewed,
        }
    }
}
