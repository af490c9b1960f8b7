//! U8: is this the keyring that the database was started with?
//!
//! A wrong or incomplete keyring would not fail by itself: it would write hashes that nobody finds
//! again, and miss those that are there. So the database keeps a check value for each key, and
//! every command that uses keys compares first.

use chrono::{DateTime, Utc};
use serde::Serialize;
use thiserror::Error;

use crate::domain::suppression::Keyring;

use super::suppressions;
use crate::store::db::connect::Database;
use crate::store::db::error::StoreError;

/// Why a keyring must not be used on a database.
#[derive(Debug, Error)]
pub enum KeyCheckError {
    /// A key of that id, but another key.
    #[error(
        "key {key_id} of the keyring is not the key of that name that this database was started \
         with; restore the original keyring file"
    )]
    Different {
        /// The key.
        key_id: String,
    },
    /// None of the keyring's keys is known here.
    #[error(
        "none of the keyring's keys is one that this database was started with (it knows {known}); \
         restore the original keyring file"
    )]
    Unrelated {
        /// Ids of the keys that the database knows.
        known: String,
    },
    /// Stored hashes refer to a key that the keyring lacks.
    #[error(
        "the keyring lacks key {key_id}, which stored suppression hashes refer to; restore it, or \
         people who unsubscribed would not be recognised"
    )]
    Missing {
        /// The key.
        key_id: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How the keyring relates to the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// Id of the key.
    pub key_id: String,
    /// New hashes are made with it.
    pub active: bool,
    /// The database knows it.
    pub known: bool,
    /// Stored hashes refer to it.
    pub in_use: bool,
}

/// Compares the keyring with the database. Writes nothing.
///
/// # Errors
///
/// See [`KeyCheckError`].
pub async fn check(
    database: &Database,
    keyring: &Keyring,
) -> Result<Vec<KeyStatus>, KeyCheckError> {
    let transaction = database.begin_read("checking the keyring").await?;
    let known = suppressions::known_keys(&transaction).await?;
    let in_use = suppressions::keys_in_use(&transaction).await?;
    transaction.rollback().await?;
    let mut related = false;
    for key in &known {
        let ours = keyring.key_ids().find(|id| id.as_str() == key.key_id);
        let Some(value) = ours.and_then(|id| keyring.check_value(id)) else {
            continue;
        };
        if value.as_slice() != key.check_value {
            return Err(KeyCheckError::Different {
                key_id: key.key_id.clone(),
            });
        }
        related = true;
    }
    if let Some(key_id) = in_use
        .iter()
        .find(|used| !keyring.key_ids().any(|id| id.as_str() == **used))
    {
        return Err(KeyCheckError::Missing {
            key_id: key_id.clone(),
        });
    }
    if !known.is_empty() && !related {
        let ids: Vec<&str> = known.iter().map(|key| key.key_id.as_str()).collect();
        return Err(KeyCheckError::Unrelated {
            known: ids.join(", "),
        });
    }
    Ok(keyring
        .key_ids()
        .map(|id| KeyStatus {
            key_id: id.to_string(),
            active: id == keyring.active_id(),
            known: known.iter().any(|key| key.key_id == id.as_str()),
            in_use: in_use.iter().any(|used| used == id.as_str()),
        })
        .collect())
}

/// Compares the keyring with the database, and stores the check values of keys that are new to it:
/// the first command that uses a key does so.
///
/// # Errors
///
/// See [`KeyCheckError`].
pub async fn check_and_register(
    database: &Database,
    keyring: &Keyring,
    now: DateTime<Utc>,
) -> Result<(), KeyCheckError> {
    let statuses = check(database, keyring).await?;
    if statuses.iter().all(|status| status.known) {
        return Ok(());
    }
    let transaction = database.begin("storing the check value of a key").await?;
    for status in statuses.iter().filter(|status| !status.known) {
        let id = keyring.key_ids().find(|id| id.as_str() == status.key_id);
        if let Some(value) = id.and_then(|id| keyring.check_value(id)) {
            suppressions::add_key(&transaction, &status.key_id, value, now).await?;
        }
    }
    suppressions::retire_all_but(&transaction, keyring.active_id().as_str(), now).await?;
    match transaction.commit().await {
        Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    // Somebody else may have stored another key of the same id at the same moment.
    check(database, keyring).await?;
    Ok(())
}
