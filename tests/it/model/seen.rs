//! What can be seen of the platform from outside: the shape in which the reference and the database
//! are compared. Nothing in it is an id that the service chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use retentiond::domain::counts::Counts;
use retentiond::engine::partition::Partition;

/// A participant: the number of its upload, and its line there.
pub type Key = (u32, u32);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub added_at: DateTime<Utc>,
    pub fields: [Option<String>; 5],
    pub unsubscribed_at: Option<DateTime<Utc>>,
    pub anonymized_at: Option<DateTime<Utc>>,
    pub metadata: BTreeMap<String, String>,
    pub answers: BTreeSet<String>,
    pub messages: BTreeSet<String>,
    /// In order.
    pub invitations: Vec<String>,
}

/// The place of the e-mail address among the fields.
pub const EMAIL: usize = 2;

impl Person {
    pub fn children(&self) -> [u64; 4] {
        [
            self.metadata.len(),
            self.answers.len(),
            self.messages.len(),
            self.invitations.len(),
        ]
        .map(|count| count as u64)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub rows: i64,
    pub accepted_at: DateTime<Utc>,
    pub first_purged_at: Option<DateTime<Utc>>,
}

/// Of a run that did not end as `failed`, the failure is none of anybody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub state: &'static str,
    pub due_at: DateTime<Utc>,
    pub version: Option<i32>,
    pub cutoffs: Cutoffs,
    /// The version in force when it was completed.
    pub recount_version: Option<i32>,
    pub counts: Counts,
    pub attempts: i32,
    pub failure: Option<String>,
    pub held: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cutoffs {
    pub anonymize: Option<DateTime<Utc>>,
    pub purge: Option<DateTime<Utc>>,
}

/// One tenant's share. Months of hashes are compared apart: the first of several batches decides.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    pub people: BTreeMap<Key, Person>,
    pub uploads: BTreeMap<u32, Upload>,
    pub hashes: BTreeMap<Vec<u8>, String>,
    pub runs: BTreeMap<String, Run>,
}

/// What `verify` says of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub state: Option<String>,
    pub overdue_anonymize: u64,
    pub overdue_purge: u64,
    pub late: u64,
    pub empty_uploads: u64,
    pub people: Partition,
    pub ok: bool,
}

/// Adds what differs between two maps, entry by entry.
pub fn differences<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
    into: &mut Vec<String>,
) {
    let keys: BTreeSet<&K> = expected.keys().chain(found.keys()).collect();
    for key in keys {
        let (expected, found) = (expected.get(key), found.get(key));
        if expected != found {
            into.push(format!(
                "{what} {key:?}:\n      expected {expected:?}\n      found    {found:?}"
            ));
        }
    }
}
