//! Proof after the fact: recounts a period and compares the records with the data.

use serde::Serialize;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Period;
use crate::domain::policy::version_at;
use crate::domain::record::Fault;
use crate::domain::run_state::RunState;
use crate::domain::subject::CHILD_TABLES;
use crate::store::{Transaction, batches, policies, runs};

use super::overdue;
use super::records::{self, RecordFinding};
use crate::engine::context::Engine;
use crate::engine::due::{Candidate, Scope, UnknownTenants, find_due};
use crate::engine::error::EngineError;
use crate::engine::partition::{self, Partition};
use crate::engine::recount;
use crate::engine::schedule::gap::gap_of;

/// What `verify` found out about one tenant and period.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The tenant's slug.
    pub tenant: String,
    /// The period.
    pub period: Period,
    /// State of its run; unset = there is none.
    pub state: Option<String>,
    /// Participants that should have been anonymized.
    pub overdue_anonymize: u64,
    /// Participants that should have been deleted.
    pub overdue_purge: u64,
    /// Participants stored after the run began with an `added_at` before its cutoff (S11); they go
    /// in the next period.
    pub late: u64,
    /// Rows that belong to no participant.
    pub orphans: u64,
    /// Uploads whose last participant went, and that are still there.
    pub empty_uploads: u64,
    /// Invitations still queued for an anonymized participant.
    pub queued_invitations: u64,
    /// U5: invitations still queued for somebody who unsubscribed.
    pub queued_for_unsubscribed: u64,
    /// S14: what cannot be true in the tenant's records.
    pub record_faults: Vec<RecordFinding>,
    /// Hashes of unsubscribed people of a normalisation that there is not.
    pub unusable_suppressions: u64,
    /// Anonymized participants whose batch is not on record, or more of them than it recorded.
    pub unrecorded: u64,
    /// Counts of the run's record that differ from the sum of its batches.
    pub record_mismatches: u64,
    /// E13: participants without a real date, whom no run touches.
    pub undated: u64,
    /// E12: all participants, by what the run's cutoffs mean for them.
    pub participants: Partition,
    /// S12: records of months that have not come yet, by both clocks.
    pub future_records: u64,
    /// Everything above is as it should be.
    pub ok: bool,
    /// What is off, a sentence each.
    pub findings: Vec<String>,
    /// What is worth knowing and needs nobody, a sentence each.
    pub notes: Vec<String>,
}

