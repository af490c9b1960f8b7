//! One tenant attended to, and one pass over everything that is owed: several tenants at a time, each
//! on its own.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use entity::tenant_run;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::requirements::Requirement;
use crate::store::{Transaction, runs};
use crate::telemetry::metrics;

use super::claim::{Claim, claim, record_failed_claim};
use super::conductor::{Driven, drive, end_early};
use super::context::Engine;
use super::due::{Candidate, Scope, UnknownTenants, find_due};
use super::error::{EngineError, PANIC};
use super::held::HeldRun;
use super::orphans;
use super::report::{Outcome, PassEntry, TenantReport};
use super::run::refusal::Refusal;
use super::schedule::completed_runs::completed_runs;
use super::tally::Tally;

/// Runs whatever is owed within `scope` and returns an entry for each tenant, by slug.
///
/// One tenant's failure, or a panic in its run, does not touch the others (S4).
///
/// # Errors
///
/// What keeps the pass from starting: the database, a clock skew; the inner one an unknown slug.
pub async fn run(
    engine: &Engine,
    scope: &Scope,
) -> Result<Result<Vec<PassEntry>, UnknownTenants>, EngineError> {
    let (candidates, mut completed_runs) = match find_runs(engine, scope).await {
        Ok(Ok(found)) => found,
        Ok(Err(unknown)) => return Ok(Err(unknown)),
        Err(error) => {
            if error.is_of_the_clock() {
                let event = match &error {
                    EngineError::ClockSkew { .. } => "clock_skew",
                    _ => "clock_refused",
                };
                tracing::error!(event, class = error.class(), "{error}");
            }
            return Err(error);
        }
    };
    // What stops this pass must not stop the next one.
    let mut engine = engine.clone();
    engine.stop = engine.stop.child_token();
    let mut tasks = JoinSet::new();
    let mut entries = Vec::with_capacity(candidates.len());
    let mut line = VecDeque::new();
    for candidate in candidates {
        if let Some(run) = completed_runs.remove(&candidate.tenant) {
            entries.push(completed_entry(&candidate, run));
            engine.progress.tenant_done();
        } else {
            line.push_back(candidate);
        }
    }
    loop {
        let slots = engine.free_slots(tasks.len()).min(line.len());
        for candidate in line.drain(..slots) {
            let engine = engine.clone();
            tasks.spawn(async move { run_isolated(&engine, candidate).await });
        }
        match tasks.join_next().await {
            Some(Ok(entry)) => entries.push(entry),
            // `run_isolated` catches panics of the run itself.
            Some(Err(_)) => {}
            None => break,
        }
        engine.progress.tenant_done();
    }
    entries.sort_by(|a, b| a.report.tenant.cmp(&b.report.tenant));
    let mut tally = Tally::default();
    for entry in &entries {
        tally.add(entry);
    }
    tally.tell();
    Ok(Ok(entries))
}

/// What is due, and which of it is done.
async fn find_runs(
    engine: &Engine,
    scope: &Scope,
) -> Result<
    Result<(Vec<Candidate>, HashMap<TenantId, tenant_run::Model>), UnknownTenants>,
    EngineError,
