//! Whether the disk space of what a run erased was reclaimed. In the run's record, so that a process
//! that is killed in between leaves the rest to the next one.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;
use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Columns::of(manager).timestamp_null("reclaimed_at");
        Steps::of(manager).add_column("tenant_run", column).await
    }
}
