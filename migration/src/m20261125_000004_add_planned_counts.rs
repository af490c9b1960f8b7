//! How much a run found to do, so that somebody who watches it can tell how much is left.

use sea_orm_migration::prelude::*;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let steps = Steps::of(manager);
        for column in ["anonymize_planned", "purge_planned"] {
            let column = ColumnDef::new(column).big_integer().null().take();
            steps.add_column("tenant_run", column).await?;
        }
        Ok(())
    }
}
