//! Rows on their way into the database, and how each is made.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{answer, conversation_message, invitation, participant, participant_metadata, upload};
use rand::RngCore;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use uuid::{Builder, Uuid};

use crate::store::{StoreError, Transaction};

/// Rows of one INSERT. SQLite binds at most 32,766 values a statement; a participant has 11.
const INSERT_ROWS: usize = 500;

/// The questions of the survey.
const QUESTION_SCORE: &str = "How likely are you to recommend us?";
const QUESTION_TEXT: &str = "Why?";

/// Rows that have not been written yet.
#[derive(Default)]
pub(super) struct Rows {
    uploads: Vec<upload::ActiveModel>,
    participants: Vec<participant::ActiveModel>,
    metadata: Vec<participant_metadata::ActiveModel>,
    answers: Vec<answer::ActiveModel>,
    messages: Vec<conversation_message::ActiveModel>,
    invitations: Vec<invitation::ActiveModel>,
}

/// Whose child a row is.
#[derive(Clone, Copy)]
pub(super) struct Parent {
    pub(super) tenant: i64,
    pub(super) participant: Uuid,
}

/// The values of a participant.
pub(super) struct NewParticipant {
    pub(super) upload: Uuid,
    pub(super) added_at: DateTime<Utc>,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) customer_id: String,
    pub(super) unsubscribed_at: Option<DateTime<Utc>>,
}

/// How an invitation fared.
#[derive(Clone, Copy, Default)]
pub(super) struct Fared {
    pub(super) opened: bool,
    pub(super) clicked: bool,
    pub(super) bounced: bool,
}

/// A UUIDv7 (RFC 9562) of that moment.
pub(super) fn id_at(moment: DateTime<Utc>, random: &mut impl RngCore) -> Uuid {
    let mut bytes = [0; 10];
    random.fill_bytes(&mut bytes);
    let milliseconds = u64::try_from(moment.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
}

impl Rows {
    pub(super) fn participants_waiting(&self) -> usize {
        self.participants.len()
    }

    pub(super) fn upload(&mut self, tenant: i64, id: Uuid, of: UploadOf<'_>) {
        self.uploads.push(upload::ActiveModel {
            tenant_id: Set(tenant),
            id: Set(id),
            file_name: Set(of.file_name.to_owned()),
            content_hmac: Set(of.content_hmac.to_vec()),
            row_count: Set(of.row_count),
            accepted_at: Set(of.accepted_at),
            ..Default::default()
        });
    }

    pub(super) fn participant(&mut self, of: Parent, values: NewParticipant) {
        self.participants.push(participant::ActiveModel {
            tenant_id: Set(of.tenant),
            id: Set(of.participant),
            upload_id: Set(values.upload),
            added_at: Set(values.added_at),
            first_name: Set(Some(values.first_name)),
            last_name: Set(Some(values.last_name)),
            email: Set(Some(values.email)),
            phone: Set(Some(values.phone)),
            customer_id: Set(Some(values.customer_id)),
            unsubscribed_at: Set(values.unsubscribed_at),
            anonymized_at: Set(None),
            ..Default::default()
        });
    }

    pub(super) fn metadata(&mut self, of: Parent, key: &str, value: &str) {
        self.metadata.push(participant_metadata::ActiveModel {
            tenant_id: Set(of.tenant),
            participant_id: Set(of.participant),
            key: Set(key.to_owned()),
            value: Set(value.to_owned()),
        });
    }

    pub(super) fn answers(
        &mut self,
        of: Parent,
        score: i32,
        text: Option<&str>,
        at: DateTime<Utc>,
        random: &mut impl RngCore,
    ) {
        let mut add = |question: &str, score: Option<i32>, body: Option<&str>| {
            self.answers.push(answer::ActiveModel {
                tenant_id: Set(of.tenant),
                participant_id: Set(of.participant),
                id: Set(id_at(at, random)),
                question: Set(question.to_owned()),
                score: Set(score),
                body: Set(body.map(str::to_owned)),
                answered_at: Set(at),
            });
        };
        add(QUESTION_SCORE, Some(score), None);
        if text.is_some() {
            add(QUESTION_TEXT, None, text);
        }
    }

    /// Messages in turn, the first from the participant, two hours apart.
    pub(super) fn conversation(
        &mut self,
        of: Parent,
        bodies: &[&str],
        first_at: DateTime<Utc>,
        random: &mut impl RngCore,
    ) {
        let mut at = first_at;
        for (position, body) in bodies.iter().enumerate() {
            let direction = if position % 2 == 0 { "in" } else { "out" };
            self.messages.push(conversation_message::ActiveModel {
                tenant_id: Set(of.tenant),
                participant_id: Set(of.participant),
                id: Set(id_at(at, random)),
                direction: Set(direction.to_owned()),
                body: Set((*body).to_owned()),
                sent_at: Set(at),
            });
            at += TimeDelta::hours(2);
        }
    }

    pub(super) fn invitation(
        &mut self,
        of: Parent,
        state: &str,
        send_at: DateTime<Utc>,
        fared: Fared,
        random: &mut impl RngCore,
    ) {
        let was_sent = state == "sent";
        let after = |hours, happened: bool| {
            (was_sent && happened).then(|| send_at + TimeDelta::hours(hours))
        };
        self.invitations.push(invitation::ActiveModel {
            tenant_id: Set(of.tenant),
            participant_id: Set(of.participant),
            id: Set(id_at(send_at, random)),
            state: Set(state.to_owned()),
            send_at: Set(send_at),
            sent_at: Set(after(0, true)),
            opened_at: Set(after(5, fared.opened)),
            clicked_at: Set(after(6, fared.clicked)),
            bounced_at: Set(after(1, fared.bounced)),
        });
    }

    /// Writes everything that waits, parents before children.
    pub(super) async fn write(&mut self, transaction: &Transaction) -> Result<(), StoreError> {
        insert(transaction, &mut self.uploads).await?;
        insert(transaction, &mut self.participants).await?;
        insert(transaction, &mut self.metadata).await?;
        insert(transaction, &mut self.answers).await?;
        insert(transaction, &mut self.messages).await?;
        insert(transaction, &mut self.invitations).await
    }
}

/// What an upload's row says.
#[derive(Clone, Copy)]
pub(super) struct UploadOf<'a> {
    pub(super) file_name: &'a str,
    pub(super) content_hmac: [u8; 32],
    pub(super) row_count: i64,
    pub(super) accepted_at: DateTime<Utc>,
}

async fn insert<A: ActiveModelTrait>(
    transaction: &Transaction,
    rows: &mut Vec<A>,
) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let count = rows.len().min(INSERT_ROWS);
        let chunk = A::Entity::insert_many(rows.drain(..count));
        transaction.insert("demo.insert", chunk).await?;
    }
    Ok(())
}
