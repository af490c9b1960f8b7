//! Whether the disk space of what a run erased was reclaimed. In the run's record, so that a process
//! that is killed in between leaves the rest to the next one.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Columns::of(manager).timestamp_null("reclaimed_at");
        let table = Table::alter().table("tenant_run").add_column(column).take();
        manager.alter_table(table).await
    }
}
