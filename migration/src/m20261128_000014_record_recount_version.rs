//! By which policy version a run was completed, beside the one that it has pinned: a policy that was longer for as
//! long as the run lasted kept people whom nobody may call overdue afterwards.

use sea_orm_migration::prelude::*;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("recount_version").integer().null().take();
        Steps::of(manager).add_column("tenant_run", column).await
    }
}
