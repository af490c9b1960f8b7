//! Everything that can destroy data. There is no other room with such a statement.
//!
//! Each function runs inside a batch's transaction, after the fence, on rows that the batch has
//! selected and locked; and each statement that erases takes a [`Guard`], the *full* predicate, beside the ids.
//! Without it, a row that changed between the select and the write would be erased all the same: too
//! early, or without the hash of somebody who unsubscribed meanwhile.
//!
//! `tests/it` searches the source for statements elsewhere.

use chrono::{DateTime, Datelike, NaiveTime, Utc};
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::subject::{CHILD_TABLES, PERSONAL_COLUMNS};
use crate::ids::TenantId;
use crate::store::{Dialect, StoreError, Transaction, delete_counters};

use super::stage::Guard;

/// Empties the personal fields of the participants `ids`, and calls off what is still queued for
/// them (E2). Of the instants at which they unsubscribed, and at which the queued was to be sent, only the
/// month stays: whoever has a log of the platform's would find the person by the microsecond. Answers,
/// metadata and everything else stay.
pub async fn anonymize(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
    guard: &Guard,
    at: DateTime<Utc>,
) -> Result<Counts, StoreError> {
    let dialect = transaction.dialect();
    let parameters = guard.values([
        ("tenant", tenant.into()),
        ("ids", dialect.ids(ids)),
        ("at", at.into()),
        ("month_start", month_start(at).into()),
    ]);
    // Children before parents: nothing may be sent to an address that is about to go.
    let of_selected = format!(
        "invitation.state = 'queued' AND EXISTS (SELECT 1 FROM participant \
         WHERE participant.tenant_id = :tenant AND participant.id = invitation.participant_id \
         AND {})",
        guard.condition()
    );
    let expire = dialect.update_by_ids(
        "invitation",
        "participant_id",
        &dialect.call_off(),
        &of_selected,
    );
    let invitations_expired = transaction
        .execute("erase.expire_invitations", &expire, &parameters)
        .await?;
    let fields = PERSONAL_COLUMNS
        .map(|column| format!("{column} = NULL"))
        .join(", ");
    // In UTC, as the month of the hash is: a later purge reads the same month from it. A mark without a real
    // date stays a mark, and gets the month of now, as its hash does.
    let unsubscribed = dialect.month_start_of("unsubscribed_at", ":month_start");
    let empty = dialect.update_by_ids(
        "participant",
        "id",
        &format!(
            "{fields}, anonymized_at = :at, \
             unsubscribed_at = CASE WHEN unsubscribed_at IS NOT NULL THEN {unsubscribed} END"
        ),
        guard.condition(),
    );
    let anonymized = transaction
        .execute("erase.anonymize_participants", &empty, &parameters)
        .await?;
    Ok(Counts {
        anonymized,
        invitations_expired,
        ..Counts::default()
    })
}

/// The first instant of an instant's month, in UTC.
fn month_start(at: DateTime<Utc>) -> DateTime<Utc> {
    let first = at.date_naive().with_day(1);
    first.map_or(at, |day| day.and_time(NaiveTime::MIN).and_utc())
}

/// Deletes the participants `ids` with everything that belongs to them, and notes on their uploads
/// that participants of theirs went.
///
/// The children go by the cascade of their foreign keys, which is the fastest way that keeps the
/// keys. The server says how many went, or they are counted first: the parents are locked, and a new
/// child would need a lock on its parent, so that count cannot be outrun.
pub async fn delete(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
    uploads: &[Uuid],
    guard: &Guard,
    at: DateTime<Utc>,
) -> Result<Counts, StoreError> {
    let dialect = transaction.dialect();
    let parameters = guard.values([("tenant", tenant.into()), ("ids", dialect.ids(ids))]);
    let mut children_purged = [0; CHILD_TABLES.len()];
    let deleted_before = delete_counters::rows(transaction, CHILD_TABLES).await?;
    if deleted_before.is_none() {
        for (count, table) in children_purged.iter_mut().zip(CHILD_TABLES) {
            let sql = dialect.select_by_ids("COUNT(*) AS n", table, "participant_id", "1 = 1");
            *count = transaction
                .count("erase.count_children", &sql, &parameters)
                .await?;
        }
    }
    let sql = delete_by_ids(dialect, "participant", guard);
    let purged = transaction
        .execute("erase.delete_participants", &sql, &parameters)
        .await?;
    if let Some(before) = deleted_before {
        children_purged = delete_counters::since(transaction, CHILD_TABLES, before).await?;
    }
    let sql = dialect.update_by_ids(
        "upload",
        "id",
        "first_purged_at = :at",
        "first_purged_at IS NULL",
    );
    transaction
        .execute(
            "erase.mark_uploads",
            &sql,
            &[
                ("tenant", tenant.into()),
                ("ids", dialect.ids(uploads)),
                ("at", at.into()),
            ],
        )
        .await?;
    Ok(Counts {
        purged,
        children_purged,
        ..Counts::default()
    })
}

/// Deletes the uploads `ids`, if they are still empty.
pub async fn delete_uploads(
    transaction: &Transaction,
    tenant: TenantId,
    ids: &[Uuid],
) -> Result<Counts, StoreError> {
    let dialect = transaction.dialect();
    let guard = Guard::left_empty();
    let sql = delete_by_ids(dialect, "upload", &guard);
    let uploads_removed = transaction
        .execute(
            "erase.delete_uploads",
            &sql,
            &guard.values([("tenant", tenant.into()), ("ids", dialect.ids(ids))]),
        )
        .await?;
    Ok(Counts {
        uploads_removed,
        ..Counts::default()
    })
}

/// `DELETE` of the rows of `table` whose id is in `:ids`, within the tenant, if the guard lets it.
fn delete_by_ids(dialect: Dialect, table: &str, guard: &Guard) -> String {
    let condition = guard.condition();
    match dialect {
        Dialect::MariaDb => format!(
            "DELETE {table} FROM {} STRAIGHT_JOIN {table} \
             ON {table}.tenant_id = :tenant AND {table}.id = UNHEX(list.h) WHERE {condition}",
            Dialect::MARIADB_IDS
        ),
        _ => format!(
            "DELETE FROM {table} WHERE tenant_id = :tenant AND {} AND {condition}",
            dialect.id_in_ids()
        ),
    }
}
