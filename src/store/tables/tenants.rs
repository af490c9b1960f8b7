//! Tenants, through their entity.

use chrono::{DateTime, Utc};
use entity::tenant;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::{ErrorClass, StoreError};
use crate::store::db::transaction::Transaction;

/// All tenants, by slug.
pub async fn list(transaction: &Transaction) -> Result<Vec<tenant::Model>, StoreError> {
    transaction
        .models(
            "tenants.list",
            tenant::Entity::find().order_by_asc(tenant::Column::Slug),
        )
        .await
}

/// The tenant of that slug.
pub async fn find_by_slug(
    transaction: &Transaction,
    slug: &str,
) -> Result<Option<tenant::Model>, StoreError> {
    transaction
        .model(
            "tenants.find_by_slug",
            tenant::Entity::find().filter(tenant::Column::Slug.eq(slug)),
        )
        .await
}

/// The tenant of that number.
pub async fn find(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<Option<tenant::Model>, StoreError> {
    transaction
        .model("tenants.find", tenant::Entity::find_by_id(tenant.0))
        .await
}

/// Adds a tenant and returns it.
///
/// # Errors
///
/// The database's; a slug that is taken is a constraint violation.
pub async fn add(
    transaction: &Transaction,
    slug: &str,
    name: &str,
    time_zone: &str,
    now: DateTime<Utc>,
) -> Result<tenant::Model, StoreError> {
    let row = tenant::ActiveModel {
        slug: Set(slug.to_owned()),
        name: Set(name.to_owned()),
        time_zone: Set(time_zone.to_owned()),
        created_at: Set(now),
        unsubscribe_count: Set(0),
        ..Default::default()
    };
    transaction
        .insert("tenants.add", tenant::Entity::insert(row))
        .await?;
    let added = find_by_slug(transaction, slug).await?;
    added.ok_or_else(|| StoreError::new(ErrorClass::Schema, "adding a tenant"))
}

/// Takes the tenant's row lock until the end of the transaction and returns how many times
/// somebody was unsubscribed. An import and an `unsubscribe` both take it before they commit, so
/// that neither misses the other. On MariaDB the import writes the row, too: see
/// [`write_across_nodes`].
pub async fn lock(transaction: &Transaction, tenant: TenantId) -> Result<i64, StoreError> {
    let sql = format!(
        "SELECT unsubscribe_count AS n FROM tenant WHERE id = :tenant {}",
        transaction.dialect().for_no_key_update()
    );
    transaction
        .number("tenants.lock", &sql, &[("tenant", tenant.into())])
        .await
}

/// How many times somebody was unsubscribed; see [`lock`].
pub async fn unsubscribe_count(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<i64, StoreError> {
    let sql = "SELECT unsubscribe_count AS n FROM tenant WHERE id = :tenant";
    transaction
        .number(
            "tenants.unsubscribe_count",
            sql,
            &[("tenant", tenant.into())],
        )
        .await
}

/// Records that somebody was unsubscribed. The caller holds the tenant's row lock.
pub async fn count_unsubscribe(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<(), StoreError> {
    transaction
        .execute(
            "tenants.count_unsubscribe",
            "UPDATE tenant SET unsubscribe_count = unsubscribe_count + 1 WHERE id = :tenant",
            &[("tenant", tenant.into())],
        )
        .await?;
    Ok(())
}

/// Lets two transactions that lock a tenant on different nodes of a Galera cluster get into each
/// other's way. There a lock holds on its own node only; what fails the second COMMIT is a row that
/// both have written. The count is what a transaction may write: an import that finds it moved merely
/// looks again. Nothing to do on the other databases. The caller holds the tenant's row lock.
pub async fn write_across_nodes(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<(), StoreError> {
    if transaction.dialect() == Dialect::MariaDb {
        count_unsubscribe(transaction, tenant).await?;
    }
    Ok(())
}
