//! Claiming a tenant-run: which policy version rules it is decided here, once, and pinned.
//!
//! One transaction: find or make the run's row, pin, take the lease, and record older unfinished
//! runs and gaps as superseded (S2). Two processes that claim the same run at once meet at the
//! row's unique key and at the lease; one of them wins.

use backon::BackoffBuilder;
use chrono::{DateTime, Utc};
use entity::tenant_run;
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::{Period, Zone, due_instant};
use crate::domain::policy::{Version, version_at};
use crate::domain::record::{Fault, Named};
use crate::domain::run_state::RunState;
use crate::store::leases::Lease;
use crate::store::requirements::Requirement;
use crate::store::runs::End;
use crate::store::{Disposition, StoreError, Transaction, policies, runs, tenants};
use crate::telemetry::metrics;

use super::failure::failure_of;
use super::refusal::Refusal;
use crate::engine::context::{Engine, require};
use crate::engine::due::Candidate;
use crate::engine::error::{EngineError, PINNED_CUTOFFS};
use crate::engine::held::HeldRun;
use crate::engine::permits::Rank;
use crate::engine::schedule::gap::gap_of;

/// How a claim ended.
#[derive(Debug)]
pub enum Claim {
    /// The run is ours.
    Claimed(Box<HeldRun>),
    /// It was completed before.
    AlreadyCompleted(Box<tenant_run::Model>),
    /// No policy counts for it.
    NoPolicy {
        /// The run's record.
        run_id: Uuid,
    },
    /// Somebody else holds the lease.
    Held {
        /// The run's record.
        run_id: Uuid,
    },
    /// It may not be begun.
    Refused(Refusal),
}

/// What one attempt to claim came to, and what it did to other records.
struct Attempt {
    claim: Claim,
    /// Older unfinished runs that it superseded.
    superseded: u64,
    /// Records of months to come that it set aside.
    set_aside: u64,
}

impl Attempt {
    /// A claim that changed no other record.
    fn of(claim: Claim) -> Self {
        Self {
            claim,
            superseded: 0,
            set_aside: 0,
        }
    }
}

/// Tries to claim the candidate's run.
///
/// # Errors
///
/// The database's, a clock skew, or a stored policy or zone that is not valid.
pub async fn claim(engine: &Engine, candidate: &Candidate) -> Result<Claim, EngineError> {
    let mut pauses = engine.retry.backoff().build();
    loop {
        let error = match attempt(engine, candidate).await {
            Ok(attempt) => {
                if attempt.superseded > 0 {
                    tracing::info!(
                        event = "tenant_run_superseded",
                        tenant = candidate.slug,
                        period = %candidate.period,
                        runs = attempt.superseded,
                        "older unfinished runs are superseded by this month"
                    );
                }
                if attempt.set_aside > 0 {
                    tracing::error!(
                        event = "future_runs_set_aside",
                        tenant = candidate.slug,
                        period = %candidate.period,
                        runs = attempt.set_aside,
                        "records of months that have not come yet are set aside: a clock was wrong when \
                         they were made, and people may have been erased too early; see `retentiond runs \
                         list`"
                    );
                }
                return Ok(attempt.claim);
            }
            Err(error) => error,
        };
        // After a lost reply the run may be ours under a token that we forget now. Its lease
        // expires, and whoever comes then takes it up.
        match (error.disposition(), pauses.next()) {
            (Disposition::Retry, Some(pause)) => tokio::time::sleep(pause).await,
            _ => return Err(error),
        }
    }
}

/// One attempt, from BEGIN (which on SQLite waits for the write lock) to COMMIT.
async fn attempt(engine: &Engine, candidate: &Candidate) -> Result<Attempt, EngineError> {
    let _permit = tokio::select! {
        biased;
        () = engine.stop.cancelled() => return Err(EngineError::Stopped),
        permit = engine.permits.take(Rank::CLAIM) => permit,
    };
    let claimed = engine
        .database
        .write("claiming a run", async |transaction| {
            claim_in(engine, candidate, transaction).await
        })
        .await;
    // Before the permit goes to the next one, who would meet it too.
    claimed.inspect_err(|error| engine.stop_if_systemic(error))
}

