//! Statements of an import that insert nothing.

use uuid::Uuid;

use crate::ids::TenantId;
use crate::store::{Database, StoreError, Transaction};

use super::insert::Upload;

/// Whether the upload is there, for everybody to see.
pub(super) async fn exists(
    database: &Database,
    tenant: TenantId,
    id: Uuid,
) -> Result<bool, StoreError> {
    let transaction = database.begin_read("looking for the upload").await?;
    let found = transaction
        .number(
            "uploads.exists",
            "SELECT COUNT(*) AS n FROM upload WHERE tenant_id = :tenant AND id = :upload",
            &[("tenant", tenant.0.into()), ("upload", id.into())],
        )
        .await?;
    transaction.rollback().await?;
    Ok(found > 0)
}

/// How many times somebody was unsubscribed; see `tenants::lock`.
pub(super) async fn unsubscribe_count(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<i64, StoreError> {
    let sql = "SELECT unsubscribe_count AS n FROM tenant WHERE id = :tenant";
    transaction
        .number(
            "uploads.unsubscribe_count",
            sql,
            &[("tenant", tenant.0.into())],
        )
        .await
}

/// Marks rows of this upload whose people unsubscribed while it was under way.
pub(super) async fn mark_imported(
    transaction: &Transaction,
    upload: &Upload,
    ids: &[Uuid],
) -> Result<(), StoreError> {
    let dialect = transaction.dialect();
    let parameters = [
        ("tenant", upload.tenant.0.into()),
        ("ids", dialect.ids(ids)),
        ("at", upload.accepted_at.into()),
    ];
    let mark = dialect.update_by_ids(
        "participant",
        "id",
        "unsubscribed_at = :at",
        "unsubscribed_at IS NULL",
    );
    transaction
        .execute("uploads.mark_participants", &mark, &parameters)
        .await?;
    let expire = dialect.update_by_ids(
        "invitation",
        "participant_id",
        &dialect.call_off(),
        "state = 'queued'",
    );
    transaction
        .execute("uploads.expire_invitations", &expire, &parameters)
        .await?;
    Ok(())
}

/// E9: whether the tenant has another upload of that content.
pub(super) async fn has_content(
    transaction: &Transaction,
    tenant: TenantId,
    content_hmac: [u8; 32],
    ours: Uuid,
) -> Result<bool, StoreError> {
    let known = transaction
        .number(
            "uploads.has_content",
            "SELECT COUNT(*) AS n FROM upload WHERE tenant_id = :tenant \
             AND content_hmac = :mac AND id <> :ours",
            &[
                ("tenant", tenant.0.into()),
                ("mac", content_hmac.to_vec().into()),
                ("ours", ours.into()),
            ],
        )
        .await?;
    Ok(known > 0)
}
