//! A message between a participant and the tenant.

use sea_orm::entity::prelude::*;

/// One message.
#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation_message")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// The participant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: Uuid,
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `in` (from the participant) or `out`.
    pub direction: String,
    /// The text.
    pub body: String,
    /// When it was sent.
    pub sent_at: DateTimeUtc,
}

debug_without_values!("conversation_message");

impl ActiveModelBehavior for ActiveModel {}
