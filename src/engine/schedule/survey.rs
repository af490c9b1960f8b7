//! What a daemon has to do now, for all tenants at once: which tenant-runs are owed and free, in
//! which order to take them, and when to look again.
//!
//! [`survey`] reads, in one transaction and by a number of statements that does not depend on the
//! number of tenants; [`judge`] decides, and knows no database. Nothing is promised here: the claim
//! looks again, under the run's lock.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::period::{Period, ScheduleHour, Zone, due_instant};
use crate::domain::policy::{Version, version_at};
use crate::domain::record::Fault;
use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::leases::WAIT_MAX;
use crate::store::policies;
use crate::store::run_status::{self, RunStatus};

use super::due::{Candidate, Scope, candidates};
use super::gap::withhold;
use crate::engine::context::Engine;
use crate::engine::error::EngineError;

/// What a survey found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The earlier of the two clocks (S10).
    pub now: DateTime<Utc>,
    /// Host's clock minus database's.
    pub clock_skew: TimeDelta,
    /// Everything that was found.
    pub findings: Findings,
    /// When the newest period that was completed for every tenant was finished.
    pub last_success: Option<DateTime<Utc>>,
    /// When a run last ended, completed or failed.
    pub last_completion: Option<DateTime<Utc>>,
}

/// What is owed, and how everything stands.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Runs that can be claimed now: the longest overdue first, and of those the smallest.
    pub owed: Vec<Candidate>,
    /// S13: runs that are owed, and that somebody has to confirm first.
    pub blocked_by_gap: Vec<Candidate>,
    /// How long until the next run may be claimed: a retry, an expired lease, or the next due
    /// instant, each by the clock that it is reckoned by.
    pub look_again_in: Option<TimeDelta>,
    /// Tenants by the state of their newest due period's run.
    pub states: BTreeMap<&'static str, u64>,
    /// The same, by tenant.
    pub tenants: HashMap<TenantId, RunState>,
    /// The earliest due instant of all that is not done; if all is done, the latest due instant.
    pub due_at: Option<DateTime<Utc>>,
    /// The oldest period that is not done, if one is not.
    pub oldest_unfinished: Option<Period>,
    /// When the last of the runs looked at was completed, and when it ended in any way.
    pub last_completed: Option<DateTime<Utc>>,
    /// As above, completed or failed.
    pub last_ended: Option<DateTime<Utc>>,
    /// Rows without their participant, of all tenants, as their newest runs last counted them.
    pub orphans: u64,
    /// S14: runs whose records say what cannot be true, by what is wrong with them.
    pub faults: BTreeMap<Fault, u64>,
    /// Tenants whose newest due period is completed.
    pub completed: Vec<Candidate>,
    /// The time zones in use, by name.
    pub zones: BTreeMap<String, Zone>,
}

/// Looks at all tenants.
///
/// # Errors
///
/// The database's, or a clock skew: nothing is due by a clock that is wrong.
pub async fn survey(engine: &Engine) -> Result<Survey, EngineError> {
    let transaction = engine
        .database
        .begin_read("looking for what is owed")
        .await?;
    let clocks = engine.clocks(&transaction).await?;
    let now = engine.now(clocks)?;
    let all = candidates(engine, &transaction, &Scope::default(), now)
        .await?
        .unwrap_or_default();
    let Some(oldest) = all.iter().map(|candidate| candidate.period).min() else {
        transaction.rollback().await?;
        return Ok(Survey {
            now,
            clock_skew: clocks.skew(),
            findings: Findings::default(),
            last_success: None,
            last_completion: None,
        });
    };
    // S12: a record of a month that has not come by either clock says nothing about this one.
    let latest = clocks.latest();
    let statuses = run_status::since(&transaction, oldest, latest).await?;
    let due = due_periods(&all);
    let policies = policies::versions_of_unruled(&transaction, oldest).await?;
    let mut findings = judge(
        all,
        &statuses,
        &policies,
        engine.schedule_hour,
        now,
        clocks.database,
    );
    findings.faults = faults(&statuses, &due, latest, engine.skew_max());
    let owed = &mut findings.owed;
    findings.blocked_by_gap = withhold(engine, &transaction, owed, &statuses, latest).await?;
    if findings.owed.len() > engine.tenants_at_a_time {
        let sizes = run_status::sizes(&transaction).await?;
        put_in_order(&mut findings.owed, &sizes);
    }
    let last_success = match findings.oldest_unfinished {
        // While something is owed, the last success lies in an older period.
        Some(owed) => run_status::last_success_before(&transaction, owed).await?,
        // Where no tenant has a policy there was nothing to do, and it was done at once.
        None => findings.last_completed.or(findings.due_at),
    };
    let last_completion = match findings.last_ended {
        Some(ended) => Some(ended),
        None => run_status::last_completed_before(&transaction, oldest).await?,
    };
    transaction.rollback().await?;
    Ok(Survey {
        now,
        clock_skew: clocks.skew(),
        last_success,
        last_completion,
        findings,
    })
}

