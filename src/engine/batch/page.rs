//! The rows of a batch: a page of them, in the order of an index, locked.

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::store::Transaction;
use crate::store::leases::Cursor;

use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::stage::{LEFT_EMPTY, Selection};

/// How the next page is to be read.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Page<'a> {
    pub(in crate::engine) after: Option<Cursor>,
    pub(in crate::engine) rows_max: u64,
    pub(in crate::engine) skip_locked: bool,
    pub(in crate::engine) rows: Rows<'a>,
}

/// Which of the rows that a stage may touch a page is read from.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Rows<'a> {
    /// All but those that the database refused before.
    AllBut(&'a [Uuid]),
    /// E14: this one participant, who cannot be deleted and still has personal fields.
    Undeletable(Uuid),
}

/// One page of the stage's rows, in the order of the index `(tenant_id, added_at, id)`, locked.
pub(in crate::engine) async fn select(
    transaction: &Transaction,
    run: &HeldRun,
    selection: &Selection,
    page: Page<'_>,
) -> Result<Vec<SelectedRow>, EngineError> {
    let dialect = transaction.dialect();
    let after = page.after.unwrap_or(Cursor {
        added_at: selection.floor,
        id: Uuid::nil(),
    });
    let (rows, ids) = match &page.rows {
        Rows::AllBut([]) => ("1 = 1".to_owned(), &[][..]),
        Rows::AllBut(refused) => (dialect.id_not_in_ids(), *refused),
        Rows::Undeletable(id) => (dialect.id_in_ids(), std::slice::from_ref(id)),
    };
    // An address is read only where a hash of it must stay, and no time that might be none: a driver that
    // meets one fails the whole page.
    let sql = format!(
        "SELECT id, added_at, upload_id, \
         CASE WHEN unsubscribed_at IS NOT NULL THEN 1 ELSE 0 END AS unsubscribed, \
         {} AS unsubscribed_month, CASE WHEN unsubscribed_at IS NOT NULL THEN {} END AS address \
         FROM participant WHERE tenant_id = :tenant AND {} AND {} AND {rows} \
         ORDER BY added_at, id LIMIT :limit {}",
        dialect.month_of("unsubscribed_at"),
        dialect.select_address(),
        selection.condition(dialect, ""),
        dialect.after_cursor(),
        dialect.for_update(page.skip_locked)
    );
    let rows = transaction
        .rows(
            "page.lock_participants",
            &sql,
            &[
                ("tenant", run.lease.tenant.into()),
                ("cutoff", selection.cutoff.into()),
                ("floor", selection.floor.into()),
                ("cursor_added_at", after.added_at.into()),
                ("cursor_id", after.id.into()),
                ("ids", dialect.ids(ids)),
                ("limit", limit_of(page)),
            ],
        )
        .await?;
    Ok(rows)
}

/// One page of the uploads that were left empty, locked.
pub(in crate::engine) async fn select_empty_uploads(
    transaction: &Transaction,
    run: &HeldRun,
    page: Page<'_>,
) -> Result<Vec<Uuid>, EngineError> {
    let dialect = transaction.dialect();
    let (rows, refused) = match page.rows {
        Rows::AllBut([]) | Rows::Undeletable(_) => ("1 = 1".to_owned(), &[][..]),
        Rows::AllBut(refused) => (dialect.id_not_in_ids(), refused),
    };
    let sql = format!(
        "SELECT id FROM upload WHERE tenant_id = :tenant AND {LEFT_EMPTY} AND {rows} ORDER BY id \
         LIMIT :limit {}",
        dialect.for_update(page.skip_locked)
    );
    let rows = transaction
        .rows::<Id>(
            "page.lock_empty_uploads",
            &sql,
            &[
                ("tenant", run.lease.tenant.into()),
                ("ids", dialect.ids(refused)),
                ("limit", limit_of(page)),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

fn limit_of(page: Page<'_>) -> Value {
    i64::try_from(page.rows_max).unwrap_or(i64::MAX).into()
}

#[derive(FromQueryResult)]
pub(in crate::engine) struct SelectedRow {
    pub(in crate::engine) id: Uuid,
    pub(in crate::engine) added_at: DateTime<Utc>,
    pub(in crate::engine) upload_id: Uuid,
    pub(in crate::engine) unsubscribed: i32,
    pub(in crate::engine) unsubscribed_month: Option<String>,
    pub(in crate::engine) address: Option<String>,
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}
