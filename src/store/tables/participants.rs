//! Participants: what is stored of one, whose address is whose, and who is marked as unsubscribed. What erases
//! them stands in `engine::erase`.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domain::subject::PERSONAL_COLUMNS;
use crate::ids::{TenantId, before_rows_of};

use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// Participants a page.
const PAGE_ROWS: usize = 1000;

/// A row without its values: they do not even leave the database.
#[derive(Debug, FromQueryResult)]
pub struct Stored {
    /// The upload.
    pub upload_id: Uuid,
    /// Unset where it is no instant.
    pub added_at: Option<DateTime<Utc>>,
    unsubscribed: i32,
    anonymized: i32,
    /// Unset where it is no instant, too.
    pub anonymized_at: Option<DateTime<Utc>>,
    stored_at: Option<DateTime<Utc>>,
    upload_stored_at: Option<DateTime<Utc>>,
}

impl Stored {
    /// Whether the participant is marked.
    #[must_use]
    pub fn is_unsubscribed(&self) -> bool {
        self.unsubscribed != 0
    }

    /// Whether the personal fields are gone.
    #[must_use]
    pub fn is_anonymized(&self) -> bool {
        self.anonymized != 0
    }

    /// When it became visible: itself, or the end of its upload.
    #[must_use]
    pub fn visible_at(&self) -> DateTime<Utc> {
        let known = self.stored_at.max(self.upload_stored_at);
        known.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// What is stored of a participant: names of fields and counts, never a value.
pub async fn find(
    transaction: &Transaction,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Stored>, StoreError> {
    // A time is read only where it is one: drivers fail, or panic, on an infinity or on 0000-00-00.
    let instant = |column: &str| {
        let condition = transaction.dialect().is_instant(column);
        format!("CASE WHEN {condition} THEN {column} END")
    };
    let sql = format!(
        "SELECT participant.upload_id, {} AS added_at, \
         CASE WHEN participant.unsubscribed_at IS NULL THEN 0 ELSE 1 END AS unsubscribed, \
         CASE WHEN participant.anonymized_at IS NULL THEN 0 ELSE 1 END AS anonymized, \
         {} AS anonymized_at, {} AS stored_at, {} AS upload_stored_at \
         FROM participant JOIN upload ON upload.tenant_id = participant.tenant_id \
         AND upload.id = participant.upload_id \
         WHERE participant.tenant_id = :tenant AND participant.id = :id",
        instant("participant.added_at"),
        instant("participant.anonymized_at"),
        instant("participant.stored_at"),
        instant("upload.stored_at"),
    );
    let values = [("tenant", tenant.into()), ("id", id.into())];
    transaction.row("participants.find", &sql, &values).await
}

/// Names of the personal fields that are stored.
pub async fn fields_stored(
    transaction: &Transaction,
    tenant: TenantId,
    id: Uuid,
) -> Result<Vec<&'static str>, StoreError> {
    let mut stored = Vec::new();
    for column in PERSONAL_COLUMNS {
        // COUNT leaves NULL out, and the value where it is.
        let sql = format!(
            "SELECT COUNT({column}) AS n FROM participant WHERE tenant_id = :tenant AND id = :id"
        );
        let values = [("tenant", tenant.into()), ("id", id.into())];
        let count = transaction.count("participants.has_field", &sql, &values);
        if count.await? > 0 {
            stored.push(column);
        }
    }
    Ok(stored)
}

/// How many rows of `table` belong to a participant.
pub async fn count_children(
    transaction: &Transaction,
    tenant: TenantId,
    table: &'static str,
    id: Uuid,
) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM {table} WHERE tenant_id = :tenant AND participant_id = :id"
    );
    let values = [("tenant", tenant.into()), ("id", id.into())];
    transaction
        .count("participants.count_children", &sql, &values)
        .await
}

/// A tenant's participants.
#[derive(Debug, Default, FromQueryResult)]
pub struct Numbers {
    /// All of them.
    pub participants: i64,
    /// Without their personal fields.
    pub anonymized: i64,
    /// Marked as unsubscribed.
    pub unsubscribed: i64,
}

