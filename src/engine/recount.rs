//! Counting what a set of cutoffs would touch. `plan` shows it, a run is completed only when it is
//! zero, and `verify` repeats it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::email::NormalizedEmail;
use crate::domain::subject::CHILD_TABLES;
use crate::domain::suppression::{Suppressed, TenantHasher};
use crate::ids::TenantId;
use crate::store::leases::Cursor;
use crate::store::{StoreError, Transaction, beginning_of_time, suppressions};

use super::erase::LEFT_EMPTY;
use super::stage::{Selection, Stage};

/// Rows a page when addresses have to be read one by one.
const PAGE_ROWS: i64 = 1_000;

fn parameters(tenant: TenantId, selection: &Selection) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.0.into()),
        ("cutoff", selection.cutoff.into()),
        ("floor", selection.floor.into()),
    ]
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Participants that `stage` may touch under `cutoffs`.
///
/// # Errors
///
/// The database's.
pub async fn eligible(
    transaction: &Transaction,
    tenant: TenantId,
    stage: Stage,
    cutoffs: Cutoffs,
) -> Result<u64, StoreError> {
    let Some(selection) = Selection::of(stage, cutoffs) else {
        return Ok(0);
    };
    let sql = format!(
        "SELECT COUNT(*) AS n FROM participant WHERE tenant_id = :tenant AND {}",
        selection.condition("")
    );
    let count = transaction
        .number(&sql, &parameters(tenant, &selection))
        .await?;
    Ok(unsigned(count))
}

/// Of the participants that `stage` may touch, those that were stored at or after `since` (by the
/// database's clock), themselves or by the end of their upload: S11 calls them late.
///
/// # Errors
///
/// The database's.
pub async fn eligible_stored_since(
    transaction: &Transaction,
    tenant: TenantId,
    stage: Stage,
    cutoffs: Cutoffs,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let Some(selection) = Selection::of(stage, cutoffs) else {
        return Ok(0);
    };
    let sql = format!(
        "SELECT COUNT(*) AS n FROM participant WHERE tenant_id = :tenant AND {} \
         AND (stored_at >= :since OR EXISTS (SELECT 1 FROM upload \
         WHERE upload.tenant_id = participant.tenant_id AND upload.id = participant.upload_id \
         AND upload.stored_at >= :since))",
        selection.condition("participant.")
    );
    let mut values = parameters(tenant, &selection);
    values.push(("since", since.into()));
    Ok(unsigned(transaction.number(&sql, &values).await?))
}

/// Uploads that a run left empty and that are still there.
///
/// # Errors
///
/// The database's.
pub async fn empty_uploads(transaction: &Transaction, tenant: TenantId) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM upload WHERE upload.tenant_id = :tenant AND {LEFT_EMPTY}"
    );
    let count = transaction
        .number(&sql, &[("tenant", tenant.0.into())])
        .await?;
    Ok(unsigned(count))
}

/// Rows of `table` whose participant does not exist.
///
/// # Errors
///
/// The database's.
pub async fn orphans(
    transaction: &Transaction,
    tenant: TenantId,
    table: &'static str,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM {table} WHERE {table}.tenant_id = :tenant AND NOT EXISTS \
         (SELECT 1 FROM participant WHERE participant.tenant_id = {table}.tenant_id \
         AND participant.id = {table}.participant_id)"
    );
    let count = transaction
        .number(&sql, &[("tenant", tenant.0.into())])
        .await?;
    Ok(unsigned(count))
}

