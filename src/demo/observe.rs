//! Looks at the database as the platform would, before the run and after it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::participant;
use sea_orm::{EntityTrait, FromQueryResult};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::dated::dated_since;
use crate::domain::email::NormalizedEmail;
use crate::engine::Engine;
use crate::ids::TenantId;
use crate::store::{StoreError, Transaction, suppressions};

use super::people::{ExpectedEnd, PEOPLE, Person};
use super::seeded::Seeded;

const DOING: &str = "looking at the demo's database";

/// What is counted, and how.
const TABLES: [(&str, &str); 9] = [
    ("participant", "SELECT COUNT(*) AS n FROM participant"),
    (
        "  with personal data",
        "SELECT COUNT(COALESCE(first_name, last_name, email, phone, customer_id)) AS n \
         FROM participant",
    ),
    (
        "participant_metadata",
        "SELECT COUNT(*) AS n FROM participant_metadata",
    ),
    ("answer", "SELECT COUNT(*) AS n FROM answer"),
    (
        "conversation_message",
        "SELECT COUNT(*) AS n FROM conversation_message",
    ),
    ("invitation", "SELECT COUNT(*) AS n FROM invitation"),
    (
        "  still queued",
        "SELECT COUNT(CASE WHEN state = 'queued' THEN 1 END) AS n FROM invitation",
    ),
    ("upload", "SELECT COUNT(*) AS n FROM upload"),
    ("suppression", "SELECT COUNT(*) AS n FROM suppression"),
];

/// What is counted and how many there are, over all tenants.
pub(super) async fn counts(engine: &Engine) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let transaction = engine.database.begin_read(DOING).await?;
    let mut counts = Vec::with_capacity(TABLES.len());
    for (what, sql) in TABLES {
        counts.push((what, transaction.number("demo.count_rows", sql, &[]).await?));
    }
    transaction.rollback().await?;
    Ok(counts)
}

/// Scores added up; compared as whole numbers, shown as an average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) total: i64,
    pub(super) answers: i64,
}

impl Score {
    pub(super) fn average(self) -> Option<f64> {
        // Exact: sums of a demo are far below 2^53.
        (self.answers > 0).then(|| self.total as f64 / self.answers as f64)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            answers: self.answers + other.answers,
        }
    }
}

/// A team's scores over all tenants: of everybody, and of those whom the run does not delete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TeamScore {
    pub(super) all: Score,
    pub(super) staying: Score,
}

impl TeamScore {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            all: self.all.and(other.all),
            staying: self.staying.and(other.staying),
        }
    }
}

/// The scores by team.
pub(super) async fn scores(
    engine: &Engine,
    tenants: &[Seeded],
) -> Result<BTreeMap<String, TeamScore>, StoreError> {
    let transaction = engine.database.begin_read(DOING).await?;
    let mut teams: BTreeMap<String, TeamScore> = BTreeMap::new();
    for tenant in tenants {
        let rows = transaction
            .rows::<ScoreRow>(
                "demo.scores",
                "SELECT team.value AS team, SUM(score) AS total, COUNT(score) AS answers, \
                 SUM(CASE WHEN added_at >= :cutoff THEN score ELSE 0 END) AS staying_total, \
                 COUNT(CASE WHEN added_at >= :cutoff THEN score END) AS staying_answers \
                 FROM participant \
                 JOIN answer ON answer.tenant_id = participant.tenant_id \
                 AND answer.participant_id = participant.id AND score IS NOT NULL \
                 JOIN participant_metadata AS team ON team.tenant_id = participant.tenant_id \
                 AND team.participant_id = participant.id AND team.key = 'team' \
                 WHERE participant.tenant_id = :tenant GROUP BY team.value",
                &[
                    ("tenant", tenant.tenant.into()),
                    (
                        "cutoff",
                        tenant.cutoffs.purge.unwrap_or_else(dated_since).into(),
                    ),
                ],
            )
            .await?;
        for row in rows {
            let team = teams.entry(row.team).or_default();
            *team = team.and(TeamScore {
                all: Score {
                    total: row.total,
                    answers: row.answers,
                },
                staying: Score {
                    total: row.staying_total,
                    answers: row.staying_answers,
                },
            });
        }
    }
    transaction.rollback().await?;
    Ok(teams)
}

#[derive(FromQueryResult)]
struct ScoreRow {
    team: String,
    total: i64,
    answers: i64,
    staying_total: i64,
    staying_answers: i64,
}

/// What can be seen of a hand-placed person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// `None` = something that none of the three fates explains.
    pub(super) fate: Option<ExpectedEnd>,
    pub(super) has_hash: bool,
    pub(super) invitation: Option<String>,
}

impl Seen {
    /// What must be seen of `person` after the run.
    pub(super) fn expected(person: &Person) -> Self {
        let invitation = match (person.fate, person.invitation) {
            (ExpectedEnd::Deleted, _) => None,
            (ExpectedEnd::Anonymized, "queued") => Some("expired"),
            (_, state) => Some(state),
        };
        Self {
            fate: Some(person.fate),
            has_hash: person.leaves_hash,
            invitation: invitation.map(str::to_owned),
        }
    }

    /// In words; a state of the invitation only where the run is about it.
    pub(super) fn in_words(&self, person: &Person) -> String {
        let mut words = match self.fate {
            None => "partly erased",
            Some(ExpectedEnd::Untouched) => "untouched",
            Some(ExpectedEnd::Anonymized) => "anonymized",
            Some(ExpectedEnd::Deleted) => "deleted",
        }
        .to_owned();
        if self.has_hash {
            words.push_str(", hash kept");
        }
        if let Some(state) = &self.invitation
            && person.invitation == "queued"
        {
            words.push_str(&format!(", {state}"));
        }
        words
    }
}

