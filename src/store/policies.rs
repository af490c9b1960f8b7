//! Policy versions, through their entity. They are added, never changed.

use entity::policy;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};

use crate::domain::policy::{PolicyError, Terms, Version};
use crate::ids::TenantId;

use super::error::StoreError;
use super::transaction::Transaction;

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
        .run(
            policy::Entity::find()
                .filter(policy::Column::TenantId.eq(tenant.0))
                .order_by_asc(policy::Column::Version)
                .all(transaction.orm()),
        )
        .await?;
    Ok(rows.into_iter().map(version).collect())
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
///
/// # Errors
///
/// The database's.
pub async fn add(
    transaction: &Transaction,
    tenant: TenantId,
    version: &Version,
) -> Result<(), StoreError> {
    let row = policy::ActiveModel {
        tenant_id: Set(tenant.0),
        version: Set(version.number),
        anonymize_after_months: Set(version.terms.anonymize_after.map(|months| months.as_i32())),
        retain_months: Set(version.terms.retain.map(|months| months.as_i32())),
        quarantine_days: Set(version
            .terms
            .quarantine_days
            .map(|days| i32::try_from(days).unwrap_or(i32::MAX))),
        long_quarantine_accepted: Set(version.terms.long_quarantine_accepted),
        effective_from: Set(version.effective_from),
        created_at: Set(version.created_at),
        created_by: Set(version.created_by.clone()),
        reason: Set(version.reason.clone()),
    };
    transaction.run(row.insert(transaction.orm())).await?;
    Ok(())
}