/// Everything that a run with these cutoffs would do, exactly.
///
/// Memory grows with the number of unsubscribed people among the eligible (32 bytes each and a
/// little), because only different addresses count as hashes.
///
/// # Errors
///
/// The database's.
pub async fn plan(
    transaction: &Transaction,
    tenant: TenantId,
    cutoffs: Cutoffs,
    hasher: &TenantHasher,
) -> Result<Counts, StoreError> {
    let mut counts = Counts {
        anonymized: eligible(transaction, tenant, Stage::Anonymize, cutoffs).await?,
        purged: eligible(transaction, tenant, Stage::Purge, cutoffs).await?,
        ..Counts::default()
    };
    let mut hashes = HashSet::new();
    if let Some(selection) = Selection::of(Stage::Anonymize, cutoffs) {
        counts.invitations_expired = children(
            transaction,
            tenant,
            &selection,
            "invitation",
            "state = 'queued'",
        )
        .await?;
        counts.unhashable +=
            collect_hashes(transaction, tenant, &selection, hasher, &mut hashes).await?;
    }
    if let Some(selection) = Selection::of(Stage::Purge, cutoffs) {
        for (count, table) in counts.children_purged.iter_mut().zip(CHILD_TABLES) {
            *count = children(transaction, tenant, &selection, table, "1 = 1").await?;
        }
        counts.unhashable +=
            collect_hashes(transaction, tenant, &selection, hasher, &mut hashes).await?;
        counts.uploads_removed = uploads_to_remove(transaction, tenant, &selection).await?;
    } else {
        counts.uploads_removed = empty_uploads(transaction, tenant).await?;
    }
    for suppressed in &hashes {
        if !suppressions::contains(transaction, tenant, suppressed).await? {
            counts.suppressions += 1;
        }
    }
    Ok(counts)
}

async fn children(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
    table: &str,
    condition: &str,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM {table} JOIN participant \
         ON participant.tenant_id = {table}.tenant_id AND participant.id = {table}.participant_id \
         WHERE {table}.tenant_id = :tenant AND participant.tenant_id = :tenant AND {condition} AND {}",
        selection.condition("participant.")
    );
    let count = transaction
        .number(&sql, &parameters(tenant, selection))
        .await?;
    Ok(unsigned(count))
}

/// Uploads all of whose participants are about to go, and those that were left empty before.
async fn uploads_to_remove(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
) -> Result<u64, StoreError> {
    let of_upload =
        "participant.tenant_id = upload.tenant_id AND participant.upload_id = upload.id";
    let sql = format!(
        "SELECT COUNT(*) AS n FROM upload WHERE upload.tenant_id = :tenant \
         AND NOT EXISTS (SELECT 1 FROM participant WHERE {of_upload} AND NOT ({condition})) \
         AND (upload.first_purged_at IS NOT NULL \
              OR EXISTS (SELECT 1 FROM participant WHERE {of_upload} AND {condition}))",
        condition = selection.condition("participant.")
    );
    let count = transaction
        .number(&sql, &parameters(tenant, selection))
        .await?;
    Ok(unsigned(count))
}

/// Adds the hashes of the unsubscribed people in `selection`; returns how many addresses cannot be
/// hashed.
async fn collect_hashes(
    transaction: &Transaction,
    tenant: TenantId,
    selection: &Selection,
    hasher: &TenantHasher,
    hashes: &mut HashSet<Suppressed>,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT id, added_at, {} AS address FROM participant WHERE tenant_id = :tenant AND {} \
         AND {} AND unsubscribed_at IS NOT NULL AND email IS NOT NULL \
         ORDER BY added_at, id LIMIT :limit",
        transaction.dialect().select_address(),
        selection.condition(""),
        transaction.dialect().after_cursor()
    );
    let mut unhashable = 0;
    let mut after = Cursor {
        added_at: beginning_of_time(),
        id: Uuid::nil(),
    };
    loop {
        let mut values = parameters(tenant, selection);
        values.extend([
            ("cursor_added_at", after.added_at.into()),
            ("cursor_id", after.id.into()),
            ("limit", PAGE_ROWS.into()),
        ]);
        let rows = transaction.rows::<Unsubscribed>(&sql, &values).await?;
        let Some(last) = rows.last() else {
            return Ok(unhashable);
        };
        after = Cursor {
            added_at: last.added_at,
            id: last.id,
        };
        for row in &rows {
            let address = transaction.dialect().address(&row.address);
            match address.as_deref().and_then(NormalizedEmail::normalize) {
                Some(email) => {
                    hashes.insert(hasher.hash(&email));
                }
                None => unhashable += 1,
            }
        }
    }
}

#[derive(FromQueryResult)]
struct Unsubscribed {
    id: Uuid,
    added_at: DateTime<Utc>,
    address: String,
}
