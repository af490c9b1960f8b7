//! How many rows of a table a transaction has deleted, cascades included, where the server counts them.

use sea_orm::FromQueryResult;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};
use crate::store::db::transaction::Transaction;

/// Rows of each of `tables` that this transaction has deleted so far, by whatever statement, cascade or
/// trigger. `None` = the server does not say, and they have to be counted before they go.
///
/// What PostgreSQL shows may begin before the transaction, because it hands its counters on once a
/// second at most, and never within one: only the difference between two looks is exact. It counts
/// unless `track_counts` is off, and a table of several parts by its parts.
pub async fn rows<const N: usize>(
    transaction: &Transaction,
    tables: [&str; N],
) -> Result<Option<[u64; N]>, StoreError> {
    let dialect = transaction.dialect();
    if dialect != Dialect::Postgres {
        return Ok(None);
    }
    let names = tables.map(str::to_owned);
    let found = transaction
        .rows::<Deleted>(
            "delete_counters.rows",
            "SELECT pg_stat_get_xact_tuples_deleted(pg_class.oid) AS n \
             FROM unnest(:tables) WITH ORDINALITY AS list(name, place) \
             JOIN pg_class ON pg_class.oid = to_regclass(list.name) \
             WHERE pg_class.relkind = 'r' AND NOT pg_class.relhassubclass \
             AND current_setting('track_counts') = 'on' ORDER BY list.place",
            &[("tables", dialect.texts(&names))],
        )
        .await?;
    let counts: Vec<u64> = found
        .into_iter()
        .filter_map(|row| u64::try_from(row.n).ok())
        .collect();
    Ok(counts.try_into().ok())
}

/// Rows of each of `tables` that this transaction has deleted since [`rows`] was `before`.
///
/// # Errors
///
/// The database's, and [`ErrorClass::Conflict`] where the server stopped counting in between: whoever
/// tries the whole transaction again counts in another way.
pub async fn since<const N: usize>(
    transaction: &Transaction,
    tables: [&str; N],
    before: [u64; N],
) -> Result<[u64; N], StoreError> {
    let Some(mut counts) = rows(transaction, tables).await? else {
        return Err(StoreError::new(ErrorClass::Conflict, "counting what went"));
    };
    for (count, before) in counts.iter_mut().zip(before) {
        *count = count.saturating_sub(before);
    }
    Ok(counts)
}

#[derive(FromQueryResult)]
struct Deleted {
    n: i64,
}