/// The claim, and what it did to other records.
async fn claim_in(
    engine: &Engine,
    candidate: &Candidate,
    transaction: &Transaction,
) -> Result<Attempt, EngineError> {
    require(transaction, &Requirement::ALL).await?;
    let clocks = engine.clocks(transaction).await?;
    let (now, latest) = (engine.now(clocks)?, clocks.latest());
    // Whoever looked may have done so a while ago, and the cutoffs that follow from the zone are
    // pinned for good.
    let Some(tenant) = tenants::find(transaction, candidate.tenant).await? else {
        return Ok(Attempt::of(Claim::Refused(Refusal::NotDue)));
    };
    let candidate = &Candidate::of(engine, &tenant, candidate);
    let zone = candidate.zone()?;
    if candidate.due_at > now {
        return Ok(Attempt::of(Claim::Refused(Refusal::NotDue)));
    }
    if let Some(newer) = newer_run(transaction, candidate, latest).await? {
        return Ok(Attempt::of(Claim::Refused(Refusal::Superseded { newer })));
    }
    let existing = runs::find(transaction, candidate.tenant, candidate.period).await?;
    let versions = policies::versions(transaction, candidate.tenant).await?;
    let fault = match (&existing, &versions) {
        (Some(run), Ok(versions)) => pinned_fault(run, versions),
        _ => None,
    };
    if let Some(run) = &existing
        && run.state == RunState::Completed.name()
    {
        let Some(fault) = fault else {
            return Ok(Attempt::of(Claim::AlreadyCompleted(Box::new(run.clone()))));
        };
        begin_anew(transaction, candidate, run, fault).await?;
    }
    let believed = existing.as_ref().filter(|_| fault.is_none());
    if let Some(newest) = gap_of(engine, transaction, candidate, believed, latest).await? {
        return Ok(Attempt::of(Claim::Refused(Refusal::Gap { newest })));
    }
    let versions = versions?;
    if let Some(fault) = fault
        && existing
            .as_ref()
            .is_some_and(|run| run.state != RunState::Completed.name())
    {
        // A later cutoff could erase people too early, and an earlier one would leave them there for good.
        return Err(EngineError::PinnedCutoffs { fault });
    }
    let ruling = ruling_version(&versions, existing.as_ref(), candidate.due_at);
    let run = ensure_run(engine, transaction, candidate, existing, ruling.is_some()).await?;
    if run.state == RunState::Completed.name() {
        return Ok(Attempt::of(Claim::AlreadyCompleted(Box::new(run))));
    }
    record_gaps(engine, transaction, candidate, zone).await?;
    let superseded =
        runs::supersede_before(transaction, candidate.tenant, candidate.period).await?;
    let set_aside = runs::set_aside_future(transaction, candidate.tenant, latest).await?;
    let ended = |claim: Claim| Attempt {
        claim,
        superseded,
        set_aside,
    };
    let Some(ruling) = ruling else {
        // It may have been recorded as failed, before anybody saw that there is no policy.
        let is_named = candidate.period_named;
        runs::finish_without_policy(transaction, candidate.tenant, run.id, is_named).await?;
        return Ok(ended(Claim::NoPolicy { run_id: run.id }));
    };
    let lease = Lease {
        tenant: candidate.tenant,
        run_id: run.id,
        slice: 0,
        token: engine.ids.token(),
        duration: engine.lease_duration,
    };
    Lease::create_row(transaction, lease.tenant, lease.run_id, lease.slice).await?;
    if !lease.acquire(transaction, &engine.holder).await? {
        return Ok(ended(Claim::Held { run_id: run.id }));
    }
    // Whoever held the lease may have completed the run between our first look and now. From here
    // on nobody can: the lease row is ours.
    if let Some(run) = runs::find(transaction, candidate.tenant, candidate.period).await?
        && run.state == RunState::Completed.name()
    {
        lease.release(transaction, true).await?;
        return Ok(ended(Claim::AlreadyCompleted(Box::new(run))));
    }
    let cutoffs = Cutoffs::of(candidate.period, zone, &ruling.terms);
    runs::start(
        transaction,
        lease.tenant,
        lease.run_id,
        ruling.number,
        cutoffs,
        zone.release(),
    )
    .await?;
    let run = runs::find(transaction, candidate.tenant, candidate.period)
        .await?
        .ok_or(EngineError::LeaseLost)?;
    let held = HeldRun {
        engine: engine.clone(),
        hasher: engine.keyring.for_tenant(candidate.tenant),
        slug: candidate.slug.clone(),
        period: candidate.period,
        zone: zone.clone(),
        due_at: candidate.due_at,
        policy_version: run.policy_version.unwrap_or(ruling.number),
        pinned: Cutoffs {
            anonymize: run.anonymize_cutoff,
            purge: run.purge_cutoff,
        },
        attempts: run.attempts,
        done_before: runs::counts_of(&run),
        may_have_orphans: run.orphans.is_some(),
        lease,
    };
    Ok(ended(Claim::Claimed(Box::new(held))))
}

