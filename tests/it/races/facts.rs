//! What is stored when everybody has finished, and what the run's log told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{answer, invitation, participant, suppression, tenant_run, upload};
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::known::{Reach, Told, Version};
use crate::support::World;

/// What is stored of the tenant when everybody has finished.
pub struct Facts {
    pub people: HashMap<Uuid, participant::Model>,
    pub answers: HashMap<Uuid, BTreeSet<Uuid>>,
    pub invitations: HashMap<Uuid, BTreeMap<Uuid, String>>,
    pub uploads: HashMap<Uuid, upload::Model>,
    pub hashes: BTreeSet<Vec<u8>>,
    pub run: tenant_run::Model,
    pub told: Told,
}

/// What the run left in reach, because it came too late.
#[derive(Default)]
pub struct Left {
    pub anonymize: u64,
    pub purge: u64,
    pub late: u64,
}

impl Facts {
    pub async fn read(world: &World, tenant: TenantId, told: Told) -> Self {
        let db = &world.db;
        let mut answers: HashMap<_, BTreeSet<_>> = HashMap::new();
        let rows = answer::Entity::find().filter(answer::Column::TenantId.eq(tenant.0));
        for row in rows.all(db).await.expect("rows") {
            answers
                .entry(row.participant_id)
                .or_default()
                .insert(row.id);
        }
        let mut invitations: HashMap<_, BTreeMap<_, _>> = HashMap::new();
        let rows = invitation::Entity::find().filter(invitation::Column::TenantId.eq(tenant.0));
        for row in rows.all(db).await.expect("rows") {
            let of_person = invitations.entry(row.participant_id).or_default();
            of_person.insert(row.id, row.state);
        }
        let rows = participant::Entity::find().filter(participant::Column::TenantId.eq(tenant.0));
        let people = rows.all(db).await.expect("rows");
        let rows = upload::Entity::find().filter(upload::Column::TenantId.eq(tenant.0));
        let uploads = rows.all(db).await.expect("rows");
        let rows = suppression::Entity::find().filter(suppression::Column::TenantId.eq(tenant.0));
        let hashes = rows.all(db).await.expect("rows");
        let run = tenant_run::Entity::find().filter(tenant_run::Column::TenantId.eq(tenant.0));
        Self {
            people: people.into_iter().map(|row| (row.id, row)).collect(),
            answers,
            invitations,
            uploads: uploads.into_iter().map(|row| (row.id, row)).collect(),
            hashes: hashes.into_iter().map(|row| row.email_hmac).collect(),
            run: run.one(db).await.expect("a look-up").expect("a run"),
            told,
        }
    }

    /// Who is in reach and still there. The judge has seen to it that each of them came too late.
    pub fn left(&self) -> Left {
        let mut left = Left::default();
        let started = self.run.started_at.expect("a run that began");
        for row in self.people.values() {
            let count = match Reach::of(row.added_at) {
                Reach::Purge => &mut left.purge,
                Reach::Anonymize if row.anonymized_at.is_none() => &mut left.anonymize,
                _ => continue,
            };
            let upload = &self.uploads[&row.upload_id];
            if row.stored_at >= started || upload.stored_at >= started {
                left.late += 1;
            } else {
                *count += 1;
            }
        }
        left
    }

    /// Whether the recount may have come first.
    pub fn came_too_late(&self, version: &Version) -> bool {
        version.committed >= self.told.recounted_after
    }

    /// Invitations that are still queued.
    pub fn queued(&self, person: Uuid) -> u64 {
        let states = self.invitations.get(&person).into_iter().flatten();
        states.filter(|(_, state)| *state == "queued").count() as u64
    }

    /// No answer and no invitation is left.
    pub fn is_without_children(&self, person: Uuid) -> bool {
        !self.answers.contains_key(&person) && !self.invitations.contains_key(&person)
    }
}
