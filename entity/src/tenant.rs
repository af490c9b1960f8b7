//! A customer of the platform.

use sea_orm::entity::prelude::*;

/// One tenant.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    /// Number of the tenant, first part of every other key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Short name, used on the command line and in logs.
    #[sea_orm(unique)]
    pub slug: String,
    /// Name for people.
    pub name: String,
    /// IANA time zone, which decides when the tenant's days begin.
    pub time_zone: String,
    /// When the tenant was added.
    pub created_at: DateTimeUtc,
    /// How many times `unsubscribe` changed something for this tenant; on MariaDB, or an import did.
    pub unsubscribe_count: i64,
    /// The tenant's policy versions.
    #[sea_orm(has_many)]
    pub policies: HasMany<super::policy::Entity>,
    /// The tenant's runs.
    #[sea_orm(has_many)]
    pub runs: HasMany<super::tenant_run::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
