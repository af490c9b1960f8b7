//! Somebody unsubscribes (U5): the hash is stored, and every row of that address is marked.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::email::NormalizedEmail;
use crate::domain::email_value::EmailValue;
use crate::store::participants::{self, Addressed, Pages};
use crate::store::{StoreError, Transaction, suppressions, tenants, with_retry};

use super::{Intake, Tenant};

const DOING: &str = "unsubscribing an address";

/// What an `unsubscribe` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsubscribed {
    /// Whether the address was not suppressed before.
    pub newly_suppressed: bool,
    /// Participants that have the address, marked now or before.
    pub participants: u64,
    /// Participants marked.
    pub marked: u64,
    /// Their queued invitations, which became `expired`.
    pub invitations_expired: u64,
}

/// What is there of an address before it is unsubscribed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether its hash is stored.
    pub suppressed: bool,
    /// Participants that have the address.
    pub participants: u64,
}

/// Looks for an address at a tenant, and changes nothing.
///
/// # Errors
///
/// The database's.
pub async fn look(
    intake: &Intake,
    tenant: &Tenant,
    address: &NormalizedEmail,
) -> Result<Known, StoreError> {
    let transaction = intake.database.begin_read("looking for an address").await?;
    let mut known = Known::default();
    for hash in intake.keyring.for_tenant(tenant.id).hash_all(address) {
        known.suppressed |= suppressions::contains(&transaction, tenant.id, &hash).await?;
    }
    let mut pages = Pages::of_everybody(tenant.id);
    while let Some(page) = pages.next(&transaction).await? {
        let same = page.iter().filter(|row| has(row, address));
        known.participants += same.count() as u64;
    }
    transaction.rollback().await?;
    Ok(known)
}

/// Whether mail to a participant may reach the address.
fn has(row: &Addressed, address: &NormalizedEmail) -> bool {
    EmailValue::read(&row.email).may_be(address)
}

/// Unsubscribes an address at a tenant. Reads all of the tenant's participants: there is no index on
/// the address, which the anonymizer would have to maintain.
///
/// # Errors
///
/// The database's; nothing was changed then.
pub async fn unsubscribe(
    intake: &Intake,
    tenant: &Tenant,
    address: &NormalizedEmail,
) -> Result<Unsubscribed, StoreError> {
    with_retry(&intake.retry, || attempt(intake, tenant, address)).await
}

async fn attempt(
    intake: &Intake,
    tenant: &Tenant,
    address: &NormalizedEmail,
) -> Result<Unsubscribed, StoreError> {
    let transaction = intake.database.begin_long(DOING).await?;
    match fill(&transaction, intake, tenant, address).await {
        Ok(done) => {
            transaction.commit().await?;
            Ok(done)
        }
        Err(error) => {
            // What failed first counts; a connection that is gone has rolled back by itself.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

async fn fill(
    transaction: &Transaction,
    intake: &Intake,
    tenant: &Tenant,
    address: &NormalizedEmail,
) -> Result<Unsubscribed, StoreError> {
    // First of all, so that an import that commits before us is scanned, and one that commits after
    // us looks again.
    tenants::lock(transaction, tenant.id).await?;
    let at = intake.now(transaction).await?;
    let mut done = Unsubscribed {
        newly_suppressed: suppress(transaction, intake, tenant, address, at).await?,
        ..Unsubscribed::default()
    };
    // Those that the platform marked in SQL too: their invitations may still be queued.
    let mut pages = Pages::of_everybody(tenant.id);
    while let Some(page) = pages.next(transaction).await? {
        let rows = page.iter().filter(|row| has(row, address));
        let found: Vec<Uuid> = rows.map(|row| row.id).collect();
        if found.is_empty() {
            continue;
        }
        // It is compared here, again: as a parameter it would stand in the logs of a server that logs statements.
        let locked = participants::lock(transaction, tenant.id, &found).await?;
        let locked = locked.iter().filter(|row| has(row, address));
        let ids: Vec<Uuid> = locked.map(|row| row.id).collect();
        done.participants += ids.len() as u64;
        done.marked += participants::mark_unsubscribed(transaction, tenant.id, &ids, at).await?;
        done.invitations_expired += participants::call_off(transaction, tenant.id, &ids).await?;
    }
    if done.newly_suppressed || done.marked > 0 || done.invitations_expired > 0 {
        tenants::count_unsubscribe(transaction, tenant.id).await?;
    }
    Ok(done)
}

/// Stores the hash under the active key; one under a retained key, or of an older normalisation, is
/// replaced, its month kept (U9, U12).
async fn suppress(
    transaction: &Transaction,
    intake: &Intake,
    tenant: &Tenant,
    address: &NormalizedEmail,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let hasher = intake.keyring.for_tenant(tenant.id);
    let hashes = hasher.hash_all(address);
    let Some((current, outdated)) = hashes.split_first() else {
        return Ok(false);
    };
    let mut known = false;
    for old in outdated {
        if let Some(month) = suppressions::month(transaction, tenant.id, old).await? {
            let new = std::slice::from_ref(current);
            suppressions::replace(transaction, tenant.id, old, new, &month).await?;
            known = true;
        }
    }
    let month = at.format("%Y-%m").to_string();
    let new = suppressions::record(transaction, tenant.id, current, &month).await?;
    Ok(new && !known)
}
