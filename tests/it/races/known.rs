//! What is known of each person: the row as each writer left it, and when.

use chrono::{DateTime, TimeDelta, Utc};
use entity::participant;
use rand::Rng;
use rand::rngs::StdRng;
use retentiond::ids::TenantId;
use sea_orm::{
    ColumnTrait, EntityTrait, IsolationLevel, QueryFilter, SqliteTransactionMode,
    TransactionOptions,
};
use uuid::Uuid;

use crate::support::crowd::{self, Rows};
use crate::support::{World, at};

/// Writers of the platform, each with people of its own: so it is known in which order a person's
/// row was written.
const PLATFORM_WRITERS: usize = 4;
const PEOPLE_OF_WRITER: usize = 16;

/// Addresses that `unsubscribe` and imports share, each of two people.
pub const SHARED_ADDRESSES: usize = 8;

/// Brussels, 2024-04, after 1 month and 12 months.
pub fn anonymize_cutoff() -> DateTime<Utc> {
    at("2024-02-29T23:00:00Z")
}

pub fn purge_cutoff() -> DateTime<Utc> {
    at("2023-03-31T22:00:00Z")
}

/// What the run must do to whoever was added then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Purge,
    Anonymize,
    Nothing,
}

impl Reach {
    pub fn of(added_at: DateTime<Utc>) -> Self {
        if added_at < purge_cutoff() {
            Self::Purge
        } else if added_at < anonymize_cutoff() {
            Self::Anonymize
        } else {
            Self::Nothing
        }
    }

    /// A time within it; often the last or the first one.
    pub fn time(self, random: &mut StdRng) -> DateTime<Utc> {
        let hair = TimeDelta::microseconds(1);
        let (first, last) = match self {
            Self::Purge => (at("2022-01-01T00:00:00Z"), purge_cutoff() - hair),
            Self::Anonymize => (purge_cutoff(), anonymize_cutoff() - hair),
            Self::Nothing => (anonymize_cutoff(), at("2024-03-31T00:00:00Z")),
        };
        match random.random_range(0..6) {
            0 => first,
            1 => last,
            _ => first + TimeDelta::hours(random.random_range(0..(last - first).num_hours())),
        }
    }

    fn any(random: &mut StdRng) -> Self {
        match random.random_range(0..10) {
            0..4 => Self::Purge,
            4..8 => Self::Anonymize,
            _ => Self::Nothing,
        }
    }
}

/// How a writer opens its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Isolation(IsolationLevel),
    Immediate,
    Deferred,
}

impl Level {
    pub fn options(self) -> TransactionOptions {
        let mut options = TransactionOptions::default();
        match self {
            Self::Isolation(level) => options.isolation_level = Some(level),
            Self::Immediate => {
                options.sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
            }
            Self::Deferred => {
                options.sqlite_transaction_mode = Some(SqliteTransactionMode::Deferred);
            }
        }
        options
    }
}

/// A row as a committed transaction left it, read in that transaction.
#[derive(Clone)]
pub struct Version {
    pub row: participant::Model,
    /// When the commit was asked for.
    pub asked: DateTime<Utc>,
    /// When it was known to have taken place.
    pub committed: DateTime<Utc>,
}

impl Version {
    pub fn is_anonymous(&self) -> bool {
        self.row.anonymized_at.is_some()
    }
}

/// A person of the platform's.
pub struct Person {
    /// Never empty, in the order of their commits.
    pub versions: Vec<Version>,
    /// Children from the beginning, in the order of `CHILD_TABLES`.
    pub children: [u64; 4],
    /// Answers and queued invitations that a writer added.
    pub answers: Vec<Uuid>,
    pub invitations: Vec<Uuid>,
    /// A writer found no row, or the foreign key refused a child.
    pub was_gone: bool,
    /// The CHECK refused a new address.
    pub was_anonymous: bool,
}

