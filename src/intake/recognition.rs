//! Recognising people who unsubscribed: by their hashes (U6, U9), and by rows that the platform
//! marked in SQL and whose address is still there (U5).

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domain::email::{NORM_VERSION, NormalizedEmail};
use crate::domain::suppression::{Suppressed, TenantHasher};
use crate::ids::TenantId;
use crate::store::{StoreError, Transaction, suppressions};

/// Rows a page, and addresses a look-up.
pub(super) const PAGE_ROWS: usize = 1000;

/// Who is recognised at one tenant.
#[derive(Debug)]
pub(super) struct Recognition {
    tenant: TenantId,
    hasher: TenantHasher,
    /// Hashes, under the active key, of rows that are marked as unsubscribed and still have their
    /// address. They are only compared with, never stored: a run writes them when it erases the row
    /// (U11). Takes some 40 bytes for each such person.
    marked: HashSet<[u8; 32]>,
    /// Hits under retained keys, to be replaced before the commit (U9).
    outdated: HashMap<Suppressed, Outdated>,
}

#[derive(Debug)]
struct Outdated {
    active: Suppressed,
    month: String,
}

impl Recognition {
    /// Collects the tenant's marked rows.
    pub(super) async fn begin(
        transaction: &Transaction,
        tenant: TenantId,
        hasher: TenantHasher,
    ) -> Result<Self, StoreError> {
        let mut marked = HashSet::new();
        let mut pages = Pages::of(tenant, "unsubscribed_at IS NOT NULL AND email IS NOT NULL");
        while let Some(page) = pages.next(transaction).await? {
            let addresses = page
                .iter()
                .filter_map(|row| NormalizedEmail::normalize(&row.email));
            marked.extend(addresses.map(|address| hasher.hash(&address).hmac));
        }
        Ok(Self {
            tenant,
            hasher,
            marked,
            outdated: HashMap::new(),
        })
    }

    /// Whether each of the addresses belongs to somebody who unsubscribed; `None` has no address.
    pub(super) async fn recognise(
        &mut self,
        transaction: &Transaction,
        addresses: &[Option<&str>],
    ) -> Result<Vec<bool>, StoreError> {
        let hashes: Vec<Vec<Suppressed>> = addresses
            .iter()
            .map(|address| {
                address
                    .and_then(NormalizedEmail::normalize)
                    .map(|address| self.hasher.hash_all(&address))
                    .unwrap_or_default()
            })
            .collect();
        let stored = stored(transaction, self.tenant, &hashes).await?;
        let mut recognised = Vec::with_capacity(hashes.len());
        for under_all_keys in hashes {
            let Some((active, retained)) = under_all_keys.split_first() else {
                recognised.push(false);
                continue;
            };
            let mut hit = self.marked.contains(&active.hmac) || stored.contains_key(active);
            for old in retained {
                if let Some(month) = stored.get(old) {
                    hit = true;
                    self.outdated.insert(
                        old.clone(),
                        Outdated {
                            active: active.clone(),
                            month: month.clone(),
                        },
                    );
                }
            }
            recognised.push(hit);
        }
        Ok(recognised)
    }

    /// U9: replaces the hits under retained keys by hashes under the active one. Done at the end and
    /// under the tenant's lock, so that a long import does not make `unsubscribe` wait.
    pub(super) async fn renew(&mut self, transaction: &Transaction) -> Result<(), StoreError> {
        for (old, Outdated { active, month }) in self.outdated.drain() {
            suppressions::replace(transaction, self.tenant, &old, &active, &month).await?;
        }
        Ok(())
    }
}

/// Which of the hashes are stored, each with its month. One statement a key, because the key comes
/// before the hash in the table's primary key.
async fn stored(
    transaction: &Transaction,
    tenant: TenantId,
    hashes: &[Vec<Suppressed>],
) -> Result<HashMap<Suppressed, String>, StoreError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT email_hmac, suppressed_month FROM suppression WHERE tenant_id = :tenant \
         AND key_id = :key AND norm_version = :version AND {}",
        dialect.in_hmacs("email_hmac")
    );
    let mut by_key: HashMap<_, Vec<[u8; 32]>> = HashMap::new();
    for hash in hashes.iter().flatten() {
        by_key
            .entry(hash.key_id.clone())
            .or_default()
            .push(hash.hmac);
    }
    let mut found = HashMap::new();
    for (key_id, hmacs) in by_key {
        let rows = transaction
            .rows::<Stored>(
                &sql,
                &[
                    ("tenant", tenant.0.into()),
                    ("key", key_id.to_string().into()),
                    ("version", NORM_VERSION.into()),
                    ("hmacs", dialect.hmacs(&hmacs)),
                ],
            )
            .await?;
        for row in rows {
            if let Ok(hmac) = row.email_hmac.try_into() {
                let key_id = key_id.clone();
                found.insert(Suppressed { key_id, hmac }, row.suppressed_month);
            }
        }
    }
    Ok(found)
}

/// Participants with their addresses, page by page in the order of their ids. There is no index on
/// the address, so whoever looks for one reads all of a tenant's rows.
pub(super) struct Pages {
    tenant: TenantId,
    sql: String,
    upload: Uuid,
    cursor: Uuid,
    done: bool,
}

impl Pages {
    /// The tenant's participants of which `condition` is true.
    pub(super) fn of(tenant: TenantId, condition: &str) -> Self {
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

    /// Those of one upload that are not marked. Its participants' ids come after its own, and in
    /// that order.
    pub(super) fn of_upload(tenant: TenantId, upload: Uuid) -> Self {
        let condition = "upload_id = :upload AND unsubscribed_at IS NULL AND email IS NOT NULL";
        Self {
            upload,
            cursor: upload,
            ..Self::of(tenant, condition)
        }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Option<Vec<Addressed>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let limit = i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX);
        let rows = transaction
            .rows::<Addressed>(
                &self.sql,
                &[
                    ("tenant", self.tenant.0.into()),
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
pub(super) struct Addressed {
    pub id: Uuid,
    pub email: String,
}

#[derive(FromQueryResult)]
struct Stored {
    email_hmac: Vec<u8>,
    suppressed_month: String,
}
