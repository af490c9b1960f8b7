//! Suppression hashes, and the keys that this database has seen.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::suppression_key;
use sea_orm::{EntityTrait, FromQueryResult, QueryOrder};

use crate::domain::email::NormVersion;
use crate::domain::suppression::Suppressed;
use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// Hashes that are looked up by one statement; as a list they take some 70 bytes each.
const HASHES_A_STATEMENT: usize = 1_000;

/// Stores a hash unless it is there; returns whether it is new. `month` is the month in which the
/// person unsubscribed: more would help to find out who it was.
pub async fn record(
    transaction: &Transaction,
    tenant: TenantId,
    suppressed: &Suppressed,
    month: &str,
) -> Result<bool, StoreError> {
    let new = record_all(transaction, tenant, [(suppressed, month)]).await?;
    Ok(new == 1)
}

/// Stores those hashes, all different, that are not there yet, each with its month; returns how many
/// are new. They are stored in the order of the hashes, whatever the order is in which they come: that of
/// people would tell whose each one is, to whoever reads the rows as they lie in the table.
pub async fn record_all<'a>(
    transaction: &Transaction,
    tenant: TenantId,
    hashes: impl IntoIterator<Item = (&'a Suppressed, &'a str)>,
) -> Result<u64, StoreError> {
    let mut entries: HashMap<NormVersion, Vec<String>> = HashMap::new();
    for (suppressed, month) in hashes {
        let hmac = hex::encode(suppressed.hmac);
        let entry = format!("{hmac}{month}{}", suppressed.key_id);
        entries
            .entry(suppressed.norm_version)
            .or_default()
            .push(entry);
    }
    let mut new = 0;
    // In practice one version: the newest.
    for (version, entries) in entries {
        new += record_entries(transaction, tenant, version, entries).await?;
    }
    Ok(new)
}

/// Each entry is 64 hexadecimal digits, a month `2024-04`, and the key's id.
async fn record_entries(
    transaction: &Transaction,
    tenant: TenantId,
    version: NormVersion,
    mut entries: Vec<String>,
) -> Result<u64, StoreError> {
    // The hash comes first in each. Besides, whoever stores several of them at the same time takes the
    // locks in the same order.
    entries.sort_unstable();
    let dialect = transaction.dialect();
    let parameters = [
        ("tenant", tenant.into()),
        ("version", version.number().into()),
        ("entries", dialect.texts(&entries)),
    ];
    let list = dialect.list_of_texts();
    let hmac = dialect.of_hex("SUBSTR(list.entry, 1, 64)");
    let insert = format!(
        "INSERT INTO suppression (tenant_id, key_id, norm_version, email_hmac, suppressed_month) \
         SELECT :tenant, SUBSTR(list.entry, 72), :version, {hmac}, SUBSTR(list.entry, 65, 7) \
         FROM {list}"
    );
    match dialect {
        Dialect::MariaDb => {
            // Not INSERT IGNORE, which would swallow every other error as well. The update of a
            // column to its own value matches one row, so what is new is told by the look before.
            let look = format!(
                "SELECT COUNT(*) AS n FROM {list} STRAIGHT_JOIN suppression \
                 ON suppression.tenant_id = :tenant \
                 AND suppression.key_id = SUBSTR(list.entry, 72) \
                 AND suppression.norm_version = :version AND suppression.email_hmac = {hmac}"
            );
            let known = transaction
                .count("suppressions.count_known", &look, &parameters)
                .await?;
            let insert = format!(
                "{insert} ON DUPLICATE KEY UPDATE \
                 suppressed_month = suppression.suppressed_month"
            );
            transaction
                .execute("suppressions.add_unknown", &insert, &parameters)
                .await?;
            Ok((entries.len() as u64).saturating_sub(known))
        }
        // The condition keeps SQLite from reading ON as that of a join.
        Dialect::Postgres | Dialect::Sqlite => {
            let insert = format!("{insert} WHERE 1 = 1 ON CONFLICT DO NOTHING");
            transaction
                .execute("suppressions.add", &insert, &parameters)
                .await
        }
    }
}

/// How many of the hashes, all of them different and under one key and version, are stored.
pub async fn stored(
    transaction: &Transaction,
    tenant: TenantId,
    hashes: &[Suppressed],
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT COUNT(*) AS n FROM suppression WHERE tenant_id = :tenant AND key_id = :key \
         AND norm_version = :version AND {}",
        dialect.in_hmacs("email_hmac")
    );
    let mut found = 0;
    for some in hashes.chunks(HASHES_A_STATEMENT) {
        let hmacs: Vec<[u8; 32]> = some.iter().map(|hash| hash.hmac).collect();
        let values = [
            ("tenant", tenant.into()),
            ("key", some[0].key_id.to_string().into()),
            ("version", some[0].norm_version.number().into()),
            ("hmacs", dialect.hmacs(&hmacs)),
        ];
        found += transaction
            .count("suppressions.count_stored", &sql, &values)
            .await?;
    }
    Ok(found)
}

/// Whether that very hash is stored.
pub async fn contains(
    transaction: &Transaction,
    tenant: TenantId,
    suppressed: &Suppressed,
) -> Result<bool, StoreError> {
    Ok(month(transaction, tenant, suppressed).await?.is_some())
}

