//! Uploads. What deletes those that are left empty stands in `engine::erase`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ids::TenantId;

use crate::store::db::connect::Database;
use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// What all rows of an upload have in common.
#[derive(Clone, Copy, Debug)]
pub struct Upload {
    /// The tenant.
    pub tenant: TenantId,
    /// Id.
    pub id: Uuid,
    /// When the platform accepted it.
    pub accepted_at: DateTime<Utc>,
}

/// How many uploads a tenant has.
pub async fn count(transaction: &Transaction, tenant: TenantId) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS n FROM upload WHERE tenant_id = :tenant";
    transaction
        .count("uploads.count", sql, &[("tenant", tenant.into())])
        .await
}

/// Whether the upload is there, for everybody to see.
pub async fn exists(database: &Database, tenant: TenantId, id: Uuid) -> Result<bool, StoreError> {
    let transaction = database.begin_read("looking for the upload").await?;
    let found = transaction
        .count(
            "uploads.exists",
            "SELECT COUNT(*) AS n FROM upload WHERE tenant_id = :tenant AND id = :upload",
            &[("tenant", tenant.into()), ("upload", id.into())],
        )
        .await?;
    transaction.rollback().await?;
    Ok(found > 0)
}

/// E9: whether the tenant has another upload of that content.
pub async fn has_content(
    transaction: &Transaction,
    tenant: TenantId,
    content_hmac: [u8; 32],
    ours: Uuid,
) -> Result<bool, StoreError> {
    let known = transaction
        .count(
            "uploads.has_content",
            "SELECT COUNT(*) AS n FROM upload WHERE tenant_id = :tenant \
             AND content_hmac = :mac AND id <> :ours",
            &[
                ("tenant", tenant.into()),
                ("mac", content_hmac.to_vec().into()),
                ("ours", ours.into()),
            ],
        )
        .await?;
    Ok(known > 0)
}

/// Stores the upload's own row. How many rows it has is known at its end.
pub async fn add(
    transaction: &Transaction,
    upload: &Upload,
    file_name: &str,
    content_hmac: [u8; 32],
) -> Result<(), StoreError> {
    // MariaDB's check of the foreign key would share the lock on the tenant's row until the import
    // commits, and every `unsubscribe` would wait for that long. The import locks the row itself
    // before it commits, and refuses to if it is gone.
    let prefix = match transaction.dialect() {
        Dialect::MariaDb => "SET STATEMENT foreign_key_checks = 0 FOR ",
        _ => "",
    };
    let sql = format!(
        "{prefix}INSERT INTO upload \
         (tenant_id, id, file_name, content_hmac, row_count, accepted_at) \
         VALUES (:tenant, :upload, :file_name, :content_hmac, 0, :accepted_at)"
    );
    transaction
        .execute(
            "uploads.add",
            &sql,
            &[
                ("tenant", upload.tenant.into()),
                ("upload", upload.id.into()),
                ("file_name", file_name.into()),
                ("content_hmac", content_hmac.to_vec().into()),
                ("accepted_at", upload.accepted_at.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Completes the upload's own row, right before the commit.
pub async fn complete(
    transaction: &Transaction,
    upload: &Upload,
    rows: u64,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE upload SET row_count = :rows, stored_at = {} WHERE tenant_id = :tenant AND id = :upload",
        transaction.dialect().now()
    );
    transaction
        .execute(
            "uploads.complete",
            &sql,
            &[
                ("rows", i64::try_from(rows).unwrap_or(i64::MAX).into()),
                ("tenant", upload.tenant.into()),
                ("upload", upload.id.into()),
            ],
        )
        .await?;
    Ok(())
}
