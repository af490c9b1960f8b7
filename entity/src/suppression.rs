//! All that stays of somebody who unsubscribed.

use sea_orm::entity::prelude::*;

/// One keyed hash of an address.
#[sea_orm::model]
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: String,
    /// Version of the rules that normalised the address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub norm_version: i32,
    /// HMAC-SHA-256 of the normalised address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub email_hmac: Vec<u8>,
    /// Month in which the person unsubscribed, in UTC.
    pub suppressed_month: String,
}

debug_without_values!("suppression");

impl ActiveModelBehavior for ActiveModel {}
