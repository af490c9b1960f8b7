//! What a run would do now, exactly; writes nothing.

use futures_util::{StreamExt, stream};

use crate::domain::cutoff::Cutoffs;
use crate::domain::gap::GAP;
use crate::domain::policy::version_at;
use crate::domain::run_state::RunState;
use crate::store::{policies, runs};

use crate::engine::claim::{newer_run, pinned_fault, ruling_version};
use crate::engine::context::Engine;
use crate::engine::due::{Candidate, Scope, UnknownTenants, find_due};
use crate::engine::error::EngineError;
use crate::engine::recount;
use crate::engine::report::TenantReport;
use crate::engine::run::refusal::Refusal;
use crate::engine::schedule::gap::gap_of;

/// Tenants that are counted at a time, whatever a run is held to.
const AT_A_TIME_MIN: usize = 2;

/// A plan for each tenant of the scope, or why there is none, by slug.
#[derive(Debug)]
pub struct PlanEntry {
    /// The tenant and its period.
    pub candidate: Candidate,
    /// The counts, which are those that the run will report; or why they cannot be had.
    pub report: Result<TenantReport, EngineError>,
    /// Why a run would be refused, in one sentence, and nobody could confirm it: nothing is counted then.
    pub refused: Option<String>,
    /// E18: of the people to be anonymized, those of whose upload nobody else would be left.
    pub anonymized_alone: u64,
}

/// Counts what a run of `scope` would do. All counts of a tenant are from one snapshot.
///
/// # Errors
///
/// What keeps the plan from starting: the database, a clock skew; the inner one an unknown slug.
pub async fn plan(
    engine: &Engine,
    scope: &Scope,
) -> Result<Result<Vec<PlanEntry>, UnknownTenants>, EngineError> {
    let found = match find_due(engine, scope).await? {
        Ok(found) => found,
        Err(unknown) => return Ok(Err(unknown)),
    };
    // As many at a time as a run would work on, and in their order; but two at least, for it only reads,
    // and somebody waits for it. Each holds a connection for as long as it counts: whoever had to wait
    // for one would wait in vain.
    let tenants_at_a_time = engine.permits.workers().max(AT_A_TIME_MIN);
    let tenants_at_a_time = tenants_at_a_time.min(engine.database.connections_max());
    let is_alone = found.len() == 1 || tenants_at_a_time == 1;
    let entries = stream::iter(found)
        .map(|candidate| async move {
            let planned = plan_one(engine, &candidate, is_alone).await;
            engine.progress.tenant_done();
            let (report, refused, anonymized_alone) = match planned {
                Ok(planned) => (Ok(planned.report), planned.refused, planned.alone),
                Err(error) => (Err(error), None, 0),
            };
            PlanEntry {
                candidate,
                report,
                refused,
                anonymized_alone,
            }
        })
        .buffered(tenants_at_a_time);
    Ok(Ok(entries.collect().await))
}

/// A tenant's part of a plan.
struct Planned {
    report: TenantReport,
    refused: Option<String>,
    alone: u64,
}

impl Planned {
    fn of(report: TenantReport) -> Self {
        Self {
            report,
            refused: None,
            alone: 0,
        }
    }
}

/// Decides as a claim does, in its order.
async fn plan_one(
    engine: &Engine,
    candidate: &Candidate,
    is_alone: bool,
) -> Result<Planned, EngineError> {
    let zone = candidate.zone()?;
    let transaction = engine.database.begin_read("planning").await?;
    if !is_alone {
        transaction.without_parallel_workers().await?;
    }
    let clocks = engine.clocks(&transaction).await?;
    let (now, latest) = (engine.now(clocks)?, clocks.latest());
    let run = runs::find(&transaction, candidate.tenant, candidate.period).await?;
    let versions = policies::versions(&transaction, candidate.tenant).await??;
    let state = run.as_ref().and_then(|run| run.state.parse().ok());
    let mut report = TenantReport::new(
        &candidate.slug,
        candidate.period,
        state.unwrap_or(RunState::Pending),
    );
    report.run_id = run.as_ref().map(|run| run.id);
    let fault = run.as_ref().and_then(|run| pinned_fault(run, &versions));
    let is_done = report.state == RunState::Completed && fault.is_none();
    let refused = if candidate.due_at > now {
        Some(Refusal::NotDue)
    } else if is_done {
        None
    } else {
        let newer = newer_run(&transaction, candidate, latest).await?;
        newer.map(|newer| Refusal::Superseded { newer })
    };
    if let Some(refusal) = refused {
        transaction.rollback().await?;
        report.blocked_by = Some(refusal.reason());
        // Not counted, but a person may want to know by which cutoffs a month to come will be done.
        let ruling = ruling_version(&versions, run.as_ref(), candidate.due_at);
        if let Some(ruling) = ruling.filter(|_| refusal == Refusal::NotDue) {
            let cutoffs = Cutoffs::of(candidate.period, zone, &ruling.terms);
            report.set_policy(Some(ruling.number), cutoffs);
        }
        return Ok(Planned {
            refused: Some(refusal.sentence(candidate)),
            ..Planned::of(report)
        });
    }
    if !is_done {
        let believed = run.as_ref().filter(|_| fault.is_none());
        let gap = gap_of(engine, &transaction, candidate, believed, latest).await?;
        report.blocked_by = gap.map(|_| GAP);
    }
    if let Some(fault) = fault {
        if report.state != RunState::Completed && report.blocked_by.is_none() {
            return Err(EngineError::PinnedCutoffs { fault });
        }
        // The run will be begun anew (S14), or waits for a confirmation first.
        report.state = RunState::Pending;
    }
    let Some(ruling) = ruling_version(&versions, run.as_ref(), candidate.due_at) else {
        report.state = RunState::NoPolicy;
        transaction.rollback().await?;
        return Ok(Planned::of(report));
    };
    let pinned = match run
        .as_ref()
        .filter(|run| run.policy_version.is_some() && fault.is_none())
    {
        Some(run) => Cutoffs {
            anonymize: run.anonymize_cutoff,
            purge: run.purge_cutoff,
        },
        None => Cutoffs::of(candidate.period, zone, &ruling.terms),
    };
    report.set_policy(Some(ruling.number), pinned);
    if report.state == RunState::NoPolicy {
        // A policy was backdated since the run was looked at; it will be taken up.
        report.state = RunState::Pending;
    }
    let mut alone = 0;
    if !is_done {
        let current = version_at(&versions, now).map(|version| &version.terms);
        let in_force = pinned.in_force(current, candidate.period, zone);
        let hasher = engine.keyring.for_tenant(candidate.tenant);
        let counts;
        (counts, alone) = recount::plan(&transaction, candidate.tenant, in_force, &hasher).await?;
        report.set_counts(&counts);
    }
    report.undated = recount::undated(&transaction, candidate.tenant, now).await?;
    transaction.rollback().await?;
    Ok(Planned {
        alone,
        ..Planned::of(report)
    })
}