/// What is to be done about one tenant.
enum Verdict {
    /// Claim it.
    Owed,
    /// Not done, and not ours to take before that instant.
    Wait(DateTime<Utc>),
    /// Nothing to do before the next period.
    Done,
}

/// Decides what is owed. `database_now` is the clock by which retries and leases are reckoned.
#[must_use]
pub fn judge(
    all: Vec<Candidate>,
    statuses: &[RunStatus],
    policies: &HashMap<TenantId, Vec<Version>>,
    hour: ScheduleHour,
    now: DateTime<Utc>,
    database_now: DateTime<Utc>,
) -> Findings {
    let due = due_periods(&all);
    let mut newest: HashMap<TenantId, &RunStatus> = HashMap::with_capacity(all.len());
    for run_status in statuses {
        if is_of_the_future(run_status, &due) {
            continue;
        }
        newest
            .entry(run_status.tenant)
            .and_modify(|known| {
                if is_newer(run_status, known) {
                    *known = run_status;
                }
            })
            .or_insert(run_status);
    }
    let mut findings = Findings::default();
    let mut unfinished_due: Option<DateTime<Utc>> = None;
    let mut newest_due: Option<DateTime<Utc>> = None;
    for candidate in all {
        let run = newest.get(&candidate.tenant).copied();
        let verdict = verdict(&candidate, run, policies, database_now);
        // A run of an older period says nothing about this one.
        let state = run
            .filter(|run| run.period >= candidate.period)
            .map_or(RunState::Pending, |run| run.state);
        let state = match (&verdict, state) {
            // The month that superseded it has not come yet.
            (Verdict::Owed, RunState::Superseded) => RunState::Pending,
            // Not believed (S14).
            (Verdict::Owed, RunState::Completed) => RunState::Pending,
            _ => state,
        };
        *findings.states.entry(state.name()).or_default() += 1;
        findings.tenants.insert(candidate.tenant, state);
        if let Ok(zone) = &candidate.zone
            && !findings.zones.contains_key(zone.name())
        {
            findings.zones.insert(zone.name().to_owned(), zone.clone());
        }
        newest_due = newest_due.max(Some(candidate.due_at));
        if let Some(run) = run {
            findings.orphans += run.orphans;
            if run.state == RunState::Completed {
                findings.last_completed = findings.last_completed.max(run.finished_at);
            }
            if matches!(run.state, RunState::Completed | RunState::Failed) {
                findings.last_ended = findings.last_ended.max(run.finished_at);
            }
        }
        let next_due = due_instant(candidate.period.next(), candidate.reckoning(), hour);
        // A clock that went back shows periods as due that lie before what was done; the next due
        // instant may even have passed. There is always a sweep.
        let mut wait = Some(next_due - now).filter(|wait| *wait > TimeDelta::zero());
        if !matches!(verdict, Verdict::Done) {
            unfinished_due = earlier(unfinished_due, candidate.due_at);
            findings.oldest_unfinished = Some(
                findings
                    .oldest_unfinished
                    .map_or(candidate.period, |oldest| oldest.min(candidate.period)),
            );
        }
        match verdict {
            Verdict::Owed => findings.owed.push(candidate),
            Verdict::Wait(until) => wait = earlier(wait, until - database_now),
            Verdict::Done if state == RunState::Completed => findings.completed.push(candidate),
            Verdict::Done => {}
        }
        if let Some(wait) = wait {
            findings.look_again_in = earlier(findings.look_again_in, wait);
        }
    }
    findings.due_at = unfinished_due.or(newest_due);
    put_in_order(&mut findings.owed, &HashMap::new());
    findings
}

