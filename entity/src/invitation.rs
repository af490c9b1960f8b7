//! An invitation by e-mail, with its statistics.

use sea_orm::entity::prelude::*;

/// One invitation.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation")]
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
    /// `queued`, `sent` or `expired`.
    pub state: String,
    /// When it is to be sent.
    pub send_at: DateTimeUtc,
    /// When it was sent.
    pub sent_at: Option<DateTimeUtc>,
    /// When it was first opened.
    pub opened_at: Option<DateTimeUtc>,
    /// When a link in it was first followed.
    pub clicked_at: Option<DateTimeUtc>,
    /// When it bounced.
    pub bounced_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
