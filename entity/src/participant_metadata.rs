//! A column of an upload that is not one of the five personal fields.

use sea_orm::entity::prelude::*;

/// One value.
#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "participant_metadata")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// The participant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub participant_id: Uuid,
    /// Name of the column.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Its value.
    pub value: String,
}

debug_without_values!("participant_metadata");

impl ActiveModelBehavior for ActiveModel {}
