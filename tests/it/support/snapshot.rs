//! Everything that is stored of a [`Crowd`], and the proof that each of its tenants was done once,
//! wholly, and not too early.

use std::collections::{BTreeMap, BTreeSet};

use entity::{
    answer, conversation_message, invitation, participant, participant_metadata, run_batch,
    suppression, tenant_run, upload,
};
use retentiond::domain::counts::Counts;
use sea_orm::{DatabaseConnection, EntityTrait};
use uuid::Uuid;

use super::crowd::{Crowd, Member};
use super::month_start;

/// Tenant and participant.
type Key = (i64, Uuid);

/// All rows at one time. (The tables are read one after the other: it is taken while nobody works,
/// or of tenants that nobody works on.)
#[derive(Clone, PartialEq)]
pub struct Snapshot {
    participants: BTreeMap<Key, participant::Model>,
    /// Everything that belongs to a participant, as text.
    children: BTreeMap<Key, BTreeSet<String>>,
    uploads: BTreeSet<Key>,
    hashes: BTreeSet<(i64, Vec<u8>)>,
    runs: BTreeMap<Key, tenant_run::Model>,
    batches: BTreeMap<(i64, Uuid, Uuid), run_batch::Model>,
}

impl Snapshot {
    pub async fn take(db: &DatabaseConnection) -> Self {
        let mut children: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
        let mut add = |tenant, participant, text| {
            let is_new = children
                .entry((tenant, participant))
                .or_default()
                .insert(text);
            assert!(is_new, "two children that look alike");
        };
        for row in all::<participant_metadata::Entity>(db).await {
            let text = format!("metadata {} {}", row.key, row.value);
            add(row.tenant_id, row.participant_id, text);
        }
        for row in all::<answer::Entity>(db).await {
            let text = format!(
                "answer {} {} {:?} {:?} {}",
                row.id, row.question, row.score, row.body, row.answered_at
            );
            add(row.tenant_id, row.participant_id, text);
        }
        for row in all::<conversation_message::Entity>(db).await {
            let text = format!(
                "message {} {} {} {}",
                row.id, row.direction, row.body, row.sent_at
            );
            add(row.tenant_id, row.participant_id, text);
        }
        for row in all::<invitation::Entity>(db).await {
            let text = format!(
                "invitation {} {} {} {:?} {:?} {:?} {:?}",
                row.id,
                row.state,
                row.send_at,
                row.sent_at,
                row.opened_at,
                row.clicked_at,
                row.bounced_at
            );
            add(row.tenant_id, row.participant_id, text);
        }
        Self {
            participants: all::<participant::Entity>(db)
                .await
                .into_iter()
                .map(|row| ((row.tenant_id, row.id), row))
                .collect(),
            children,
            uploads: all::<upload::Entity>(db)
                .await
                .into_iter()
                .map(|row| (row.tenant_id, row.id))
                .collect(),
            hashes: all::<suppression::Entity>(db)
                .await
                .into_iter()
                .map(|row| (row.tenant_id, row.email_hmac))
                .collect(),
            runs: all::<tenant_run::Entity>(db)
                .await
                .into_iter()
                .map(|row| ((row.tenant_id, row.id), row))
                .collect(),
            batches: all::<run_batch::Entity>(db)
                .await
                .into_iter()
                .map(|row| ((row.tenant_id, row.run_id, row.id), row))
                .collect(),
        }
    }

    /// Only what belongs to these tenants.
    pub fn of(mut self, tenants: &BTreeSet<i64>) -> Self {
        self.participants.retain(|key, _| tenants.contains(&key.0));
        self.children.retain(|key, _| tenants.contains(&key.0));
        self.uploads.retain(|key| tenants.contains(&key.0));
        self.hashes.retain(|key| tenants.contains(&key.0));
        self.runs.retain(|key, _| tenants.contains(&key.0));
        self.batches.retain(|key, _| tenants.contains(&key.0));
        self
    }

    /// What differs from `later`, in words; empty if nothing does.
    pub fn differences(&self, later: &Self) -> Vec<&'static str> {
        [
            ("participants", self.participants == later.participants),
            ("children", self.children == later.children),
            ("uploads", self.uploads == later.uploads),
            ("hashes", self.hashes == later.hashes),
            ("runs", self.runs == later.runs),
            ("batches", self.batches == later.batches),
        ]
        .into_iter()
        .filter_map(|(name, is_equal)| (!is_equal).then_some(name))
        .collect()
    }
}

async fn all<E: EntityTrait>(db: &DatabaseConnection) -> Vec<E::Model> {
    E::find().all(db).await.expect("rows")
}

impl Crowd {
    /// Proves that of everything in `before`, each tenant's newest due period was done exactly once
    /// and nothing else was. Returns what is stored now.
    pub async fn prove(&self, before: &Snapshot) -> Snapshot {
        let now = Snapshot::take(&self.world.db).await;
        for member in &self.members {
            member.prove_run(&now);
            member.prove_people(before, &now);
        }
        let stored = self.members.iter().map(Member::remaining).sum::<usize>();
        assert_eq!(now.participants.len(), stored, "people of nobody's");
        now
    }
}

impl Member {
    fn remaining(&self) -> usize {
        self.anonymized.len() + self.kept.len()
    }