/// A newer run that forbids this one: a completed one when the period was named, any that is not
/// superseded when the calendar chose it (a clock that went back must not reopen an old period). S12: a
/// record whose due instant comes after `latest`, the later of the two clocks, forbids nothing: it would
/// forbid every period until then.
pub(in crate::engine) async fn newer_run(
    transaction: &Transaction,
    candidate: &Candidate,
    latest: DateTime<Utc>,
) -> Result<Option<Period>, StoreError> {
    let states: &[RunState] = if candidate.period_named {
        &[RunState::Completed]
    } else {
        &[
            RunState::Pending,
            RunState::Running,
            RunState::Completed,
            RunState::Failed,
            RunState::NoPolicy,
        ]
    };
    let newest = runs::newest_period(transaction, candidate.tenant, states, latest).await?;
    Ok(newest.filter(|newest| *newest > candidate.period))
}

async fn ensure_run(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    existing: Option<tenant_run::Model>,
    has_policy: bool,
) -> Result<tenant_run::Model, EngineError> {
    if let Some(run) = existing {
        if run.state != RunState::Completed.name() {
            return Ok(run);
        }
        // It was begun anew.
        let run = runs::find(transaction, candidate.tenant, candidate.period).await?;
        return run.ok_or(EngineError::LeaseLost);
    }
    let state = if has_policy {
        RunState::Pending
    } else {
        RunState::NoPolicy
    };
    runs::create(
        transaction,
        engine.ids.next(),
        candidate.tenant,
        candidate.period,
        candidate.due_at,
        state,
    )
    .await?;
    runs::find(transaction, candidate.tenant, candidate.period)
        .await?
        .ok_or(EngineError::LeaseLost)
}

/// S2: months between the tenant's last recorded run and this one, in which nobody ran, are
/// recorded as superseded. A new tenant has none.
async fn record_gaps(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    zone: &Zone,
) -> Result<(), EngineError> {
    let last = runs::newest_period_before(transaction, candidate.tenant, candidate.period).await?;
    let Some(last) = last else {
        return Ok(());
    };
    let mut missed = last.next();
    while missed < candidate.period {
        let due_at = due_instant(missed, zone, engine.schedule_hour);
        runs::create(
            transaction,
            engine.ids.next(),
            candidate.tenant,
            missed,
            due_at,
            RunState::Superseded,
        )
        .await?;
        missed = missed.next();
    }
    Ok(())
}