> {
    if let Some(unmet) = engine.database.unmet_of(&Requirement::TO_WRITE).await? {
        return Err(EngineError::Unmet(unmet));
    }
    let looked = find_due(engine, scope).await;
    if let Err(EngineError::Unmet(unmet)) = &looked {
        orphans::suspect(engine, unmet).await;
    }
    let candidates = match looked? {
        Ok(candidates) => candidates,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let completed_runs = completed_runs(engine, &candidates).await?;
    Ok(Ok((candidates, completed_runs)))
}

fn completed_entry(candidate: &Candidate, run: tenant_run::Model) -> PassEntry {
    let mut report = TenantReport::new(&candidate.slug, candidate.period, RunState::Pending);
    let claim = Claim::AlreadyCompleted(Box::new(run));
    let outcome = not_claimed(candidate, claim, &mut report);
    PassEntry {
        report,
        outcome,
        duration_seconds: 0.0,
    }
}

/// Claims the candidate's run and drives it, in a task of its own: a panic ends this tenant's run and
/// no other. Whoever drops the future ends the task.
///
/// What concerns every tenant (a full disk, a clock that is wrong) cancels `engine.stop`.
pub async fn run_isolated(engine: &Engine, candidate: Candidate) -> PassEntry {
    let task = {
        let (engine, candidate) = (engine.clone(), candidate.clone());
        tokio::spawn(async move { run_tenant(&engine, &candidate).await })
    };
    match AbortOnDropHandle::new(task).await {
        Ok(entry) => entry,
        Err(_) => panicked(&candidate),
    }
}

fn panicked(candidate: &Candidate) -> PassEntry {
    metrics::failed(PANIC);
    PassEntry {
        report: TenantReport::new(&candidate.slug, candidate.period, RunState::Running),
        outcome: failed(&EngineError::Panicked),
        duration_seconds: 0.0,
    }
}

/// One tenant of the pass. A full disk, or a clock that is wrong, is everybody's: it stops the pass.
async fn run_tenant(engine: &Engine, candidate: &Candidate) -> PassEntry {
    let started = Instant::now();
    let mut report = TenantReport::new(&candidate.slug, candidate.period, RunState::Pending);
    let outcome = if engine.stop.is_cancelled() {
        Outcome::Stopped
    } else {
        match claim(engine, candidate).await {
            // Nothing was begun.
            Err(EngineError::Stopped) => Outcome::Stopped,
            Err(error) => claim_failed(engine, candidate, &error, &mut report).await,
            Ok(Claim::Claimed(run)) => {
                report.run_id = Some(run.lease.run_id);
                report.set_policy(Some(run.policy_version), run.pinned);
                let Driven {
                    counts,
                    undated,
                    error,
                } = execute(&run).await;
                if let Some(error) = &error {
                    engine.stop_if_systemic(error);
                }
                match counts {
                    Some(counts) => report.set_counts(&counts),
                    None => report.counts_unknown = true,
                }
                report.undated = undated;
                match error {
                    None => {
                        report.state = RunState::Completed;
                        Outcome::Done
                    }
                    Some(error) => ended_early(&error, &mut report),
                }
            }
            Ok(claim) => not_claimed(candidate, claim, &mut report),
        }
    };
    PassEntry {
        report,
        outcome,
        duration_seconds: started.elapsed().as_secs_f64(),
    }
}

/// Drives a claimed run in a task of its own, so that even a panic is recorded as what ended it: it
/// would be claimed again and again otherwise, and nobody would see why.
async fn execute(run: &HeldRun) -> Driven {
    let started = Instant::now();
    let task = {
        let run = run.clone();
        tokio::spawn(async move { drive(&run).await })
    };
    match AbortOnDropHandle::new(task).await {
        Ok(driven) => driven,
        Err(_) => {
            let error = EngineError::Panicked;
            end_early(run, &error, started).await;
            Driven {
                counts: done_in(run).await,
                undated: 0,
                error: Some(error),
            }
        }
    }
}

/// What the run's record says was done in this attempt, for a run that cannot tell any more. `None` where it
/// cannot be read, or another process has taken the run over since.
async fn done_in(run: &HeldRun) -> Option<Counts> {
    let read = async |transaction: &Transaction| {
        runs::find(transaction, run.lease.tenant, run.period).await
    };
    let database = &run.engine.database;
    let stored = database.read("reading what a run did", read).await.ok()??;
    (stored.attempts == run.attempts).then(|| runs::counts_of(&stored).since(run.done_before))
}

fn ended_early(error: &EngineError, report: &mut TenantReport) -> Outcome {
    let (state, outcome) = match error {
        EngineError::LeaseLost => (RunState::Running, Outcome::Held),
        EngineError::Superseded => (RunState::Superseded, Outcome::Superseded),
        EngineError::Stopped => (RunState::Pending, Outcome::Stopped),
        _ => (RunState::Failed, failed(error)),
    };
    report.state = state;
    outcome
}

fn failed(error: &EngineError) -> Outcome {
    if error.is_of_the_clock() {
        return Outcome::Refused {
            message: error.to_string(),
        };
    }
    let refused = match error {
        EngineError::Refused { first, .. } => Some(first),
        _ => None,
    };
    Outcome::Failed {
        failure_class: error.class(),
        failure_code: error.code().map(str::to_owned),
        failure_constraint: refused.and_then(|row| row.constraint.clone()),
        failure_row_id: refused.map(|row| row.id),
        message: error.to_string(),
    }
}

async fn claim_failed(
    engine: &Engine,
    candidate: &Candidate,
    error: &EngineError,
    report: &mut TenantReport,
) -> Outcome {
    let event = match error {
        EngineError::ClockSkew { .. } => "clock_skew",
        EngineError::ClockOutOfRange(_) | EngineError::ClockWentBack { .. } => "clock_refused",
        _ => "tenant_run_failed",
    };
    tracing::warn!(
        event,
        tenant = candidate.slug,
        period = %candidate.period,
        class = error.class(),
        code = error.code(),
        "the run could not be claimed: {error}"
    );
    metrics::failed(error.class());
    engine.stop_if_systemic(error);
    report.state = RunState::Failed;
    match record_failed_claim(engine, candidate, error).await {
        Ok(run_id) => report.run_id = run_id,
        // Most likely what failed the claim fails its record too; the log has it.
        Err(error) => tracing::warn!(
            event = "run_record_failed",
            tenant = candidate.slug,
            period = %candidate.period,
            class = error.class(),
            code = error.code(),
            "the failed claim could not be recorded: {error}"
        ),
    }
    failed(error)
}

fn not_claimed(candidate: &Candidate, claim: Claim, report: &mut TenantReport) -> Outcome {
    let (reason, outcome) = match claim {
        // Handled by the caller; nothing was done.
        Claim::Claimed(_) => ("claimed", Outcome::Done),
        Claim::AlreadyCompleted(run) => {
            report.state = RunState::Completed;
            report.run_id = Some(run.id);
            report.set_policy(
                run.policy_version,
                Cutoffs {
                    anonymize: run.anonymize_cutoff,
                    purge: run.purge_cutoff,
                },
            );
            report.set_counts(&Counts::default());
            report.undated = undated_of(&run);
            ("completed", Outcome::AlreadyCompleted)
        }
        Claim::NoPolicy { run_id } => {
            report.state = RunState::NoPolicy;
            report.run_id = Some(run_id);
            ("no_policy", Outcome::NoPolicy)
        }
        Claim::Held { run_id } => {
            report.state = RunState::Running;
            report.run_id = Some(run_id);
            ("held", Outcome::Held)
        }
        Claim::Refused(refusal) => {
            match refusal {
                Refusal::Superseded { .. } => report.state = RunState::Superseded,
                Refusal::Gap { .. } => report.blocked_by = Some(refusal.reason()),
                Refusal::NotDue => {}
            }
            let message = refusal.sentence(candidate);
            (refusal.reason(), Outcome::Refused { message })
        }
    };
    let said = match &outcome {
        Outcome::Refused { message } => message,
        _ => "nothing was changed",
    };
    tracing::info!(
        event = "tenant_run_skipped",
        tenant = candidate.slug,
        period = %candidate.period,
        run_id = report.run_id.map(|id| id.to_string()),
        reason,
        "{said}"
    );
    outcome
}

/// The report of a recorded run.
#[must_use]
pub fn report_of(slug: &str, run: &tenant_run::Model) -> Option<TenantReport> {
    let mut report = TenantReport::new(slug, run.period.parse().ok()?, run.state.parse().ok()?);
    report.run_id = Some(run.id);
    report.set_policy(
        run.policy_version,
        Cutoffs {
            anonymize: run.anonymize_cutoff,
            purge: run.purge_cutoff,
        },
    );
    report.set_counts(&runs::counts_of(run));
    report.undated = undated_of(run);
    Some(report)
}

fn undated_of(run: &tenant_run::Model) -> u64 {
    run.undated
        .and_then(|undated| u64::try_from(undated).ok())
        .unwrap_or_default()
}