    /// Not missed, not double, not early; and the records agree with what the test put in.
    fn prove_run(&self, now: &Snapshot) {
        let slug = &self.slug;
        let mine = |key: &&Key| key.0 == self.tenant.0;
        let runs: Vec<_> = now
            .runs
            .keys()
            .filter(mine)
            .map(|key| &now.runs[key])
            .collect();
        assert_eq!(runs.len(), 1, "{slug}: runs: {runs:?}");
        let run = runs[0];
        assert_eq!(run.period, self.period.to_string(), "{slug}");
        assert_eq!(run.due_at, self.due_at, "{slug}");
        let batches: Vec<_> = now
            .batches
            .values()
            .filter(|batch| batch.tenant_id == self.tenant.0)
            .collect();
        assert!(batches.iter().all(|batch| batch.run_id == run.id), "{slug}");
        if !self.has_policy() {
            assert_eq!(run.state, "no_policy", "{slug}");
            assert!(run.started_at.is_none() && batches.is_empty(), "{slug}");
            return;
        }
        assert_eq!(run.state, "completed", "{slug}: {run:?}");
        assert!(run.started_at >= Some(self.due_at), "{slug}: early");
        assert_eq!(run.anonymize_cutoff, self.cutoffs.anonymize, "{slug}");
        assert_eq!(run.purge_cutoff, self.cutoffs.purge, "{slug}");
        assert_eq!(counts_of_run(run), self.counts, "{slug}: the record");
        let mut sum = Counts::default();
        for batch in &batches {
            sum += counts_of_batch(batch);
            assert!(batch.written_at >= self.due_at, "{slug}: early");
        }
        // Hashes are counted by the run alone (S15).
        let of_batches = Counts {
            suppressions: 0,
            ..self.counts
        };
        assert_eq!(sum, of_batches, "{slug}: the batches");
    }

    fn prove_people(&self, before: &Snapshot, now: &Snapshot) {
        let slug = &self.slug;
        let key = |id: &Uuid| (self.tenant.0, *id);
        for id in &self.purged {
            assert!(
                !now.participants.contains_key(&key(id)),
                "{slug}: still there"
            );
            assert!(!now.children.contains_key(&key(id)), "{slug}: orphans");
        }
        for id in &self.kept {
            let (old, new) = (
                &before.participants[&key(id)],
                now.participants.get(&key(id)),
            );
            assert!(new == Some(old), "{slug}: a younger row was touched");
            assert_eq!(before.children[&key(id)], now.children[&key(id)], "{slug}");
        }
        let written: BTreeSet<_> = now
            .batches
            .values()
            .filter(|batch| batch.tenant_id == self.tenant.0 && batch.stage == "anonymize")
            .map(|batch| batch.written_at)
            .collect();
        for id in &self.anonymized {
            let new = now.participants.get(&key(id)).expect("it stays, anonymous");
            let at = new.anonymized_at.expect("anonymized");
            assert!(written.contains(&at), "{slug}: by no batch on record");
            let mut expected = before.participants[&key(id)].clone();
            expected.first_name = None;
            expected.last_name = None;
            expected.email = None;
            expected.phone = None;
            expected.customer_id = None;
            expected.anonymized_at = Some(at);
            expected.unsubscribed_at = expected.unsubscribed_at.map(month_start);
            assert!(
                *new == expected,
                "{slug}: anonymized otherwise than it should be"
            );
            let expected: BTreeSet<_> = before.children[&key(id)]
                .iter()
                .map(|child| called_off(child))
                .collect();
            assert_eq!(expected, now.children[&key(id)], "{slug}");
        }
        let hashes: BTreeSet<Vec<u8>> = now
            .hashes
            .iter()
            .filter(|(tenant, _)| *tenant == self.tenant.0)
            .map(|(_, hash)| hash.clone())
            .collect();
        assert_eq!(hashes, self.hashes, "{slug}: hashes");
        let uploads: BTreeSet<Uuid> = now
            .uploads
            .iter()
            .filter(|(tenant, _)| *tenant == self.tenant.0)
            .map(|(_, id)| *id)
            .collect();
        assert_eq!(uploads, self.uploads, "{slug}: uploads");
    }
}

/// A child as it is when what was queued has been called off: of the time of sending, the month stays.
fn called_off(child: &str) -> String {
    let Some((id, rest)) = child.split_once(" queued ") else {
        return child.to_owned();
    };
    let mut words = rest.splitn(4, ' ');
    let date = words.next().expect("a date");
    let rest = words.nth(2).expect("the other times");
    format!("{id} expired {}-01 00:00:00 UTC {rest}", &date[..7])
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).expect("a count")
}

fn counts_of_run(row: &tenant_run::Model) -> Counts {
    Counts {
        anonymized: unsigned(row.anonymized),
        purged: unsigned(row.purged),
        suppressions: unsigned(row.suppressions),
        unhashable: unsigned(row.unhashable),
        invitations_expired: unsigned(row.invitations_expired),
        uploads_removed: unsigned(row.uploads_removed),
        children_purged: [
            row.participant_metadata_purged,
            row.answer_purged,
            row.conversation_message_purged,
            row.invitation_purged,
        ]
        .map(unsigned),
    }
}

/// The counts of a batch on record.
pub fn counts_of_batch(row: &run_batch::Model) -> Counts {
    Counts {
        anonymized: unsigned(row.anonymized),
        purged: unsigned(row.purged),
        suppressions: unsigned(row.suppressions),
        unhashable: unsigned(row.unhashable),
        invitations_expired: unsigned(row.invitations_expired),
        uploads_removed: unsigned(row.uploads_removed),
        children_purged: [
            row.participant_metadata_purged,
            row.answer_purged,
            row.conversation_message_purged,
            row.invitation_purged,
        ]
        .map(unsigned),
    }
}