/// S4: records that the candidate's run failed before it could be claimed (its zone or its policy
/// is not valid, say). Leaves a run alone that somebody holds or that has ended. Returns its id.
///
/// # Errors
///
/// The database's.
pub async fn record_failed_claim(
    engine: &Engine,
    candidate: &Candidate,
    error: &EngineError,
) -> Result<Option<Uuid>, EngineError> {
    if error.is_of_the_clock() {
        // By which clock would it be recorded? What is due is not even known.
        return Ok(None);
    }
    if matches!(error, EngineError::Unmet(unmet) if Requirement::OF_PROBE.contains(&unmet.requirement))
    {
        // Nothing can be written there. Where commits wait for a standby, to try would leave a session more
        // that waits.
        return Ok(None);
    }
    engine
        .database
        .write("recording a failed claim", async |transaction| {
            record_failed_claim_in(engine, transaction, candidate, error).await
        })
        .await
}

async fn record_failed_claim_in(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    error: &EngineError,
) -> Result<Option<Uuid>, EngineError> {
    let clocks = engine.clocks(transaction).await?;
    let (now, latest) = (engine.now(clocks)?, clocks.latest());
    if candidate.due_at > now || newer_run(transaction, candidate, latest).await?.is_some() {
        // What would have been refused is not owed: it did not fail. And a record of a month to
        // come would pass for a newer run, and forbid every period before it.
        return Ok(None);
    }
    runs::create(
        transaction,
        engine.ids.next(),
        candidate.tenant,
        candidate.period,
        candidate.due_at,
        RunState::Pending,
    )
    .await?;
    let run = runs::find(transaction, candidate.tenant, candidate.period).await?;
    if let Some(run) = &run {
        let end = End::Failed(failure_of(error, run.id, run.attempts));
        if matches!(error, EngineError::PinnedCutoffs { .. }) {
            runs::finish_abandoned(transaction, candidate.tenant, run.id, &end).await?;
        } else {
            runs::finish_unclaimed(transaction, candidate.tenant, run.id, &end).await?;
        }
    }
    Ok(run.map(|run| run.id))
}

/// S14: what is wrong with the version and the cutoffs that a run's record names.
pub(in crate::engine) fn pinned_fault(
    run: &tenant_run::Model,
    versions: &[Version],
) -> Option<Fault> {
    let version = Named::of(run.policy_version, versions);
    runs::record_of(run, version)?.pinned_fault()
}

/// S14: a record that says that its run is completed, by a policy version or by cutoffs that cannot be its
/// own, is no proof that anything was done. Its month is owed as if nobody had recorded anything, and done
/// with the cutoffs that the calendar gives.
async fn begin_anew(
    transaction: &Transaction,
    candidate: &Candidate,
    run: &tenant_run::Model,
    fault: Fault,
) -> Result<(), EngineError> {
    runs::begin_anew(transaction, run).await?;
    metrics::failed(PINNED_CUTOFFS);
    let what = fault.words();
    tracing::error!(
        event = "record_not_believed",
        tenant = candidate.slug,
        period = %candidate.period,
        run_id = %run.id,
        class = fault.name(),
        "the record says that the run is completed, and cannot be true: {what}; the run is done \
         now; find out who wrote the record"
    );
    Ok(())
}

/// P9: the version that rules a period: what is pinned, or what a claim would pin. None when that
/// version sets neither period.
#[must_use]
pub fn ruling_version<'a>(
    versions: &'a [Version],
    run: Option<&tenant_run::Model>,
    due_at: DateTime<Utc>,
) -> Option<&'a Version> {
    let pinned = run
        .and_then(|run| run.policy_version)
        .and_then(|pinned| versions.iter().find(|version| version.number == pinned))
        .filter(|version| !version.terms.is_empty());
    // A record that names a version that is not there, or sets nothing, is not believed (S14).
    pinned
        .or_else(|| version_at(versions, due_at))
        .filter(|version| !version.terms.is_empty())
}
