//! The database's clock, beside the host's.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use crate::clock::{SharedClock, truncate_to_microseconds};
use crate::domain::clocks::Clocks;

use super::error::{ErrorClass, StoreError};
use super::transaction::Transaction;

#[derive(FromQueryResult)]
struct Now {
    now: DateTime<Utc>,
}

/// What both clocks show, read one right after the other.
///
/// # Errors
///
/// The database's.
pub async fn read(transaction: &Transaction, clock: &SharedClock) -> Result<Clocks, StoreError> {
    let host = clock.now();
    let sql = format!("SELECT {} AS now", transaction.dialect().now());
    let row = transaction.row::<Now>("clocks.read", &sql, &[]).await?;
    let row = row.ok_or(StoreError::new(
        ErrorClass::Internal,
        "reading the database's clock",
    ))?;
    Ok(beside(host, row.now))
}

/// The two clocks, once the database's was read by a statement of the caller's.
#[must_use]
pub fn beside(host: DateTime<Utc>, database: DateTime<Utc>) -> Clocks {
    Clocks {
        host,
        database: truncate_to_microseconds(database),
    }
}
