//! What the demo has to tell: facts, which the command shows as text or JSON.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::period::Period;
use crate::engine::verify::Verification;

use super::observe::Conversation;

/// Everything that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The period of the run.
    pub period: Period,
    /// The example tenant's policy, and what follows from it.
    pub policy: PolicyFacts,
    /// Each tenant, the example first.
    pub tenants: Vec<TenantFacts>,
    /// Rows over all tenants.
    pub tables: Vec<TableFacts>,
    /// The hand-placed people.
    pub people: Vec<PersonFacts>,
    /// A conversation before the run.
    pub conversation_before: Option<Conversation>,
    /// The same conversation after it.
    pub conversation_after: Option<Conversation>,
    /// Average scores by team; the last is of all.
    pub scores: Vec<ScoreFacts>,
    /// Name of a hand-placed person who unsubscribed and was deleted.
    pub returning_person: String,
    /// Addresses that came after the run: that person's, and one much like it.
    pub uploaded_again: Vec<UploadedAgain>,
    /// The verification of each tenant, by slug.
    pub verification: Vec<Verification>,
    /// Rows that a second run of the period changed.
    pub second_run_rows: u64,
    /// How long the run took.
    pub run_seconds: f64,
    /// What was not as it should be; empty = all was.
    pub problems: Vec<String>,
}

/// A policy and its cutoffs.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFacts {
    /// Slug of the tenant.
    pub tenant: String,
    /// Its zone.
    pub time_zone: String,
    /// From when on the policy counts.
    pub effective_from: DateTime<Utc>,
    /// In words.
    pub anonymize_after: String,
    /// In words.
    pub retain: String,
    /// When the period was due.
    pub due: DateTime<Utc>,
    /// Cutoff of the anonymizer.
    pub anonymize_cutoff: Option<DateTime<Utc>>,
    /// The last day that it covers.
    pub anonymize_until: Option<NaiveDate>,
    /// Cutoff of the purge.
    pub purge_cutoff: Option<DateTime<Utc>>,
    /// The last day that it covers.
    pub purge_until: Option<NaiveDate>,
}

/// A tenant and what the run did.
#[derive(Clone, Debug, Serialize)]
pub struct TenantFacts {
    /// Slug.
    pub tenant: String,
    /// Zone.
    pub time_zone: String,
    /// In words.
    pub anonymize_after: String,
    /// In words.
    pub retain: String,
    /// Participants before the run.
    pub participants: u64,
    /// Anonymized by it.
    pub anonymized: u64,
    /// Deleted by it.
    pub deleted: u64,
    /// New hashes of unsubscribed people.
    pub suppressions: u64,
    /// Unsubscribed people erased whose address could not be hashed.
    pub unhashable: u64,
    /// State of the run.
    pub state: &'static str,
}

/// Rows of a table.
#[derive(Clone, Debug, Serialize)]
pub struct TableFacts {
    /// Table, or some of its rows.
    pub table: &'static str,
    /// Before the run.
    pub before: i64,
    /// After it.
    pub after: i64,
}

/// A hand-placed person.
#[derive(Clone, Debug, Serialize)]
pub struct PersonFacts {
    /// Id of the participant.
    pub id: Uuid,
    /// The invented name.
    pub name: String,
    /// When added.
    pub added_at: DateTime<Utc>,
    /// Which rule this person shows.
    pub why: &'static str,
    /// What had to happen.
    pub expected: String,
    /// What happened.
    pub found: String,
}

/// The average score of a team over all tenants.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreFacts {
    /// The team, or `all`.
    pub team: String,
    /// Of everybody, before the run.
    pub before: Option<f64>,
    /// Before the run, of those whom it did not delete.
    pub before_of_staying: Option<f64>,
    /// After the run.
    pub after: Option<f64>,
    /// Scored answers after the run.
    pub answers_after: i64,
}

/// An address that was uploaded after the run.
#[derive(Clone, Debug, Serialize)]
pub struct UploadedAgain {
    /// As it stood in the file, escaped.
    pub address: String,
    /// It belongs to somebody who unsubscribed.
    pub must_be_recognised: bool,
    /// Stored as unsubscribed.
    pub recognised: bool,
    /// An invitation is queued.
    pub invited: bool,
}
