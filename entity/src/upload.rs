//! A file of participants that a tenant uploaded.

use sea_orm::entity::prelude::*;

/// One upload.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name of the file, without its folder.
    pub file_name: String,
    /// HMAC-SHA-256 of the content under a key of the tenant's.
    pub content_hmac: Vec<u8>,
    /// Accepted rows.
    pub row_count: i64,
    /// When the platform accepted the upload.
    pub accepted_at: DateTimeUtc,
    /// When the rows became visible, by the database's clock.
    pub stored_at: DateTimeUtc,
    /// When a run first deleted participants of this upload.
    pub first_purged_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
