//! The work of one tenant for one period; at most one row for each, ever.

use sea_orm::entity::prelude::*;

/// One tenant-run.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant_run")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Calendar month, `2024-04`.
    pub period: String,
    /// `pending`, `running`, `completed`, `failed`, `superseded` or `no_policy`.
    pub state: String,
    /// When the run was due.
    pub due_at: DateTimeUtc,
    /// The policy version that rules the run, pinned at the first claim.
    pub policy_version: Option<i32>,
    /// Pinned; unset = nobody is anonymized.
    pub anonymize_cutoff: Option<DateTimeUtc>,
    /// Pinned; unset = nobody is deleted.
    pub purge_cutoff: Option<DateTimeUtc>,
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
    /// Participants anonymized, and to be anonymized, as counted when the run was last claimed; unset
    /// = none were found.
    pub anonymize_planned: Option<i64>,
    /// Participants deleted, and to be deleted, as counted when the run was last claimed; unset =
    /// none were found.
    pub purge_planned: Option<i64>,
    /// How many times the run was claimed.
    pub attempts: i32,
    /// First claim, by the database's clock.
    pub started_at: Option<DateTimeUtc>,
    /// End of the run, by the database's clock.
    pub finished_at: Option<DateTimeUtc>,
    /// Not to be tried again before, by the database's clock.
    pub retry_at: Option<DateTimeUtc>,
    /// Class of the last failure.
    pub failure_class: Option<String>,
    /// The database's error code of the last failure, where there was one.
    pub failure_code: Option<String>,
    /// Stage of the first row that the database refused, where the last failure was that.
    pub failure_stage: Option<String>,
    /// Id of that row, a participant's or an upload's; it goes with the failure.
    pub failure_row_id: Option<Uuid>,
    /// Name of the constraint that refused it, where the database says it.
    pub failure_constraint: Option<String>,
    /// How many rows the database refused.
    pub failure_rows: Option<i64>,
    /// Participants without a real date when the run was completed; unset = it is not, or was before they
    /// were counted.
    pub undated: Option<i64>,
    /// When the disk space of what it erased was last reclaimed, by the database's clock; unset =
    /// not since its last batch.
    pub reclaimed_at: Option<DateTimeUtc>,
    /// Release of the time-zone rules by which the cutoffs were reckoned that are pinned, or `unknown`;
    /// unset = they are not pinned, or were by a version of the service that did not record it.
    pub tzdata_release: Option<String>,
    /// The server on which the run was last claimed, as it names itself; unset = it was not claimed, or by a
    /// version of the service that did not record it.
    pub server: Option<String>,
    /// Rows without their participant, as last counted; 0 = not counted since a foreign key was found not in
    /// force. While it is set, they are counted before the run is completed. Unset = there is no reason to.
    pub orphans: Option<i64>,
    /// The policy version that was in force when a last recount found nothing left to do, and the run was
    /// completed; unset = there was none, the run is not completed, or was before this was recorded.
    pub recount_version: Option<i32>,
    /// The tenant.
    #[sea_orm(belongs_to, from = "tenant_id", to = "id")]
    pub tenant: BelongsTo<super::tenant::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
