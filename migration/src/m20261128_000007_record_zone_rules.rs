//! By which release of the time-zone database a run's pinned cutoffs were reckoned. Rules change, and who
//! asks years later why a cutoff lies where it does has to know which ones held then.

use sea_orm_migration::prelude::*;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = ColumnDef::new("tzdata_release");
        column.string_len(32).null();
        let table = Table::alter().table("tenant_run").add_column(column).take();
        manager.alter_table(table).await
    }
}
