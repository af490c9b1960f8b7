//! People of whom every value is marked with what must become of it.

use entity::{answer, conversation_message, invitation, participant, participant_metadata, upload};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use retentiond::ids::TenantId;
use sea_orm::ActiveValue::Set;
use sea_orm::{DatabaseConnection, EntityTrait};
use uuid::Uuid;

use super::files::{ERASED, KEPT, marker};
use crate::support::{World, at};

/// The period whose cutoffs lie between the people.
pub const PERIOD: &str = "2024-04";

/// Columns of whose values some go and some stay, by the names in their markers.
pub const PERSONAL: [&str; 5] = ["first", "last", "email", "phone", "customer"];
pub const OTHERS: [&str; 6] = ["key", "value", "question", "answer", "message", "file"];

/// Rows in one statement.
const CHUNK: usize = 40;

/// What must become of somebody.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Purged,
    Anonymized,
    Kept,
}

impl Fate {
    fn added_at(self) -> &'static str {
        match self {
            Self::Purged => "2022-10-15T12:00:00Z",
            Self::Anonymized => "2023-10-15T12:00:00Z",
            Self::Kept => "2024-03-15T12:00:00Z",
        }
    }

    /// What must become of the five fields.
    fn personal(self) -> &'static str {
        if self == Self::Kept { KEPT } else { ERASED }
    }

    /// What must become of everything else.
    fn other(self) -> &'static str {
        if self == Self::Purged { ERASED } else { KEPT }
    }
}

/// How many people there are of each fate.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub each: usize,
    /// Characters of the longest text.
    pub text_max: usize,
}

/// Puts a tenant's people into the database through `db`, in an order and of lengths that follow from
/// the seed. Every tenth is unsubscribed.
pub async fn populate(world: &World, db: &DatabaseConnection, size: Size, seed: u64) {
    let tenant = world.tenant("example", "UTC").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    let mut random = StdRng::seed_from_u64(seed);
    let mut fates: Vec<Fate> = [Fate::Purged, Fate::Anonymized, Fate::Kept]
        .into_iter()
        .flat_map(|fate| vec![fate; size.each])
        .collect();
    fates.shuffle(&mut random);
    let fates: Vec<(usize, Fate)> = fates.into_iter().enumerate().collect();
    for chunk in fates.chunks(CHUNK) {
        insert(db, tenant, chunk, size, &mut random).await;
    }
}

/// Text that no database compresses, with its marker in front.
fn text(random: &mut StdRng, marker: String, length_max: usize) -> String {
    // One in eight is long, so that it stands outside of its row.
    let length_max = if random.random_range(0..8) == 0 {
        length_max
    } else {
        length_max.min(60)
    };
    let mut text = marker;
    for _ in 0..random.random_range(0..=length_max) {
        text.push(char::from(random.random_range(b'0'..=b'y')));
    }
    text
}

async fn insert(
    db: &DatabaseConnection,
    tenant: TenantId,
    people: &[(usize, Fate)],
    size: Size,
    random: &mut StdRng,
) {
    let mut uploads = Vec::new();
    let mut participants = Vec::new();
    let mut metadata = Vec::new();
    let mut answers = Vec::new();
    let mut messages = Vec::new();
    let mut invitations = Vec::new();
    for (number, fate) in people {
        let (id, upload_id) = (Uuid::now_v7(), Uuid::now_v7());
        let time = at(fate.added_at());
        let personal = |column| marker(fate.personal(), column, *number);
        let other = |column| marker(fate.other(), column, *number);
        uploads.push(upload::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(upload_id),
            file_name: Set(other("file")),
            content_hmac: Set(vec![1; 32]),
            row_count: Set(1),
            accepted_at: Set(time),
            stored_at: Set(time),
            first_purged_at: Set(None),
        });
        participants.push(participant::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            upload_id: Set(upload_id),
            added_at: Set(time),
            first_name: Set(Some(personal("first"))),
            last_name: Set(Some(text(random, personal("last"), 200))),
            email: Set(Some(format!("{}@example.org", personal("email")))),
            phone: Set(Some(personal("phone"))),
            customer_id: Set(Some(personal("customer"))),
            unsubscribed_at: Set((number % 10 == 0).then_some(time)),
            anonymized_at: Set(None),
            stored_at: Set(time),
        });
        metadata.push(participant_metadata::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            key: Set(other("key")),
            value: Set(text(random, other("value"), size.text_max)),
        });
        answers.push(answer::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            question: Set(other("question")),
            score: Set(Some(9)),
            body: Set(Some(text(random, other("answer"), size.text_max))),
            answered_at: Set(time),
        });
        messages.push(conversation_message::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            direction: Set("in".to_owned()),
            body: Set(text(random, other("message"), size.text_max)),
            sent_at: Set(time),
        });
        invitations.push(invitation::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            // Nobody who unsubscribed has one that is still queued (U5).
            state: Set(if number % 10 == 0 {
                "expired"
            } else {
                "queued"
            }
            .to_owned()),
            send_at: Set(time),
            sent_at: Set(None),
            opened_at: Set(None),
            clicked_at: Set(None),
            bounced_at: Set(None),
        });
    }
    let done = upload::Entity::insert_many(uploads);
    done.exec_without_returning(db).await.expect("uploads");
    let done = participant::Entity::insert_many(participants);
    done.exec_without_returning(db).await.expect("people");
    let done = participant_metadata::Entity::insert_many(metadata);
    done.exec_without_returning(db).await.expect("metadata");
    let done = answer::Entity::insert_many(answers);
    done.exec_without_returning(db).await.expect("answers");
    let done = conversation_message::Entity::insert_many(messages);
    done.exec_without_returning(db).await.expect("messages");
    let done = invitation::Entity::insert_many(invitations);
    done.exec_without_returning(db).await.expect("invitations");
}

/// Values that a run must erase, and values that it must keep.
pub fn expected(size: Size) -> (usize, usize) {
    let (personal, others) = (PERSONAL.len(), OTHERS.len());
    (
        size.each * (2 * personal + others),
        size.each * (personal + 2 * others),
    )
}
