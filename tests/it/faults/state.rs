//! All that a run may change, read at one instant, and what must hold of it at every instant.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    answer, conversation_message, invitation, participant, participant_metadata, run_batch,
    run_lease, suppression, tenant, tenant_run, upload,
};
use retentiond::domain::counts::Counts;
use retentiond::store::runs;
use sea_orm::{AccessMode, DatabaseConnection, EntityTrait, IsolationLevel, TransactionTrait};
use uuid::Uuid;

use crate::support::Backend;

/// What is stored. Times and ids that differ from run to run are left out, except in `records`.
pub struct State {
    /// Subjects and what belongs to them, by table and key.
    pub rows: BTreeMap<String, Row>,
    /// Uploads that a run took participants from.
    pub purged_uploads: BTreeSet<Uuid>,
    /// Tenants and their hashes.
    pub hashes: BTreeSet<(i64, Vec<u8>)>,
    /// The runs by tenant and period.
    pub runs: BTreeMap<String, Run>,
    /// Whether somebody holds a lease, or a cursor still names a participant.
    pub in_hand: bool,
    /// Runs, batches and leases as they are.
    pub records: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub table: &'static str,
    pub tenant: i64,
    /// Whom the row is about.
    pub person: Option<Uuid>,
    pub anonymized: bool,
    pub line: String,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub tenant: i64,
    pub slug: String,
    pub state: String,
    pub pinned: String,
    pub counts: Counts,
    /// The sum over its batches.
    pub batches: Counts,
}

impl State {
    /// Reads everything on one snapshot.
    pub async fn read(db: &DatabaseConnection, backend: Backend) -> Self {
        let snapshot = match backend {
            Backend::Sqlite => db.begin().await,
            _ => {
                let repeatable = Some(IsolationLevel::RepeatableRead);
                db.begin_with_config(repeatable, Some(AccessMode::ReadOnly))
                    .await
            }
        }
        .expect("a snapshot");
        let db = &snapshot;
        let mut rows = BTreeMap::new();
        let mut add = |key: String, row: Row| {
            rows.insert(format!("{} {} {key}", row.table, row.tenant), row);
        };
        for row in participant::Entity::find().all(db).await.expect("rows") {
            let line = format!(
                "{} {} {} {:?} {:?} {:?} {:?} {:?} {:?}",
                row.upload_id,
                row.added_at,
                row.stored_at,
                row.first_name,
                row.last_name,
                row.email,
                row.phone,
                row.customer_id,
                row.unsubscribed_at
            );
            let mut person = of_person("participant", row.tenant_id, row.id, line);
            person.anonymized = row.anonymized_at.is_some();
            add(row.id.to_string(), person);
        }
        for row in participant_metadata::Entity::find()
            .all(db)
            .await
            .expect("rows")
        {
            let key = format!("{} {}", row.participant_id, row.key);
            let table = "participant_metadata";
            add(
                key,
                of_person(table, row.tenant_id, row.participant_id, row.value),
            );
        }
        for row in answer::Entity::find().all(db).await.expect("rows") {
            let line = format!("{} {:?} {:?}", row.question, row.score, row.body);
            let key = row.id.to_string();
            add(
                key,
                of_person("answer", row.tenant_id, row.participant_id, line),
            );
        }
        for row in conversation_message::Entity::find()
            .all(db)
            .await
            .expect("rows")
        {
            let line = format!("{} {} {}", row.direction, row.body, row.sent_at);
            let table = "conversation_message";
            let key = row.id.to_string();
            add(
                key,
                of_person(table, row.tenant_id, row.participant_id, line),
            );
        }
        for row in invitation::Entity::find().all(db).await.expect("rows") {
            let line = format!("{} {} {:?}", row.state, row.send_at, row.sent_at);
            let key = row.id.to_string();
            add(
                key,
                of_person("invitation", row.tenant_id, row.participant_id, line),
            );
        }
        let mut purged_uploads = BTreeSet::new();
        for row in upload::Entity::find().all(db).await.expect("rows") {
            if row.first_purged_at.is_some() {
                purged_uploads.insert(row.id);
            }
            let line = format!("{} {} {}", row.file_name, row.row_count, row.accepted_at);
            let mut belongs_to_nobody = of_person("upload", row.tenant_id, row.id, line);
            belongs_to_nobody.person = None;
            add(row.id.to_string(), belongs_to_nobody);
        }
        let hashes = suppression::Entity::find().all(db).await.expect("rows");
        let leases = run_lease::Entity::find().all(db).await.expect("rows");
        let mut records: Vec<String> = leases.iter().map(|lease| format!("{lease:?}")).collect();
        let mut batches = BTreeMap::<Uuid, Counts>::new();
        for batch in run_batch::Entity::find().all(db).await.expect("rows") {
            records.push(format!("{batch:?}"));
            *batches.entry(batch.run_id).or_default() += counts_of(&batch);
        }
        let tenants = tenant::Entity::find().all(db).await.expect("rows");
        let slugs: BTreeMap<i64, String> =
            tenants.into_iter().map(|row| (row.id, row.slug)).collect();
        let mut runs = BTreeMap::new();
        for run in tenant_run::Entity::find().all(db).await.expect("rows") {
            records.push(format!("{run:?}"));
            let counts = runs::counts_of(&run);
            let (version, anonymize, purge) =
                (run.policy_version, run.anonymize_cutoff, run.purge_cutoff);
            runs.insert(
                format!("{} {}", run.tenant_id, run.period),
                Run {
                    tenant: run.tenant_id,
                    slug: slugs[&run.tenant_id].clone(),
                    state: run.state,
                    pinned: format!("{version:?} {anonymize:?} {purge:?}"),
                    counts,
                    batches: batches.remove(&run.id).unwrap_or_default(),
                },
            );
        }
        assert!(batches.is_empty(), "batches of no run: {batches:?}");
        snapshot.rollback().await.expect("the end of the snapshot");
        records.sort();
        Self {
            rows,
            purged_uploads,
            hashes: hashes
                .into_iter()
                .map(|row| (row.tenant_id, row.email_hmac))
                .collect(),
            runs,
            in_hand: leases
                .iter()
                .any(|lease| lease.token.is_some() || lease.cursor_id.is_some()),
            records,
        }
    }

