//! What is stored of a participant: names of fields and counts, never a value.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domain::subject::PERSONAL_COLUMNS;
use crate::ids::TenantId;
use crate::store::Transaction;

use super::super::exit::Failure;

/// A row without its values: they do not even leave the database.
#[derive(FromQueryResult)]
pub(super) struct Row {
    pub(super) upload_id: Uuid,
    /// Unset where it is no instant.
    pub(super) added_at: Option<DateTime<Utc>>,
    unsubscribed: i32,
    anonymized: i32,
    /// Unset where it is no instant, too.
    pub(super) anonymized_at: Option<DateTime<Utc>>,
    stored_at: Option<DateTime<Utc>>,
    upload_stored_at: Option<DateTime<Utc>>,
}

impl Row {
    pub(super) fn is_unsubscribed(&self) -> bool {
        self.unsubscribed != 0
    }

    pub(super) fn is_anonymized(&self) -> bool {
        self.anonymized != 0
    }

    /// When it became visible: itself, or the end of its upload.
    pub(super) fn visible_at(&self) -> DateTime<Utc> {
        let known = self.stored_at.max(self.upload_stored_at);
        known.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

pub(super) async fn find(
    transaction: &Transaction,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Row>, Failure> {
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
    let row = transaction
        .row::<Row>(
            "participants.find",
            &sql,
            &[("tenant", tenant.0.into()), ("id", id.into())],
        )
        .await?;
    Ok(row)
}

/// Names of the personal fields that are stored.
pub(super) async fn fields_stored(
    transaction: &Transaction,
    tenant: TenantId,
    id: Uuid,
) -> Result<Vec<&'static str>, Failure> {
    let mut stored = Vec::new();
    for column in PERSONAL_COLUMNS {
        // COUNT leaves NULL out, and the value where it is.
        let sql = format!(
            "SELECT COUNT({column}) AS n FROM participant WHERE tenant_id = :tenant AND id = :id"
        );
        let values = [("tenant", tenant.0.into()), ("id", id.into())];
        if transaction
            .number("participants.has_field", &sql, &values)
            .await?
            > 0
        {
            stored.push(column);
        }
    }
    Ok(stored)
}

pub(super) async fn children(
    transaction: &Transaction,
    tenant: TenantId,
    table: &'static str,
    id: Uuid,
) -> Result<i64, Failure> {
    let count = transaction
        .number(
            "participants.count_children", &format!(
                "SELECT COUNT(*) AS n FROM {table} WHERE tenant_id = :tenant AND participant_id = :id"
            ),
            &[("tenant", tenant.0.into()), ("id", id.into())],
        )
        .await?;
    Ok(count)
}

#[derive(FromQueryResult)]
struct Run {
    run_id: Uuid,
}

/// The run that anonymized whoever was anonymized at that instant; `None` = no run recorded it.
pub(super) async fn anonymizing_run(
    transaction: &Transaction,
    tenant: TenantId,
    anonymized_at: DateTime<Utc>,
) -> Result<Option<Uuid>, Failure> {
    let run = transaction
        .row::<Run>(
            "batches.anonymizing_run",
            "SELECT run_id FROM run_batch WHERE tenant_id = :tenant AND stage = 'anonymize' \
             AND written_at = :at ORDER BY run_id LIMIT 1",
            &[("tenant", tenant.0.into()), ("at", anonymized_at.into())],
        )
        .await?;
    Ok(run.map(|run| run.run_id))
}