/// Counts a tenant's participants.
pub async fn count(transaction: &Transaction, tenant: TenantId) -> Result<Numbers, StoreError> {
    let sql = "SELECT COUNT(*) AS participants, COUNT(anonymized_at) AS anonymized, \
               COUNT(unsubscribed_at) AS unsubscribed FROM participant WHERE tenant_id = :tenant";
    let counted = transaction
        .row("participants.count", sql, &[("tenant", tenant.into())])
        .await?;
    Ok(counted.unwrap_or_default())
}

/// Participants with their addresses, page by page in the order of their ids. There is no index on
/// the address, so whoever looks for one reads all of a tenant's rows.
#[derive(Debug)]
pub struct Pages {
    tenant: TenantId,
    sql: String,
    upload: Uuid,
    cursor: Uuid,
    done: bool,
}

impl Pages {
    /// Everybody of the tenant's who has an address.
    #[must_use]
    pub fn of_everybody(tenant: TenantId) -> Self {
        Self::of(tenant, "email IS NOT NULL")
    }

    /// Those of them who are marked as unsubscribed.
    #[must_use]
    pub fn of_unsubscribed(tenant: TenantId) -> Self {
        Self::of(tenant, "unsubscribed_at IS NOT NULL AND email IS NOT NULL")
    }

    fn of(tenant: TenantId, condition: &str) -> Self {
        Self {
            tenant,
            sql: format!(
                "SELECT id, email FROM participant WHERE tenant_id = :tenant AND id > :cursor \
                 AND {condition} ORDER BY id LIMIT :limit"
            ),
            upload: Uuid::nil(),
            cursor: Uuid::nil(),
            done: false,
        }
    }

    /// Those of one upload that are not marked. Their ids are of the upload's millisecond.
    #[must_use]
    pub fn of_upload(tenant: TenantId, upload: Uuid) -> Self {
        let condition = "upload_id = :upload AND unsubscribed_at IS NULL AND email IS NOT NULL";
        Self {
            upload,
            cursor: before_rows_of(upload),
            ..Self::of(tenant, condition)
        }
    }

    /// The next page; `None` after the last.
    pub async fn next(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Option<Vec<Addressed>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let limit = i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX);
        let rows = transaction
            .rows::<Addressed>(
                "participants.addresses",
                &self.sql,
                &[
                    ("tenant", self.tenant.into()),
                    ("cursor", self.cursor.into()),
                    ("upload", self.upload.into()),
                    ("limit", limit.into()),
                ],
            )
            .await?;
        self.done = rows.len() < PAGE_ROWS;
        if let Some(last) = rows.last() {
            self.cursor = last.id;
        }
        Ok(Some(rows))
    }
}

/// A participant that has an address. No `Debug`: it would show it.
#[derive(FromQueryResult)]
pub struct Addressed {
    /// Id.
    pub id: Uuid,
    /// The address, as it is stored.
    pub email: String,
}

/// Locks the participants `ids`, and returns those that have an address, which may have changed since it was read.
pub async fn lock(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
) -> Result<Vec<Addressed>, StoreError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "{} {}",
        dialect.select_by_ids("id, email", "participant", "id", "email IS NOT NULL"),
        dialect.for_no_key_update()
    );
    let parameters = [("tenant", tenant.into()), ("ids", dialect.ids(ids))];
    transaction
        .rows("participants.lock", &sql, &parameters)
        .await
}

/// Marks those of the participants `ids` as unsubscribed that are not marked yet, and returns how many.
pub async fn mark_unsubscribed(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    let sql = dialect.update_by_ids(
        "participant",
        "id",
        "unsubscribed_at = :at",
        "unsubscribed_at IS NULL",
    );
    let parameters = [
        ("tenant", tenant.into()),
        ("ids", dialect.ids(ids)),
        ("at", at.into()),
    ];
    transaction
        .execute("participants.mark_unsubscribed", &sql, &parameters)
        .await
}

/// Calls off what is queued for the participants `ids`, and returns how many invitations that was.
pub async fn call_off(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    let sql = dialect.update_by_ids(
        "invitation",
        "participant_id",
        &dialect.call_off(),
        "state = 'queued'",
    );
    let parameters = [("tenant", tenant.into()), ("ids", dialect.ids(ids))];
    transaction
        .execute("participants.call_off", &sql, &parameters)
        .await
}