/// The newest due period of each tenant.
fn due_periods(all: &[Candidate]) -> HashMap<TenantId, Period> {
    let due = |candidate: &Candidate| (candidate.tenant, candidate.period);
    all.iter().map(due).collect()
}

/// S12: whether the run's month has not come yet. What is due by the calendar has, whatever its record says.
fn is_of_the_future(run_status: &RunStatus, due: &HashMap<TenantId, Period>) -> bool {
    run_status.is_of_the_future && due.get(&run_status.tenant) != Some(&run_status.period)
}

/// S14: what is wrong with the records, each counted once by whatever is wrong with it. Records of months to come
/// that a claim has set aside are as they should be (S12).
fn faults(
    statuses: &[RunStatus],
    due: &HashMap<TenantId, Period>,
    latest: DateTime<Utc>,
    skew_max: TimeDelta,
) -> BTreeMap<Fault, u64> {
    let mut counted = BTreeMap::new();
    for run_status in statuses {
        let found = if !is_of_the_future(run_status, due) {
            let mut found = run_status.record.time_faults(latest, skew_max);
            found.extend(run_status.record.pinned_fault());
            found
        } else if run_status.state == RunState::Pending && !run_status.is_pinned {
            Vec::new()
        } else {
            vec![Fault::FutureMonth]
        };
        for fault in found {
            *counted.entry(fault).or_default() += 1;
        }
    }
    counted
}

/// Of two runs of a tenant, the one that decides: the newest that was not superseded.
fn is_newer(one: &RunStatus, other: &RunStatus) -> bool {
    let rank =
        |run_status: &RunStatus| (run_status.state != RunState::Superseded, run_status.period);
    rank(one) > rank(other)
}

fn verdict(
    candidate: &Candidate,
    run: Option<&RunStatus>,
    policies: &HashMap<TenantId, Vec<Version>>,
    database_now: DateTime<Utc>,
) -> Verdict {
    let Some(run) = run.filter(|run| run.period >= candidate.period) else {
        return Verdict::Owed;
    };
    if run.period > candidate.period {
        // The clock went back, or the tenant moved to a zone where the new month has not begun.
        return Verdict::Done;
    }
    match run.state {
        // A record that cannot be true is no proof that anything was done (S14).
        RunState::Completed if run.record.pinned_fault().is_some() => Verdict::Owed,
        RunState::Completed => Verdict::Done,
        // Every newer run that counts would have been chosen instead: it was superseded by a month that
        // has not come yet (S12).
        RunState::Superseded => Verdict::Owed,
        RunState::NoPolicy => {
            let ruling = policies
                .get(&candidate.tenant)
                .and_then(|versions| version_at(versions, candidate.due_at));
            match ruling {
                Some(version) if !version.terms.is_empty() => Verdict::Owed,
                _ => Verdict::Done,
            }
        }
        RunState::Pending => Verdict::Owed,
        RunState::Failed => wait(run.retry_at, database_now),
        RunState::Running => wait(run.lease_expires_at, database_now),
    }
}

/// Owed, unless `until` has still to come. Both are the database's times; the daemon's timer adds
/// what it takes for them to have passed. What lies further ahead than anything is made to wait was
/// written by a clock that was wrong (S12).
fn wait(until: Option<DateTime<Utc>>, database_now: DateTime<Utc>) -> Verdict {
    let longest = TimeDelta::from_std(WAIT_MAX).unwrap_or(TimeDelta::MAX);
    match until {
        Some(until) if (database_now..=database_now + longest).contains(&until) => {
            Verdict::Wait(until)
        }
        _ => Verdict::Owed,
    }
}

fn earlier<T: Ord + Copy>(one: Option<T>, other: T) -> Option<T> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// Fair order: the longest overdue first, then the smallest, so that a giant does not make a
/// hundred small ones wait.
fn put_in_order(owed: &mut [Candidate], sizes: &HashMap<TenantId, i64>) {
    owed.sort_by(|one, other| {
        let key = |candidate: &Candidate| {
            (
                candidate.due_at,
                sizes.get(&candidate.tenant).copied().unwrap_or_default(),
            )
        };
        key(one)
            .cmp(&key(other))
            .then_with(|| one.slug.cmp(&other.slug))
    });
}

#[cfg(test)]
mod tests;
