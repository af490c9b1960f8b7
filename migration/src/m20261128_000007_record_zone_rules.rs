//! By which release of the time-zone database a run's pinned cutoffs were reckoned. Rules change, and who
//! asks years later why a cutoff lies where it does has to know which ones held then.

use sea_orm_migration::prelude::*;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("tzdata_release")
            .string_len(32)
            .null()
            .take();
        Steps::of(manager).add_column("tenant_run", column).await
    }
}
