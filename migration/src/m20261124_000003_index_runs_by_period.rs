//! The daemon looks at the newest period of all tenants at once, every few minutes for years; the
//! primary key, which begins with the tenant, does not serve that.

use sea_orm_migration::prelude::*;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .name("tenant_run_by_period")
            .table("tenant_run")
            .col("period")
            .col("state")
            .take();
        Steps::of(manager).create_index(index).await
    }
}
