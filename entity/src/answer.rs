//! An answer of a participant to one question.

use sea_orm::entity::prelude::*;

/// One answer.
#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "answer")]
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
    /// The question.
    pub question: String,
    /// The score, where the question asks for one.
    pub score: Option<i32>,
    /// The text, where the question asks for one.
    pub body: Option<String>,
    /// When it was answered.
    pub answered_at: DateTimeUtc,
}

debug_without_values!("answer");

impl ActiveModelBehavior for ActiveModel {}
