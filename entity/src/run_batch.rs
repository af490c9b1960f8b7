//! What one committed batch did.

use sea_orm::entity::prelude::*;

/// One batch.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_batch")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// UUIDv7, chosen before the transaction: finds the batch after a lost COMMIT reply.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// 0; a run is one slice as yet.
    pub slice: i32,
    /// `anonymize`, `purge` or `uploads`.
    pub stage: String,
    /// Equals `participant.anonymized_at` of the rows that the batch anonymized.
    pub written_at: DateTimeUtc,
    /// The cutoff that was in force: the older of the pinned and the current one.
    pub cutoff: Option<DateTimeUtc>,
    /// Participants anonymized.
    pub anonymized: i64,
    /// Participants deleted.
    pub purged: i64,
    /// Suppression hashes that were new.
    pub suppressions: i64,
    /// Unsubscribed rows erased whose address could not be hashed.
    pub unhashable: i64,
    /// Queued invitations that were called off.
    pub invitations_expired: i64,
    /// Uploads that went because their last participant had gone.
    pub uploads_removed: i64,
    /// Rows deleted with their participant.
    pub participant_metadata_purged: i64,
    /// Rows deleted with their participant.
    pub answer_purged: i64,
    /// Rows deleted with their participant.
    pub conversation_message_purged: i64,
    /// Rows deleted with their participant.
    pub invitation_purged: i64,
}

impl ActiveModelBehavior for ActiveModel {}
