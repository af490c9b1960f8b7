//! How much a run found to do, so that somebody who watches it can tell how much is left.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["anonymize_planned", "purge_planned"] {
            // One at a time: SQLite takes no more.
            let add = Table::alter()
                .table("tenant_run")
                .add_column(ColumnDef::new(column).big_integer().null())
                .take();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}