/// The month of that very hash, if it is stored.
pub async fn month(
    transaction: &Transaction,
    tenant: TenantId,
    suppressed: &Suppressed,
) -> Result<Option<String>, StoreError> {
    let row = transaction
        .row::<Month>(
            "suppressions.month",
            "SELECT suppressed_month FROM suppression WHERE tenant_id = :tenant \
             AND key_id = :key AND norm_version = :version AND email_hmac = :hmac",
            &[
                ("tenant", tenant.into()),
                ("key", suppressed.key_id.to_string().into()),
                ("version", suppressed.norm_version.number().into()),
                ("hmac", suppressed.hmac.to_vec().into()),
            ],
        )
        .await?;
    Ok(row.map(|row| row.suppressed_month))
}

/// A hash under a retained key, or of an older version, and those to store instead of it.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// What is stored.
    pub old: Suppressed,
    /// What is to be stored; where there is nothing, `old` stays.
    pub new: Vec<Suppressed>,
    /// The month of `old`, which stays.
    pub month: String,
}

/// Replaces hashes, all of them new ones first. Where several are replaced by the same one, it gets the
/// earliest month.
pub async fn replace_all(
    transaction: &Transaction,
    tenant: TenantId,
    mut replacements: Vec<Replacement>,
) -> Result<(), StoreError> {
    replacements.retain(|replacement| !replacement.new.is_empty());
    // By their hashes, here as well: the order in which they were found is that of people.
    replacements.sort_unstable_by_key(|replacement| replacement.old.hmac);
    let mut new: HashMap<&Suppressed, &str> = HashMap::new();
    for Replacement {
        new: hashes, month, ..
    } in &replacements
    {
        for hash in hashes {
            let known = new.entry(hash).or_insert(month);
            *known = (*known).min(month);
        }
    }
    let mut new: Vec<_> = new.into_iter().collect();
    new.sort_unstable_by_key(|(hash, _)| hash.hmac);
    for some in new.chunks(HASHES_A_STATEMENT) {
        record_all(transaction, tenant, some.iter().copied()).await?;
    }
    for Replacement { old, .. } in &replacements {
        transaction
            .execute(
                "suppressions.delete_replaced",
                "DELETE FROM suppression WHERE tenant_id = :tenant \
                 AND key_id = :key AND norm_version = :version AND email_hmac = :hmac",
                &[
                    ("tenant", tenant.into()),
                    ("key", old.key_id.to_string().into()),
                    ("version", old.norm_version.number().into()),
                    ("hmac", old.hmac.to_vec().into()),
                ],
            )
            .await?;
    }
    Ok(())
}

/// Replaces one hash; see [`replace_all`].
pub async fn replace(
    transaction: &Transaction,
    tenant: TenantId,
    old: &Suppressed,
    new: &[Suppressed],
    month: &str,
) -> Result<(), StoreError> {
    let replacement = Replacement {
        old: old.clone(),
        new: new.to_vec(),
        month: month.to_owned(),
    };
    replace_all(transaction, tenant, vec![replacement]).await
}

/// Ids of the keys that stored hashes refer to. Losing one would lose recognition.
pub async fn keys_in_use(transaction: &Transaction) -> Result<Vec<String>, StoreError> {
    let rows = transaction
        .rows::<KeyInUse>(
            "suppressions.keys_in_use",
            // By way of the tenants, because every key of the table starts with one.
            "SELECT key_id FROM suppression_key WHERE EXISTS (SELECT 1 FROM tenant WHERE EXISTS \
             (SELECT 1 FROM suppression WHERE suppression.tenant_id = tenant.id \
             AND suppression.key_id = suppression_key.key_id))",
            &[],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.key_id).collect())
}

/// All keys that the database has seen, oldest first.
pub async fn known_keys(
    transaction: &Transaction,
) -> Result<Vec<suppression_key::Model>, StoreError> {
    transaction
        .models(
            "suppressions.known_keys",
            suppression_key::Entity::find().order_by_asc(suppression_key::Column::CreatedAt),
        )
        .await
}

/// Stores a key's check value, unless the key is known.
pub async fn add_key(
    transaction: &Transaction,
    key_id: &str,
    check_value: [u8; 32],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = match transaction.dialect() {
        Dialect::MariaDb => {
            "INSERT INTO suppression_key (key_id, check_value, created_at) \
             VALUES (:key, :value, :now) ON DUPLICATE KEY UPDATE key_id = key_id"
        }
        _ => {
            "INSERT INTO suppression_key (key_id, check_value, created_at) \
             VALUES (:key, :value, :now) ON CONFLICT DO NOTHING"
        }
    };
    transaction
        .execute(
            "suppressions.add_key",
            sql,
            &[
                ("key", key_id.into()),
                ("value", check_value.to_vec().into()),
                ("now", now.into()),
            ],
        )
        .await?;
    Ok(())
}

/// Marks every key but the active one as retired, and the active one as not.
pub async fn retire_all_but(
    transaction: &Transaction,
    active: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for sql in [
        "UPDATE suppression_key SET retired_at = :now WHERE key_id <> :key AND retired_at IS NULL",
        "UPDATE suppression_key SET retired_at = NULL WHERE key_id = :key AND retired_at IS NOT NULL",
    ] {
        transaction
            .execute(
                "suppressions.retire_keys",
                sql,
                &[("now", now.into()), ("key", active.into())],
            )
            .await?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Month {
    suppressed_month: String,
}

#[derive(FromQueryResult)]
struct KeyInUse {
    key_id: String,
}