impl Person {
    pub fn new(version: Version, children: [u64; 4]) -> Self {
        Self {
            versions: vec![version],
            children,
            answers: Vec::new(),
            invitations: Vec::new(),
            was_gone: false,
            was_anonymous: false,
        }
    }

    pub fn id(&self) -> Uuid {
        self.last().row.id
    }

    pub fn last(&self) -> &Version {
        self.versions.last().expect("never empty")
    }

    /// The row as it was when it was anonymized, if it was.
    pub fn last_identified(&self) -> &Version {
        let mut versions = self.versions.iter().rev();
        let identified = versions.find(|version| !version.is_anonymous());
        identified.expect("the first one")
    }

    /// Queued invitations that it had before it was anonymized.
    pub fn queued(&self) -> u64 {
        // Of somebody who had unsubscribed from the beginning, nothing is queued (U5).
        let unsubscribed_first = self.versions[0].row.unsubscribed_at.is_some();
        let queued_first = u64::from(self.children != [0; 4] && !unsubscribed_first);
        queued_first + self.invitations.len() as u64
    }
}

/// What one writer of the platform works on.
#[derive(Default)]
pub struct People {
    pub persons: Vec<Person>,
    pub uploads: Vec<Uuid>,
    /// The foreign key refused a person of this upload.
    pub uploads_gone: Vec<Uuid>,
}

/// Who shares addresses with imports.
pub struct Shared {
    pub persons: Vec<Person>,
    pub uploads: Vec<Uuid>,
}

/// What a run's log tells.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What had been committed by then was in the recount's reach.
    pub recounted_after: DateTime<Utc>,
    /// What was committed later came too late for the run.
    pub completed_before: DateTime<Utc>,
    /// Batches that were tried again.
    pub retried: usize,
}

pub fn shared_address(number: usize) -> String {
    format!("Shared{number}@Example.org")
}

/// Fills the tenant.
pub async fn populate(
    world: &World,
    tenant: TenantId,
    random: &mut StdRng,
) -> (Vec<People>, Shared) {
    let mut rows = Rows::default();
    let mut owners = Vec::new();
    for writer in 0..PLATFORM_WRITERS {
        let uploads: Vec<Uuid> = (0..4).map(|_| rows.upload(tenant)).collect();
        let mut ids = Vec::new();
        for number in 0..PEOPLE_OF_WRITER {
            let email = match random.random_range(0..10) {
                0 => "no address".to_owned(),
                _ => format!("Person{number}@Writer{writer}.example"),
            };
            let added_at = Reach::any(random).time(random);
            let upload = uploads[random.random_range(0..uploads.len())];
            let is_unsubscribed = random.random_bool(0.2);
            ids.push(rows.person(tenant, upload, added_at, &email, is_unsubscribed));
        }
        owners.push((uploads, ids));
    }
    let uploads = vec![rows.upload(tenant), rows.upload(tenant)];
    let mut shared = Vec::new();
    for number in 0..SHARED_ADDRESSES {
        for upload in &uploads {
            let added_at = Reach::any(random).time(random);
            shared.push(rows.person(tenant, *upload, added_at, &shared_address(number), false));
        }
    }
    rows.store(world).await;
    let stored = participant::Entity::find()
        .filter(participant::Column::TenantId.eq(tenant.0))
        .all(&world.db)
        .await
        .expect("rows");
    let long_ago = at("2020-01-01T00:00:00Z");
    let person = |id: &Uuid| {
        let row = stored.iter().find(|row| row.id == *id).expect("stored");
        let version = Version {
            row: row.clone(),
            asked: long_ago,
            committed: long_ago,
        };
        Person::new(version, crowd::CHILDREN)
    };
    let platform = owners.iter().map(|(uploads, ids)| People {
        persons: ids.iter().map(person).collect(),
        uploads: uploads.clone(),
        uploads_gone: Vec::new(),
    });
    let shared = Shared {
        persons: shared.iter().map(person).collect(),
        uploads,
    };
    (platform.collect(), shared)
}
