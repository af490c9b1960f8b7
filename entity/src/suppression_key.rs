//! A key of the keyring that this database knows.

use sea_orm::entity::prelude::*;

/// One key, without the key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression_key")]
pub struct Model {
    /// Name of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    /// Proves that a keyring holds the same key.
    pub check_value: Vec<u8>,
    /// When the database first saw the key.
    pub created_at: DateTimeUtc,
    /// When another key became the active one.
    pub retired_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
