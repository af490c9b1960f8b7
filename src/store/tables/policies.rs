//! Policy versions. They are added, never changed.

use std::collections::HashMap;

use entity::{policy, tenant_run};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::domain::period::Period;
use crate::domain::policy::{PolicyError, Terms, Version};
use crate::domain::run_state::RunState;
use crate::ids::TenantId;

use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// All versions of a tenant, oldest first.
///
/// # Errors
///
/// The database's; the inner one when a stored version breaks the rules of P5 or P7: nothing may
/// be erased by it.
pub async fn versions(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<Result<Vec<Version>, PolicyError>, StoreError> {
    let rows = transaction
        .models(
            "policies.versions",
            policy::Entity::find()
                .filter(policy::Column::TenantId.eq(tenant.0))
                .order_by_asc(policy::Column::Version),
        )
        .await?;
    Ok(rows.into_iter().map(version).collect())
}

/// The versions of all tenants that have a run without a policy in `oldest` or a newer period, oldest
/// version first: one may have been dated back since. Of a version that breaks the rules nothing is
/// known here; whoever claims the run finds out.
pub async fn versions_of_unruled(
    transaction: &Transaction,
    oldest: Period,
) -> Result<HashMap<TenantId, Vec<Version>>, StoreError> {
    let unruled = Query::select()
        .column(tenant_run::Column::TenantId)
        .from(tenant_run::Entity)
        .and_where(tenant_run::Column::State.eq(RunState::NoPolicy.name()))
        .and_where(tenant_run::Column::Period.gte(oldest.to_string()))
        .to_owned();
    let rows = transaction
        .models(
            "policies.versions_of_unruled",
            policy::Entity::find()
                .filter(policy::Column::TenantId.in_subquery(unruled))
                .order_by_asc(policy::Column::Version),
        )
        .await?;
    let mut found: HashMap<TenantId, Vec<Version>> = HashMap::new();
    for row in rows {
        let tenant = TenantId(row.tenant_id);
        if let Ok(version) = version(row) {
            found.entry(tenant).or_default().push(version);
        }
    }
    Ok(found)
}

fn version(row: policy::Model) -> Result<Version, PolicyError> {
    Ok(Version {
        number: row.version,
        terms: Terms::from_stored(
            row.anonymize_after_months,
            row.retain_months,
            row.quarantine_days,
            row.long_quarantine_accepted,
        )?,
        effective_from: row.effective_from,
        created_at: row.created_at,
        created_by: row.created_by,
        reason: row.reason,
    })
}

/// Adds a version. Two people who add the same number at once: the second is refused by the key.
pub async fn add(
    transaction: &Transaction,
    tenant: TenantId,
    version: &Version,
) -> Result<(), StoreError> {
    let terms = &version.terms;
    let quarantine_days = terms
        .quarantine_days
        .map(|days| i32::try_from(days).unwrap_or(i32::MAX));
    // Not through the entity: on MariaDB it binds a TIMESTAMP, which a date far back or far ahead
    // is none of.
    transaction
        .execute(
            "policies.add",
            "INSERT INTO policy (tenant_id, version, anonymize_after_months, retain_months, \
             quarantine_days, long_quarantine_accepted, effective_from, created_at, created_by, \
             reason) VALUES (:tenant, :version, :anonymize, :retain, :quarantine, :accepted, \
             :effective_from, :created_at, :created_by, :reason)",
            &[
                ("tenant", tenant.into()),
                ("version", version.number.into()),
                (
                    "anonymize",
                    terms.anonymize_after.map(|months| months.as_i32()).into(),
                ),
                ("retain", terms.retain.map(|months| months.as_i32()).into()),
                ("quarantine", quarantine_days.into()),
                ("accepted", terms.long_quarantine_accepted.into()),
                ("effective_from", version.effective_from.into()),
                ("created_at", version.created_at.into()),
                ("created_by", version.created_by.clone().into()),
                ("reason", version.reason.clone().into()),
            ],
        )
        .await?;
    Ok(())
}
