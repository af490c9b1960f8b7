//! S13: which claims wait until somebody confirms them, because they come long after the last settled
//! month of their tenant.
//!
//! A claim asks for its own tenant; a survey asks for all that are owed, by two statements.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::tenant_run;

use crate::domain::gap::gap_before;
use crate::domain::period::Period;
use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::run_status::RunStatus;
use crate::store::{StoreError, Transaction, runs};

use super::due::Candidate;
use crate::engine::context::Engine;

/// The newest settled month before the gap, if the candidate's run has to be confirmed. A run that has
/// been claimed before was confirmed then, if it had to be.
///
/// `due_by` is the later of the two clocks.
///
/// # Errors
///
/// The database's.
pub(in crate::engine) async fn gap_of(
    engine: &Engine,
    transaction: &Transaction,
    candidate: &Candidate,
    existing: Option<&tenant_run::Model>,
    due_by: DateTime<Utc>,
) -> Result<Option<Period>, StoreError> {
    let Some(months_max) = engine.gap_max else {
        return Ok(None);
    };
    if engine.is_gap_confirmed || existing.is_some_and(|run| run.policy_version.is_some()) {
        return Ok(None);
    }
    let settled = [RunState::Completed, RunState::NoPolicy];
    let of_tenant = runs::newest_period(transaction, candidate.tenant, &settled, due_by).await?;
    let of_database = match of_tenant {
        Some(_) => None,
        None => runs::newest_settled_of_all(transaction, due_by).await?,
    };
    Ok(gap_before(
        candidate.period,
        of_tenant,
        of_database,
        months_max,
    ))
}

/// Takes those out of `owed` whose runs have to be confirmed, and returns them.
///
/// # Errors
///
/// The database's.
pub(in crate::engine) async fn withhold(
    engine: &Engine,
    transaction: &Transaction,
    owed: &mut Vec<Candidate>,
    statuses: &[RunStatus],
    due_by: DateTime<Utc>,
) -> Result<Vec<Candidate>, StoreError> {
    let Some(months_max) = engine.gap_max else {
        return Ok(Vec::new());
    };
    if engine.is_gap_confirmed || owed.is_empty() {
        return Ok(Vec::new());
    }
    let of_tenants: HashMap<TenantId, Period> = runs::newest_settled(transaction, due_by).await?;
    let of_database = of_tenants.values().max().copied();
    let pinned: HashSet<(TenantId, Period)> = statuses
        .iter()
        .filter(|run_status| run_status.is_pinned && run_status.record.pinned_fault().is_none())
        .map(|run_status| (run_status.tenant, run_status.period))
        .collect();
    let waits = |candidate: &mut Candidate| {
        let of_tenant = of_tenants.get(&candidate.tenant).copied();
        !pinned.contains(&(candidate.tenant, candidate.period))
            && gap_before(candidate.period, of_tenant, of_database, months_max).is_some()
    };
    Ok(owed.extract_if(.., waits).collect())
}
