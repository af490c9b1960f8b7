//! Would this address be recognised? Writes nothing.

use serde::Serialize;

use crate::domain::email::NormalizedEmail;
use crate::domain::suppression::Keyring;
use crate::store::{Database, StoreError};

use super::Tenant;
use super::recognition::Recognition;

const DOING: &str = "checking addresses";

/// What is known about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Its owner unsubscribed.
    Suppressed,
    /// Nothing.
    Clear,
    /// It is no address.
    Invalid,
}

impl Suppression {
    /// As the command prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::Clear => "clear",
            Self::Invalid => "invalid",
        }
    }
}

/// Answers for one tenant.
#[derive(Debug)]
pub struct Checker {
    database: Database,
    recognition: Recognition,
}

impl Checker {
    /// Reads which participants the platform marked as unsubscribed; later marks are not seen.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn begin(
        database: &Database,
        keyring: &Keyring,
        tenant: &Tenant,
    ) -> Result<Self, StoreError> {
        let transaction = database.begin_read(DOING).await?;
        let hasher = keyring.for_tenant(tenant.id);
        let recognition = Recognition::begin(&transaction, tenant.id, hasher).await?;
        transaction.rollback().await?;
        Ok(Self {
            database: database.clone(),
            recognition,
        })
    }

    /// Answers for some addresses; `None` is a line that was no text. One transaction, which does
    /// not stay open while somebody types the next line.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn check(
        &mut self,
        addresses: &[Option<&str>],
    ) -> Result<Vec<Suppression>, StoreError> {
        let transaction = self.database.begin_read(DOING).await?;
        let hits = self.recognition.recognise(&transaction, addresses).await?;
        transaction.rollback().await?;
        let answers = addresses.iter().zip(hits).map(|(address, hit)| {
            if hit {
                Suppression::Suppressed
            } else if address.and_then(NormalizedEmail::normalize).is_some() {
                Suppression::Clear
            } else {
                Suppression::Invalid
            }
        });
        Ok(answers.collect())
    }
}
