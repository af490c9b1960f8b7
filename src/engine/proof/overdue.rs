//! Participants that a completed run should have taken and that are still there. `verify` lists
//! them, and a daemon counts them for whoever is to be woken up.

use chrono::{DateTime, Utc};
use entity::tenant_run;

use crate::domain::cutoff::Cutoffs;
use crate::domain::policy::{version_at, version_numbered};
use crate::domain::record::Named;
use crate::domain::run_state::RunState;
use crate::store::{Transaction, policies, runs};

use crate::engine::claim::{pinned_fault, ruling_version};
use crate::engine::context::Engine;
use crate::engine::due::Candidate;
use crate::engine::error::EngineError;
use crate::engine::recount;
use crate::engine::stage::Stage;

/// Participants by why they are still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Should have been anonymized.
    pub anonymize: u64,
    /// Should have been deleted.
    pub purge: u64,
    /// Stored after the run began (S11); they go in the next period.
    pub late: u64,
    /// E13: without a real date; they never go until somebody sets it.
    pub undated: u64,
    /// U5: invitations that are still queued for people who unsubscribed.
    pub queued_for_unsubscribed: u64,
}

/// Counts what the completed `run` should have erased, under the cutoffs that hold now (P10), apart
/// from what came after it began (S11).
///
/// # Errors
///
/// The database's, a clock skew, or a stored policy or zone that is not valid.
pub async fn of_run(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    run: &tenant_run::Model,
) -> Result<Overdue, EngineError> {
    let now = engine.now(engine.clocks(transaction).await?)?;
    let cutoffs = cutoffs_that_hold(transaction, candidate, run, now).await?;
    // A record that says that it began long ago would make everybody late, and nobody overdue (S14).
    let since = runs::record_of(run, Named::None).map_or(candidate.due_at, |record| {
        record.began_at(engine.skew_max())
    });
    let mut found = Overdue {
        undated: recount::undated(transaction, candidate.tenant, now).await?,
        ..Overdue::default()
    };
    for stage in Stage::OF_PARTICIPANTS {
        let all = recount::eligible(transaction, candidate.tenant, stage, cutoffs).await?;
        if all == 0 {
            continue;
        }
        let late =
            recount::eligible_stored_since(transaction, candidate.tenant, stage, cutoffs, since)
                .await?;
        found.late += late;
        let overdue = all.saturating_sub(late);
        if stage == Stage::Anonymize {
            found.anonymize = overdue;
        } else {
            found.purge = overdue;
        }
    }
    Ok(found)
}

/// The cutoffs by which the completed `run` is judged at `now` (P10); see [`Cutoffs::judging`].
///
/// # Errors
///
/// The database's, or a stored policy or zone that is not valid.
pub(in crate::engine) async fn cutoffs_that_hold(
    transaction: &Transaction,
    candidate: &Candidate,
    run: &tenant_run::Model,
    now: DateTime<Utc>,
) -> Result<Cutoffs, EngineError> {
    let zone = candidate.zone()?;
    let versions = policies::versions(transaction, candidate.tenant).await??;
    let mut pinned = Cutoffs {
        anonymize: run.anonymize_cutoff,
        purge: run.purge_cutoff,
    };
    if pinned_fault(run, &versions).is_some() {
        // What the record says is not believed (S14); this is what it should say.
        pinned = ruling_version(&versions, Some(run), candidate.due_at)
            .map_or_else(Cutoffs::default, |ruling| {
                Cutoffs::of(candidate.period, zone, &ruling.terms)
            });
    }
    let current = version_at(&versions, now);
    let at_recount = version_numbered(&versions, run.recount_version);
    Ok(pinned.judging(candidate.period, zone, at_recount, current))
}

/// Counts for the candidate's period; nothing where its run is not completed.
///
/// # Errors
///
/// As [`of_run`].
pub async fn of_candidate(engine: &Engine, candidate: &Candidate) -> Result<Overdue, EngineError> {
    let transaction = engine
        .database
        .begin_read("counting what is overdue")
        .await?;
    let run = runs::find(&transaction, candidate.tenant, candidate.period).await?;
    let mut found = match &run {
        Some(run) if run.state == RunState::Completed.name() => {
            of_run(engine, &transaction, candidate, run).await?
        }
        _ => Overdue::default(),
    };
    found.queued_for_unsubscribed =
        recount::queued_for_unsubscribed(&transaction, candidate.tenant).await?;
    transaction.rollback().await?;
    Ok(found)
}