    /// The rows about each person, by key.
    pub fn by_person(&self) -> HashMap<Uuid, BTreeMap<&str, &Row>> {
        let mut people: HashMap<Uuid, BTreeMap<&str, &Row>> = HashMap::new();
        for (key, row) in &self.rows {
            if let Some(person) = row.person {
                people.entry(person).or_default().insert(key, row);
            }
        }
        people
    }

    /// What is gone since `before`, by tenant: what the run's record must say.
    pub fn gone_since(&self, before: &Self, tenant: i64) -> Counts {
        let count = |state: &Self, table: &str| {
            let rows = state.rows.values();
            rows.filter(|row| row.tenant == tenant && row.table == table)
                .count() as u64
        };
        let anonymized = |state: &Self| {
            let rows = state.rows.values();
            rows.filter(|row| row.tenant == tenant && row.anonymized)
                .count() as u64
        };
        // Who unsubscribed had none queued, and may be gone by now.
        let was_queued = |key: &str| {
            let before = before.rows.get(key);
            before.is_some_and(|row| row.line.starts_with("queued"))
        };
        let expired = self
            .rows
            .iter()
            .filter(|(key, row)| {
                row.tenant == tenant
                    && row.table == "invitation"
                    && row.line.starts_with("expired")
                    && was_queued(key)
            })
            .count() as u64;
        let hashes = |state: &Self| state.hashes.iter().filter(|(of, _)| *of == tenant).count();
        let gone = |table| count(before, table) - count(self, table);
        Counts {
            anonymized: anonymized(self) - anonymized(before),
            purged: gone("participant"),
            suppressions: (hashes(self) - hashes(before)) as u64,
            // The caller knows whose address could not be hashed.
            unhashable: 0,
            invitations_expired: expired,
            uploads_removed: gone("upload"),
            children_purged: retentiond::domain::subject::CHILD_TABLES.map(gone),
        }
    }
}

fn of_person(table: &'static str, tenant: i64, person: Uuid, line: String) -> Row {
    Row {
        table,
        tenant,
        person: Some(person),
        anonymized: false,
        line,
    }
}

fn counts_of(batch: &run_batch::Model) -> Counts {
    let count = |stored: i64| u64::try_from(stored).expect("a count");
    Counts {
        anonymized: count(batch.anonymized),
        purged: count(batch.purged),
        suppressions: count(batch.suppressions),
        unhashable: count(batch.unhashable),
        invitations_expired: count(batch.invitations_expired),
        uploads_removed: count(batch.uploads_removed),
        children_purged: [
            batch.participant_metadata_purged,
            batch.answer_purged,
            batch.conversation_message_purged,
            batch.invitation_purged,
        ]
        .map(count),
    }
}
