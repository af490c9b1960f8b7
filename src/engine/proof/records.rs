//! S14: records of runs that cannot be true, and what else somebody with the run-time role's password may have
//! written. `verify` lists it.
//!
//! The records are compared with the calendar, the policy versions and the batches. A record that agrees with all
//! of them is not proven by that: docs/operating.md says what nobody notices.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::tenant_run;
use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::email::NormVersion;
use crate::domain::period::Period;
use crate::domain::policy::{Version, version_at};
use crate::domain::record::{Fault, Named, Record};
use crate::domain::run_state::RunState;
use crate::store::{Transaction, batches, runs};

use crate::engine::context::Engine;
use crate::engine::due::Candidate;
use crate::engine::error::EngineError;

/// How many of a tenant's records are looked at, the newest first: two years.
const RECORDS_MAX: u64 = 24;

/// Something that is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordFinding {
    /// What kind of fault it is.
    pub class: Fault,
    /// The month of the record.
    pub period: Period,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

impl RecordFinding {
    pub(in crate::engine) fn new(class: Fault, period: Period) -> Self {
        Self {
            class,
            period,
            sentence: format!("{period}: {}", class.words()),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(in crate::engine) struct Judged {
    /// What cannot be true.
    pub(in crate::engine) findings: Vec<RecordFinding>,
    /// What may have an honest cause, a sentence each.
    pub(in crate::engine) notes: Vec<String>,
}

/// Judges the tenant's newest records of months that have come by `latest`, the later of the two clocks.
///
/// # Errors
///
/// The database's.
pub(in crate::engine) async fn judge(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    versions: &[Version],
    latest: DateTime<Utc>,
) -> Result<Judged, EngineError> {
    let (tenant, due) = (candidate.tenant, candidate.period);
    let runs = runs::newest(transaction, tenant, due, latest, RECORDS_MAX).await?;
    let sums = batches::sums(transaction, candidate.tenant).await?;
    let mut judged = Judged::default();
    let mut is_followed = false;
    for run in &runs {
        let Some(record) = runs::record_of(run, Named::of(run.policy_version, versions)) else {
            continue;
        };
        let mut faults = record.time_faults(latest, engine.skew_max());
        faults.extend(record.pinned_fault());
        if is_of_a_later_policy(run, &record, versions) {
            faults.push(Fault::PolicyVersion);
        }
        if record.state == RunState::Superseded && !is_followed {
            faults.push(Fault::Superseded);
        }
        if differing_counts(run, &sums) > 0 {
            faults.push(Fault::Batches);
        }
        faults.sort_unstable();
        faults.dedup();
        let of_period = |fault| RecordFinding::new(fault, record.period);
        judged.findings.extend(faults.into_iter().map(of_period));
        judged.notes.extend(note(run, &record, versions));
        is_followed |= record.state != RunState::Superseded;
    }
    Ok(judged)
}

/// The version that the record names was not effective yet, in no zone, when the run was due.
fn is_of_a_later_policy(run: &tenant_run::Model, record: &Record, versions: &[Version]) -> bool {
    versions
        .iter()
        .find(|version| Some(version.number) == run.policy_version)
        .is_some_and(|version| version.effective_from > record.latest_due())
}

/// What would be a fault if policies were never dated back, nor brought along by a platform that has recorded
/// them before.
fn note(run: &tenant_run::Model, record: &Record, versions: &[Version]) -> Option<String> {
    let known: Vec<Version> = versions
        .iter()
        .filter(|version| version.created_at <= record.earliest_due())
        .cloned()
        .collect();
    let ruling = version_at(&known, record.earliest_due())?;
    let period = record.period;
    match (record.state, run.policy_version) {
        (RunState::NoPolicy, _) if !ruling.terms.is_empty() => Some(format!(
            "{period}: the record says that no policy ruled, but version {} did, unless it was \
             dated back",
            ruling.number
        )),
        (RunState::Completed, Some(pinned)) if pinned < ruling.number => Some(format!(
            "{period}: the run used policy version {pinned}, and version {} ruled, unless it was \
             dated back",
            ruling.number
        )),
        _ => None,
    }
}

/// How many counts of the record are not the sum of its batches. Hashes are counted by the run alone (S15); the
/// batches of earlier versions of the service have them, too.
pub(in crate::engine) fn differing_counts(
    run: &tenant_run::Model,
    sums: &HashMap<Uuid, Vec<(&'static str, i64)>>,
) -> u64 {
    let recorded = runs::stored_counts_of(run);
    let sum_of = |name: &str| {
        let of_run = sums.get(&run.id)?;
        of_run.iter().find(|(known, _)| *known == name)
    };
    let differs = |(name, recorded): &(&'static str, i64)| {
        let summed = sum_of(name).map_or(0, |(_, sum)| *sum);
        if *name == "suppressions" {
            summed > *recorded
        } else {
            summed != *recorded
        }
    };
    recorded.iter().filter(|count| differs(count)).count() as u64
}

/// What is stored of unsubscribed people, beside what the runs say that they stored.
#[derive(Clone, Copy, Debug, Default, FromQueryResult)]
pub(in crate::engine) struct Suppressions {
    /// New hashes that the tenant's runs recorded.
    pub(in crate::engine) recorded: i64,
    /// Hashes that are stored.
    pub(in crate::engine) stored: i64,
    /// Hashes of a normalisation that there is not, by which nobody is recognised.
    pub(in crate::engine) unusable: i64,
}

/// Reads what is stored of the tenant's unsubscribed people.
///
/// # Errors
///
/// The database's.
pub(in crate::engine) async fn suppressions(
    transaction: &Transaction,
    candidate: &Candidate,
) -> Result<Suppressions, EngineError> {
    let integer = transaction.dialect().integer();
    let sql = format!(
        "SELECT (SELECT CAST(COALESCE(SUM(suppressions), 0) AS {integer}) FROM tenant_run \
         WHERE tenant_id = :tenant) AS recorded, \
         (SELECT COUNT(*) FROM suppression WHERE tenant_id = :tenant) AS stored, \
         (SELECT COUNT(*) FROM suppression WHERE tenant_id = :tenant \
         AND (norm_version < 1 OR norm_version > :newest)) AS unusable"
    );
    let parameters = [
        ("tenant", candidate.tenant.0.into()),
        ("newest", NormVersion::NEWEST.number().into()),
    ];
    let row = transaction
        .row::<Suppressions>("records.suppressions", &sql, &parameters)
        .await?;
    Ok(row.unwrap_or_default())
}
