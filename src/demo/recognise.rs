//! An address that comes again after everything else about its owner has gone.

use crate::domain::email::NormalizedEmail;
use crate::engine::Engine;
use crate::ids::TenantId;
use crate::store::{StoreError, suppressions};

/// Whether each of `addresses` belongs to somebody who unsubscribed at `tenant`.
///
/// The one place that knows how the demo asks: by the look-up that every upload makes.
pub(super) async fn recognise(
    engine: &Engine,
    tenant: TenantId,
    addresses: &[&str],
) -> Result<Vec<bool>, StoreError> {
    let hasher = engine.keyring.for_tenant(tenant);
    let transaction = engine
        .database
        .begin_read("looking addresses up for the demo")
        .await?;
    let mut recognised = Vec::with_capacity(addresses.len());
    for address in addresses {
        let mut found = false;
        if let Some(email) = NormalizedEmail::normalize(address) {
            for hash in hasher.hash_all(&email) {
                found |= suppressions::contains(&transaction, tenant, &hash).await?;
            }
        }
        recognised.push(found);
    }
    transaction.rollback().await?;
    Ok(recognised)
}