impl Verification {
    /// Nothing found out yet, and therefore not ok.
    fn empty(candidate: &Candidate) -> Self {
        Self {
            tenant: candidate.slug.clone(),
            period: candidate.period,
            state: None,
            overdue_anonymize: 0,
            overdue_purge: 0,
            late: 0,
            orphans: 0,
            empty_uploads: 0,
            queued_invitations: 0,
            queued_for_unsubscribed: 0,
            record_faults: Vec::new(),
            unusable_suppressions: 0,
            unrecorded: 0,
            record_mismatches: 0,
            undated: 0,
            participants: Partition::default(),
            future_records: 0,
            ok: false,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Recounts the scope, by slug.
///
/// # Errors
///
/// The database's or a clock skew; the inner one an unknown slug.
pub async fn verify(
    engine: &Engine,
    scope: &Scope,
) -> Result<Result<Vec<Verification>, UnknownTenants>, EngineError> {
    let found = match find_due(engine, scope).await? {
        Ok(found) => found,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let mut verifications = Vec::with_capacity(found.len());
    for candidate in found {
        verifications.push(match verify_one(engine, &candidate).await {
            Ok(verification) => verification,
            // One tenant's zone or policy must not hide the others.
            Err(error @ (EngineError::TimeZone(_) | EngineError::Policy(_))) => {
                let mut unknown = Verification::empty(&candidate);
                unknown.findings.push(error.to_string());
                unknown
            }
            Err(error) => return Err(error),
        });
        engine.progress.tenant_done();
    }
    Ok(Ok(verifications))
}

async fn verify_one(engine: &Engine, candidate: &Candidate) -> Result<Verification, EngineError> {
    let transaction = engine.database.begin_read("verifying").await?;
    let now = engine.now(engine.clocks(&transaction).await?)?;
    let run = runs::find(&transaction, candidate.tenant, candidate.period).await?;
    let mut found = Verification {
        state: run.as_ref().map(|run| run.state.clone()),
        empty_uploads: recount::empty_uploads(&transaction, candidate.tenant).await?,
        queued_invitations: recount::queued_for_anonymized(&transaction, candidate.tenant).await?,
        queued_for_unsubscribed: recount::queued_for_unsubscribed(&transaction, candidate.tenant)
            .await?,
        unrecorded: unrecorded(&transaction, candidate).await?,
        ..Verification::empty(candidate)
    };
    let completed = run
        .as_ref()
        .filter(|run| run.state == RunState::Completed.name());
    let cutoffs = match completed {
        Some(run) => overdue::cutoffs_that_hold(&transaction, candidate, run, now).await?,
        None => Cutoffs::default(),
    };
    found.participants = partition::count(&transaction, candidate.tenant, cutoffs, now).await?;
    found.undated = found.participants.undated;
    future_records(engine, &transaction, candidate, &mut found).await?;
    forged_records(engine, &transaction, candidate, &mut found).await?;
    for table in CHILD_TABLES {
        found.orphans += recount::orphans(&transaction, candidate.tenant, table).await?;
    }
    match &run {
        Some(run) if run.state == RunState::Completed.name() => {
            let overdue = overdue::of_run(engine, &transaction, candidate, run).await?;
            found.overdue_anonymize = overdue.anonymize;
            found.overdue_purge = overdue.purge;
            found.late = overdue.late;
            let sums = batches::sums(&transaction, candidate.tenant).await?;
            found.record_mismatches = records::differing_counts(run, &sums);
        }
        Some(run) if run.state == RunState::NoPolicy.name() => {
            let versions = policies::versions(&transaction, candidate.tenant).await??;
            if version_at(&versions, candidate.due_at).is_some_and(|v| !v.terms.is_empty()) {
                found.findings.push(
                    "a policy now rules the month, and the run has not been done; run `retentiond \
                     run`"
                        .to_owned(),
                );
            }
        }
        Some(run) => found.findings.push(format!(
            "the run of {} is {}, not completed",
            candidate.period, run.state
        )),
        None => {
            let latest = engine.clocks(&transaction).await?.latest();
            let gap = gap_of(engine, &transaction, candidate, None, latest).await?;
            let waits = gap.map_or_else(String::new, |newest| {
                format!(
                    ", and it waits: it comes more than [safety] gap_max after {newest}; if the date is \
                     right, confirm it with `retentiond run --after-gap`"
                )
            });
            found
                .findings
                .push(format!("there is no run of {}{waits}", candidate.period));
        }
    }
    transaction.rollback().await?;
    describe(&mut found);
    Ok(found)
}

/// S12: what a wrong clock left behind. Once a claim has set the records aside, there is nothing more to do
/// about them.
async fn future_records(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    found: &mut Verification,
) -> Result<(), EngineError> {
    let latest = engine.clocks(transaction).await?.latest();
    let records = runs::of_the_future(transaction, candidate.tenant, latest).await?;
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Ok(());
    };
    found.future_records = u64::try_from(records.len()).unwrap_or(u64::MAX);
    let not_set_aside = records.iter().filter(|record| !record.is_set_aside);
    let findings =
        not_set_aside.map(|record| RecordFinding::new(Fault::FutureMonth, record.period));
    found.record_faults.extend(findings);
    let what = if records.len() == 1 {
        format!("a record of {}, whose due instant lies", first.period)
    } else {
        format!(
            "{} records of {} to {}, whose due instants lie",
            records.len(),
            first.period,
            last.period
        )
    };
    let sentence = format!(
        "{what} in the future: a clock was wrong when it was made, and people may have been erased too \
         early"
    );
    if records.iter().all(|record| record.is_set_aside) {
        found.notes.push(format!(
            "{sentence}; it is set aside until its month has come"
        ));
    } else {
        found.findings.push(format!(
            "{sentence}; it forbids nothing, and the next run sets it aside"
        ));
    }
    Ok(())
}

/// Every anonymized row carries the time of its batch. More rows than a batch recorded, or rows
/// without a batch, were anonymized by somebody else. (Fewer is right: they may be deleted since.)
async fn unrecorded(transaction: &Transaction, candidate: &Candidate) -> Result<u64, EngineError> {
    let excess = "CASE WHEN data.n > COALESCE(batches.n, 0) THEN data.n - COALESCE(batches.n, 0) \
                  ELSE 0 END";
    let integer = transaction.dialect().integer();
    let sql = format!(
        "SELECT CAST(SUM({excess}) AS {integer}) AS n FROM \
         (SELECT anonymized_at, COUNT(*) AS n FROM participant WHERE tenant_id = :tenant \
          AND anonymized_at IS NOT NULL GROUP BY anonymized_at) AS data \
         LEFT JOIN (SELECT written_at, SUM(anonymized) AS n FROM run_batch \
          WHERE tenant_id = :tenant AND stage = 'anonymize' GROUP BY written_at) AS batches \
         ON batches.written_at = data.anonymized_at"
    );
    let count = transaction
        .number(
            "verify.unrecorded",
            &sql,
            &[("tenant", candidate.tenant.0.into())],
        )
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// S14: records that somebody else must have written, and unsubscriptions that are gone.
async fn forged_records(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    found: &mut Verification,
) -> Result<(), EngineError> {
    let latest = engine.clocks(transaction).await?.latest();
    let versions = policies::versions(transaction, candidate.tenant).await??;
    let judged = records::judge(engine, transaction, candidate, &versions, latest).await?;
    for finding in &judged.findings {
        // Said by another finding.
        let is_said = finding.class == Fault::Batches && finding.period == candidate.period;
        if !is_said {
            found.findings.push(finding.sentence.clone());
        }
    }
    found.record_faults.extend(judged.findings);
    found.notes.extend(judged.notes);
    let stored = records::suppressions(transaction, candidate).await?;
    found.unusable_suppressions = u64::try_from(stored.unusable).unwrap_or_default();
    if stored.recorded > 0 && stored.stored == 0 {
        found.findings.push(format!(
            "the runs recorded {} new hashes of unsubscribed people, and none is stored: they \
             were deleted",
            stored.recorded
        ));
    } else if stored.stored < stored.recorded {
        found.notes.push(format!(
            "the runs recorded {} new hashes of unsubscribed people, and {} are stored: normal if \
             people came back since a key was rotated; otherwise some were deleted",
            stored.recorded, stored.stored
        ));
    }
    Ok(())
}

fn describe(found: &mut Verification) {
    let checks = [
        (
            found.overdue_anonymize,
            "participants still have personal data that should have been removed",
        ),
        (
            found.overdue_purge,
            "participants still exist that should have been deleted",
        ),
        (found.orphans, "rows have no participant"),
        (
            found.empty_uploads,
            "uploads still exist although a run deleted their last participant",
        ),
        (
            found.queued_invitations,
            "invitations are still queued for anonymized participants",
        ),
        (
            found.queued_for_unsubscribed,
            "invitations are still queued for people who unsubscribed",
        ),
        (
            found.unusable_suppressions,
            "hashes of unsubscribed people have an unknown normalisation version, so nobody is \
             recognised by them",
        ),
        (
            found.unrecorded,
            "participants were anonymized without a batch on record",
        ),
        (
            found.record_mismatches,
            "counts of the run's record differ from the sum of its batches",
        ),
        (
            // Without a policy nobody ever goes, with a date or without.
            if found.state.as_deref() == Some(RunState::NoPolicy.name()) {
                0
            } else {
                found.undated
            },
            "participants have no real date in added_at, so no run ever erases them; set it, or \
             delete them",
        ),
        (
            found.participants.unclaimed,
            "participants are in a state that no rule covers, for example anonymized with a \
             personal field left",
        ),
    ];
    for (count, what) in checks {
        if count > 0 {
            found.findings.push(format!("{count} {what}"));
        }
    }
    if !found.participants.is_whole() && found.participants.unclaimed == 0 {
        found
            .findings
            .push("the parts of the participants do not add up to all of them".to_owned());
    }
    found.ok = found.findings.is_empty();
}
