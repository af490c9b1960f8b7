//! Recognising people who unsubscribed: by their hashes (U6, U9, U12), and by rows that the platform
//! marked in SQL and whose address is still there (U5).

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::domain::email::NormVersion;
use crate::domain::email_value::EmailValue;
use crate::domain::suppression::{KeyId, Suppressed, TenantHasher};
use crate::ids::TenantId;
use crate::store::participants::Pages;
use crate::store::{StoreError, Transaction, suppressions};

/// Who is recognised at one tenant.
#[derive(Debug)]
pub(super) struct Recognition {
    tenant: TenantId,
    hasher: TenantHasher,
    /// Hashes, under the active key, of rows that are marked as unsubscribed and still have their
    /// address. They are only compared with, never stored: a run writes them when it erases the row
    /// (U11). Takes some 40 bytes for each such person.
    marked: HashSet<[u8; 32]>,
    /// Hits under retained keys, or of version 1, to be replaced before the commit (U9, U12).
    outdated: HashMap<Suppressed, Outdated>,
}

#[derive(Debug)]
struct Outdated {
    /// Several where version 1 hashed a list of addresses as one.
    current: Vec<Suppressed>,
    month: String,
}

/// The hashes under which the owner of one value is looked for.
#[derive(Debug, Default)]
struct LookUps {
    /// By the newest rules, under the active key.
    current: Vec<Suppressed>,
    /// All others, each with what replaces it.
    outdated: Vec<(Suppressed, Vec<Suppressed>)>,
}

impl LookUps {
    fn of(hasher: &TenantHasher, value: &EmailValue) -> Self {
        let mut look_ups = Self::default();
        for reading in value.readings() {
            let mut hashes = hasher.hash_all(reading).into_iter();
            let Some(current) = hashes.next() else {
                continue;
            };
            let outdated = hashes.map(|old| (old, vec![current.clone()]));
            look_ups.outdated.extend(outdated);
            look_ups.current.push(current);
        }
        if let Some(old) = value.old_whole() {
            let hashes = value.addresses().iter().map(|address| hasher.hash(address));
            let current: Vec<Suppressed> = hashes.collect();
            let outdated = hasher.hash_all(old).into_iter();
            let outdated = outdated.map(|old| (old, current.clone()));
            look_ups.outdated.extend(outdated);
        }
        look_ups
    }

    fn all(&self) -> impl Iterator<Item = &Suppressed> {
        let outdated = self.outdated.iter().map(|(old, _)| old);
        self.current.iter().chain(outdated)
    }
}

impl Recognition {
    /// Collects the tenant's marked rows.
    pub(super) async fn begin(
        transaction: &Transaction,
        tenant: TenantId,
        hasher: TenantHasher,
    ) -> Result<Self, StoreError> {
        let mut marked = HashSet::new();
        let mut pages = Pages::of_unsubscribed(tenant);
        while let Some(page) = pages.next(transaction).await? {
            for row in page {
                let value = EmailValue::read(&row.email);
                let addresses = value.addresses().iter();
                marked.extend(addresses.map(|address| hasher.hash(address).hmac));
            }
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
        let look_ups: Vec<LookUps> = addresses
            .iter()
            .map(|address| {
                let value = address.map(EmailValue::read).unwrap_or_default();
                LookUps::of(&self.hasher, &value)
            })
            .collect();
        let stored = stored(transaction, self.tenant, &look_ups).await?;
        let mut recognised = Vec::with_capacity(look_ups.len());
        for LookUps { current, outdated } in look_ups {
            let mut hit = current
                .iter()
                .any(|hash| self.marked.contains(&hash.hmac) || stored.contains_key(hash));
            for (old, current) in outdated {
                if let Some(month) = stored.get(&old) {
                    hit = true;
                    let month = month.clone();
                    self.outdated.insert(old, Outdated { current, month });
                }
            }
            recognised.push(hit);
        }
        Ok(recognised)
    }

    /// U9: replaces outdated hits by hashes of today's rules under the active key. Done at the end and
    /// under the tenant's lock, so that a long import does not make `unsubscribe` wait.
    pub(super) async fn renew(&mut self, transaction: &Transaction) -> Result<(), StoreError> {
        let outdated = self.outdated.drain();
        let replacements = outdated.map(|(old, by)| suppressions::Replacement {
            old,
            new: by.current,
            month: by.month,
        });
        suppressions::replace_all(transaction, self.tenant, replacements.collect()).await
    }
}

/// Which of the hashes are stored, each with its month. One statement for each key and version, because
/// these come before the hash in the table's primary key.
async fn stored(
    transaction: &Transaction,
    tenant: TenantId,
    look_ups: &[LookUps],
) -> Result<HashMap<Suppressed, String>, StoreError> {
    let dialect = transaction.dialect();
    let sql = format!(
        "SELECT email_hmac, suppressed_month FROM suppression WHERE tenant_id = :tenant \
         AND key_id = :key AND norm_version = :version AND {}",
        dialect.in_hmacs("email_hmac")
    );
    let mut by_key: HashMap<(KeyId, NormVersion), Vec<[u8; 32]>> = HashMap::new();
    for hash in look_ups.iter().flat_map(LookUps::all) {
        by_key
            .entry((hash.key_id.clone(), hash.norm_version))
            .or_default()
            .push(hash.hmac);
    }
    let mut found = HashMap::new();
    for ((key_id, norm_version), hmacs) in by_key {
        let rows = transaction
            .rows::<Stored>(
                "recognition.stored_hashes",
                &sql,
                &[
                    ("tenant", tenant.into()),
                    ("key", key_id.to_string().into()),
                    ("version", norm_version.number().into()),
                    ("hmacs", dialect.hmacs(&hmacs)),
                ],
            )
            .await?;
        for row in rows {
            if let Ok(hmac) = row.email_hmac.try_into() {
                let hash = Suppressed {
                    key_id: key_id.clone(),
                    norm_version,
                    hmac,
                };
                found.insert(hash, row.suppressed_month);
            }
        }
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Stored {
    email_hmac: Vec<u8>,
    suppressed_month: String,
}