/// Looks at every hand-placed person.
pub(super) async fn people(engine: &Engine, example: &Seeded) -> Result<Vec<Seen>, StoreError> {
    let hasher = engine.keyring.for_tenant(example.tenant);
    let transaction = engine.database.begin_read(DOING).await?;
    let mut seen = Vec::with_capacity(PEOPLE.len());
    for (person, id) in PEOPLE.iter().zip(&example.people) {
        let mut has_hash = false;
        if let Some(email) = NormalizedEmail::normalize(person.email) {
            has_hash =
                suppressions::contains(&transaction, example.tenant, &hasher.hash(&email)).await?;
        }
        let row = transaction
            .model(
                "demo.person",
                participant::Entity::find_by_id((example.tenant.0, *id)),
            )
            .await?;
        let children = Children::of(&transaction, example.tenant, *id).await?;
        seen.push(Seen {
            fate: fate(person, row.as_ref(), &children),
            has_hash,
            invitation: children.invitation,
        });
    }
    transaction.rollback().await?;
    Ok(seen)
}

fn fate(
    person: &Person,
    row: Option<&participant::Model>,
    children: &Children,
) -> Option<ExpectedEnd> {
    let Some(row) = row else {
        return (children.rows == 0).then_some(ExpectedEnd::Deleted);
    };
    let expected_children = 3 + i64::try_from(person.conversation.len()).unwrap_or(i64::MAX);
    if children.rows != expected_children {
        return None;
    }
    let fields = [
        (&row.first_name, person.first_name),
        (&row.last_name, person.last_name),
        (&row.email, person.email),
        (&row.phone, person.phone),
        (&row.customer_id, person.customer_id),
    ];
    let all_empty = fields.iter().all(|(stored, _)| stored.is_none());
    let all_there = fields
        .iter()
        .all(|(stored, given)| stored.as_deref() == Some(given));
    match row.anonymized_at {
        Some(_) if all_empty => Some(ExpectedEnd::Anonymized),
        None if all_there => Some(ExpectedEnd::Untouched),
        _ => None,
    }
}

/// What belongs to a hand-placed person: a team, a score, an invitation and a conversation.
struct Children {
    rows: i64,
    invitation: Option<String>,
}

impl Children {
    async fn of(transaction: &Transaction, tenant: TenantId, id: Uuid) -> Result<Self, StoreError> {
        let parameters = [("tenant", tenant.into()), ("id", id.into())];
        let mut rows = 0;
        for table in crate::domain::subject::CHILD_TABLES {
            let sql = format!(
                "SELECT COUNT(*) AS n FROM {table} \
                 WHERE tenant_id = :tenant AND participant_id = :id"
            );
            rows += transaction
                .number("demo.count_children", &sql, &parameters)
                .await?;
        }
        let invitation = transaction
            .row::<InvitationState>(
                "demo.invitation_state",
                "SELECT state FROM invitation WHERE tenant_id = :tenant AND participant_id = :id",
                &parameters,
            )
            .await?;
        Ok(Self {
            rows,
            invitation: invitation.map(|row| row.state),
        })
    }
}

#[derive(FromQueryResult)]
struct InvitationState {
    state: String,
}

/// A conversation as the platform shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// The participant's name, or "(anonymized)".
    pub name: String,
    /// How many of the five personal fields are stored.
    pub personal_fields: i64,
    /// The participant's team.
    pub team: String,
    /// The score that the participant gave.
    pub score: i32,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromQueryResult)]
pub struct Message {
    /// When.
    pub sent_at: DateTime<Utc>,
    /// `in` or `out`.
    pub direction: String,
    /// The text.
    pub body: String,
}

/// The conversation with a participant; `None` when there is no such participant.
pub(super) async fn conversation(
    engine: &Engine,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Conversation>, StoreError> {
    let transaction = engine.database.begin_read(DOING).await?;
    let parameters = [("tenant", tenant.into()), ("id", id.into())];
    let head = transaction
        .row::<Head>(
            "demo.head_of_conversation",
            "SELECT COALESCE(first_name || ' ' || last_name, '(anonymized)') AS name, \
             CASE WHEN first_name IS NULL THEN 0 ELSE 1 END \
             + CASE WHEN last_name IS NULL THEN 0 ELSE 1 END \
             + CASE WHEN email IS NULL THEN 0 ELSE 1 END \
             + CASE WHEN phone IS NULL THEN 0 ELSE 1 END \
             + CASE WHEN customer_id IS NULL THEN 0 ELSE 1 END AS personal_fields, \
             team.value AS team, answer.score AS score FROM participant \
             JOIN participant_metadata AS team ON team.tenant_id = participant.tenant_id \
             AND team.participant_id = participant.id AND team.key = 'team' \
             JOIN answer ON answer.tenant_id = participant.tenant_id \
             AND answer.participant_id = participant.id \
             WHERE participant.tenant_id = :tenant AND participant.id = :id",
            &parameters,
        )
        .await?;
    let messages = transaction
        .rows::<Message>(
            "demo.conversation",
            "SELECT sent_at, direction, body FROM conversation_message \
             WHERE tenant_id = :tenant AND participant_id = :id ORDER BY sent_at",
            &parameters,
        )
        .await?;
    transaction.rollback().await?;
    Ok(head.map(|head| Conversation {
        name: head.name,
        personal_fields: head.personal_fields,
        team: head.team,
        score: head.score,
        messages,
    }))
}

#[derive(FromQueryResult)]
struct Head {
    name: String,
    personal_fields: i64,
    team: String,
    score: i32,
}
