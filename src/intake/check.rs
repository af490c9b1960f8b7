//! Would this address be recognised? Writes nothing.

use serde::Serialize;

use crate::domain::address::{NotBare, read_bare};
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
    /// It is not one bare address.
    Invalid,
}

/// What is known about a line, and what stands there if it is not one bare address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is known.
    pub state: Suppression,
    /// Why it is invalid; unset for what is no text at all.
    pub not_bare: Option<NotBare>,
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
    pub async fn check(&mut self, addresses: &[Option<&str>]) -> Result<Vec<Answer>, StoreError> {
        let read: Vec<_> = addresses.iter().map(|text| text.map(read_bare)).collect();
        let bare = addresses.iter().zip(&read);
        let bare: Vec<Option<&str>> = bare
            .map(|(text, read)| text.filter(|_| matches!(read, Some(Ok(_)))))
            .collect();
        let transaction = self.database.begin_read(DOING).await?;
        let hits = self.recognition.recognise(&transaction, &bare).await?;
        transaction.rollback().await?;
        let answers = read.iter().zip(hits).map(|(read, hit)| match read {
            Some(Ok(_)) if hit => Answer::of(Suppression::Suppressed),
            Some(Ok(_)) => Answer::of(Suppression::Clear),
            Some(Err(kind)) => Answer {
                state: Suppression::Invalid,
                not_bare: Some(*kind),
            },
            None => Answer::of(Suppression::Invalid),
        });
        Ok(answers.collect())
    }
}

impl Answer {
    fn of(state: Suppression) -> Self {
        Self {
            state,
            not_bare: None,
        }
    }
}
