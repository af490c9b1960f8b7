//! On which server a run was last claimed: after a switchover, whoever asks why people are still there has to
//! know who was told to delete them. And what a run knows of rows that have lost their participant, which must
//! outlast whatever else it fails of.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;
use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let steps = Steps::of(manager);
        for column in [
            Columns::of(manager).string_null("server", 255),
            ColumnDef::new("orphans").big_integer().null().take(),
        ] {
            steps.add_column("tenant_run", column).await?;
        }
        // Recorded by the class of the last failure until now; they have to be counted again.
        let count = Query::update()
            .table("tenant_run")
            .value("orphans", 0)
            .and_where(Expr::col("failure_class").eq("orphans"))
            .take();
        steps.update(count).await
    }
}
