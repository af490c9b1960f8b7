//! A person who was invited to answer a survey.

use sea_orm::entity::prelude::*;

/// One participant.
#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "participant")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The upload that the participant came with.
    pub upload_id: Uuid,
    /// When the platform accepted the upload; immutable; the only clock that counts.
    pub added_at: DateTimeUtc,
    /// Personal.
    pub first_name: Option<String>,
    /// Personal.
    pub last_name: Option<String>,
    /// Personal.
    pub email: Option<String>,
    /// Personal.
    pub phone: Option<String>,
    /// Personal.
    pub customer_id: Option<String>,
    /// When the participant unsubscribed.
    pub unsubscribed_at: Option<DateTimeUtc>,
    /// When the five personal fields were removed.
    pub anonymized_at: Option<DateTimeUtc>,
    /// When the row was stored, by the database's clock.
    pub stored_at: DateTimeUtc,
}

debug_without_values!("participant");

impl ActiveModelBehavior for ActiveModel {}
