//! Which tenants a pass need not claim, for all tenants at once: a pass over a thousand tenants whose
//! period is done takes as many statements as one over ten.
//!
//! Nothing is decided here that a claim would decide otherwise. What is looked for is a completed run,
//! of which a claim writes nothing; whatever else there is goes to the claim, which looks again under the
//! run's lock, and so does a record that cannot be true (S14). (Of a tenant without a policy the claim
//! records the gaps.)

use std::collections::HashMap;

use entity::tenant_run;

use crate::domain::record::Named;
use crate::ids::TenantId;
use crate::store::{run_status, runs};

use super::due::Candidate;
use crate::engine::context::Engine;
use crate::engine::error::EngineError;

/// Of the candidates' runs those that are completed; a claim would find the same.
///
/// # Errors
///
/// The database's, or a clock skew.
pub(in crate::engine) async fn completed_runs(
    engine: &Engine,
    candidates: &[Candidate],
) -> Result<HashMap<TenantId, tenant_run::Model>, EngineError> {
    let periods = || candidates.iter().map(|candidate| candidate.period);
    let (Some(oldest), Some(newest)) = (periods().min(), periods().max()) else {
        return Ok(HashMap::new());
    };
    let transaction = engine
        .database
        .begin_read("looking for what is done")
        .await?;
    let clocks = engine.clocks(&transaction).await?;
    let now = engine.now(clocks)?;
    let completed = run_status::completed(&transaction, oldest, newest, clocks.latest()).await?;
    let terms = run_status::terms_of_completed(&transaction, oldest, newest).await?;
    transaction.rollback().await?;
    let mut completed: HashMap<i64, _> = completed
        .into_iter()
        .map(|run| (run.tenant_id, run))
        .collect();
    let completed_runs = candidates.iter().filter_map(|candidate| {
        // A tenant that moved to another zone may be in another period than its run. What is not due,
        // or has no zone that can be had, is refused with its reason.
        let run = completed.remove(&candidate.tenant.0).filter(|run| {
            run.period == candidate.period.to_string()
                && candidate.due_at <= now
                && candidate.zone.is_ok()
                && is_believed(run, &terms)
        })?;
        Some((candidate.tenant, run))
    });
    Ok(completed_runs.collect())
}

/// Whether what the record has pinned can be its month's.
fn is_believed(run: &tenant_run::Model, terms: &HashMap<(TenantId, i32), Named>) -> bool {
    let version = run.policy_version.map_or(Named::None, |number| {
        let known = terms.get(&(TenantId(run.tenant_id), number));
        known.copied().unwrap_or(Named::Unknown)
    });
    runs::record_of(run, version).is_some_and(|record| record.pinned_fault().is_none())
}
