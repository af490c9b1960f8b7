//! Many tenants with people of every kind, for tests in which many processes work on them at once:
//! what is made, and what must become of it. `snapshot.rs` compares.
//!
//! The clocks are the real ones, so everything is reckoned from now: periods, cutoffs, and who was
//! added when.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{answer, conversation_message, invitation, participant, participant_metadata, upload};
use retentiond::clock::{Clock, SystemClock};
use retentiond::domain::counts::Counts;
use retentiond::domain::cutoff::Cutoffs;
use retentiond::domain::period::{Period, ScheduleHour, Zone, due_instant, newest_due_period};
use retentiond::domain::policy::Terms;
use retentiond::ids::TenantId;
use sea_orm::ActiveValue::Set;
use sea_orm::{EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::world::zone;
use super::{Scratch, World, at};

/// From the first to the last to reach a new month.
const ZONES: [&str; 10] = [
    "Pacific/Kiritimati",
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Europe/Brussels",
    "UTC",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Pago_Pago",
];

/// No test takes longer. A zone that reaches a new month within this time is left out, because its
/// tenants would be owed another run in the middle of the test.
const TEST_MAX: TimeDelta = TimeDelta::minutes(30);

/// Rows that each participant has in the four child tables, in the order of `CHILD_TABLES`.
pub const CHILDREN: [u64; 4] = [1, 1, 1, 2];

/// Rows in one INSERT.
const CHUNK: usize = 400;

/// The platform with its tenants.
pub struct Crowd {
    pub world: World,
    pub members: Vec<Member>,
}

/// A tenant, and what must become of it.
pub struct Member {
    pub tenant: TenantId,
    pub slug: String,
    pub period: Period,
    pub due_at: DateTime<Utc>,
    pub cutoffs: Cutoffs,
    /// What its run must have counted; for a tenant without a policy, nothing.
    pub counts: Counts,
    pub purged: BTreeSet<Uuid>,
    pub anonymized: BTreeSet<Uuid>,
    /// Younger ones, the oldest of which stand exactly at a cutoff: a run that came too early, or
    /// counted from another period, would take them.
    pub kept: BTreeSet<Uuid>,
    /// Uploads that must stay.
    pub uploads: BTreeSet<Uuid>,
    /// Hashes that must be there at the end.
    pub hashes: BTreeSet<Vec<u8>>,
    /// Unsubscribed people of those above who are erased: their addresses, which may have no hash.
    pub unsubscribed: BTreeMap<Uuid, String>,
}

/// Rows that have not been stored yet.
#[derive(Default)]
pub struct Rows {
    uploads: Vec<upload::ActiveModel>,
    participants: Vec<participant::ActiveModel>,
    metadata: Vec<participant_metadata::ActiveModel>,
    answers: Vec<answer::ActiveModel>,
    messages: Vec<conversation_message::ActiveModel>,
    invitations: Vec<invitation::ActiveModel>,
}

impl Crowd {
    /// `size` tenants with a policy, `crowd-000` and so on, and one without, `crowd-none`.
    pub async fn new(scratch: Scratch, size: usize) -> Self {
        let now = SystemClock.now();
        let world = World::new(scratch, &now.to_rfc3339()).await;
        let zones = zones_at_rest(now);
        let mut members = Vec::with_capacity(size + 1);
        let mut rows = Rows::default();
        for number in 0..size {
            let zone = &zones[number % zones.len()];
            let months = match number % 4 {
                2 => (Some(2), None),
                3 => (None, Some(12)),
                _ => (Some(1), Some(12)),
            };
            let slug = format!("crowd-{number:03}");
            members.push(member(&world, &slug, zone, months, now, number, &mut rows).await);
        }
        let nobody = member(
            &world,
            "crowd-none",
            &zones[0],
            (None, None),
            now,
            0,
            &mut rows,
        )
        .await;
        members.push(nobody);
        rows.store(&world).await;
        Self { world, members }
    }

    /// How many tenants have a policy, and so must have a completed run.
    pub fn size(&self) -> usize {
        self.members.len() - 1
    }
}

fn zones_at_rest(now: DateTime<Utc>) -> Vec<Zone> {
    let hour = ScheduleHour::default();
    let mut zones: Vec<Zone> = ZONES.iter().map(|name| zone(name)).collect();
    zones.retain(|zone| {
        let next = newest_due_period(now, zone, hour).next();
        due_instant(next, zone, hour) > now + TEST_MAX
    });
    zones
}

async fn member(
    world: &World,
    slug: &str,
    zone: &Zone,
    (anonymize_after, retain): (Option<i32>, Option<i32>),
    now: DateTime<Utc>,
    number: usize,
    rows: &mut Rows,
) -> Member {
    let tenant = world.tenant(slug, zone.name()).await;
    let terms = Terms::from_stored(anonymize_after, retain, None, false).expect("a valid policy");
    if !terms.is_empty() {
        world
            .policy(tenant, anonymize_after, retain, "2020-01-01T00:00:00Z")
            .await;
    }
    let hour = ScheduleHour::default();
    let period = newest_due_period(now, zone, hour);
    let mut member = Member {
        tenant,
        slug: slug.to_owned(),
        period,
        due_at: due_instant(period, zone, hour),
        cutoffs: Cutoffs::of(period, zone, &terms),
        counts: Counts::default(),
        purged: BTreeSet::new(),
        anonymized: BTreeSet::new(),
        kept: BTreeSet::new(),
        uploads: BTreeSet::new(),
        hashes: BTreeSet::new(),
        unsubscribed: BTreeMap::new(),
    };
    member.populate(world, number, rows);
    member
}

impl Member {
    fn populate(&mut self, world: &World, number: usize, rows: &mut Rows) {
        let mixed = rows.upload(self.tenant);
        self.uploads.insert(mixed);
        let hair = TimeDelta::microseconds(1);
        let days = |count: usize| TimeDelta::days(i64::try_from(count).expect("few days"));
        let mut emails = BTreeSet::new();
        // Its tenant's addresses; the first one of each kind is the same person in two uploads.
        let email = |index: usize| format!("Person{index}@Crowd{number}.example");
        let mut unhashable = 0;
        if let Some(cutoff) = self.cutoffs.purge {
            let old = rows.upload(self.tenant);
            for index in 0..3 + number % 3 {
                // One stands in an upload that has others left, and so stays.
                let upload = if index == 1 { mixed } else { old };
                let added_at = cutoff - hair - days(index);
                let is_unsubscribed = index % 2 == 0;
                if is_unsubscribed {
                    emails.insert(email(index));
                }
                let id = rows.person(
                    self.tenant,
                    upload,
                    added_at,
                    &email(index),
                    is_unsubscribed,
                );
                self.purged.insert(id);
                if is_unsubscribed {
                    self.unsubscribed.insert(id, email(index));
                }
            }
            self.counts.uploads_removed = 1;
        }
        if let Some(cutoff) = self.cutoffs.anonymize {
            for index in 0..4 + number % 3 {
                let is_unsubscribed = index % 2 == 0;
                // U10: not every address can be hashed.
                let address = if index == 2 && number % 10 == 1 {
                    unhashable += 1;
                    "no address".to_owned()
                } else {
                    if is_unsubscribed {
                        emails.insert(email(index));
                    }
                    email(index)
                };
                let added_at = cutoff - hair - days(index);
                let id = rows.person(self.tenant, mixed, added_at, &address, is_unsubscribed);
                self.anonymized.insert(id);
                if is_unsubscribed {
                    self.unsubscribed.insert(id, address);
                }
            }
        }
        // A tenant without a policy keeps everybody.
        let youngest = self.cutoffs.anonymize.or(self.cutoffs.purge);
        let from = youngest.unwrap_or(at("2020-01-01T00:00:00Z"));
        for index in 0..4 {
            // Somebody who unsubscribed and stays leaves no hash yet (U11).
            let address = email(100 + index);
            let id = rows.person(self.tenant, mixed, from + days(index), &address, index == 1);
            self.kept.insert(id);
        }
        self.hashes = emails
            .iter()
            .map(|email| world.hash(self.tenant, email))
            .collect();
        let length = |set: usize| u64::try_from(set).expect("few");
        self.counts.anonymized = length(self.anonymized.len());
        self.counts.purged = length(self.purged.len());
        self.counts.suppressions = length(self.hashes.len());
        self.counts.unhashable = unhashable;
        let queued = |id: &&Uuid| !self.unsubscribed.contains_key(*id);
        self.counts.invitations_expired = length(self.anonymized.iter().filter(queued).count());
        self.counts.children_purged = CHILDREN.map(|each| each * self.counts.purged);
    }

    pub fn has_policy(&self) -> bool {
        !self.cutoffs.is_empty()
    }
}

impl Rows {
    /// An upload, long ago.
    pub fn upload(&mut self, tenant: TenantId) -> Uuid {
        let id = Uuid::now_v7();
        self.uploads.push(upload::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            file_name: Set("people.csv".to_owned()),
            content_hmac: Set(vec![1; 32]),
            row_count: Set(1),
            accepted_at: Set(at("2020-01-01T00:00:00Z")),
            stored_at: Set(at("2020-01-01T00:00:00Z")),
            first_purged_at: Set(None),
        });
        id
    }

    /// A participant with children in every table, as many as [`CHILDREN`] says; one of the
    /// invitations is still queued, unless they unsubscribed (U5).
    pub fn person(
        &mut self,
        tenant: TenantId,
        upload: Uuid,
        added_at: DateTime<Utc>,
        email: &str,
        is_unsubscribed: bool,
    ) -> Uuid {
        let id = Uuid::now_v7();
        self.participants.push(participant::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            upload_id: Set(upload),
            added_at: Set(added_at),
            first_name: Set(Some("Ann".to_owned())),
            last_name: Set(Some("Peeters".to_owned())),
            email: Set(Some(email.to_owned())),
            phone: Set(Some("+32 2 555 01 23".to_owned())),
            customer_id: Set(Some("C-1001".to_owned())),
            unsubscribed_at: Set(is_unsubscribed.then_some(added_at)),
            anonymized_at: Set(None),
            stored_at: Set(at("2020-01-01T00:00:00Z")),
        });
        self.metadata.push(participant_metadata::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            key: Set("team".to_owned()),
            value: Set("Blue".to_owned()),
        });
        self.answers.push(answer::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            question: Set("How was it?".to_owned()),
            score: Set(Some(7)),
            body: Set(Some("Good".to_owned())),
            answered_at: Set(added_at),
        });
        self.messages.push(conversation_message::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            direction: Set("in".to_owned()),
            body: Set("Thank you".to_owned()),
            sent_at: Set(added_at),
        });
        let other = if is_unsubscribed { "expired" } else { "queued" };
        for state in ["sent", other] {
            self.invitations.push(invitation::ActiveModel {
                tenant_id: Set(tenant.0),
                participant_id: Set(id),
                id: Set(Uuid::now_v7()),
                state: Set(state.to_owned()),
                send_at: Set(added_at),
                sent_at: Set((state == "sent").then_some(added_at)),
                opened_at: Set(None),
                clicked_at: Set(None),
                bounced_at: Set(None),
            });
        }
        id
    }

    /// Stores everything, in few statements.
    pub async fn store(self, world: &World) {
        store::<upload::Entity, _>(world, self.uploads).await;
        store::<participant::Entity, _>(world, self.participants).await;
        store::<participant_metadata::Entity, _>(world, self.metadata).await;
        store::<answer::Entity, _>(world, self.answers).await;
        store::<conversation_message::Entity, _>(world, self.messages).await;
        store::<invitation::Entity, _>(world, self.invitations).await;
    }
}

/// Inserts rows, many at a time.
pub async fn store<E, A>(world: &World, rows: Vec<A>)
where
    E: EntityTrait,
    A: sea_orm::ActiveModelTrait<Entity = E> + Clone,
    E::Model: IntoActiveModel<A>,
{
    for chunk in rows.chunks(CHUNK) {
        E::insert_many(chunk.to_vec())
            .exec_without_returning(&world.db)
            .await
            .expect("rows");
    }
}
