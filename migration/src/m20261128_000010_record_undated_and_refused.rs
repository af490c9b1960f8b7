//! Whom a run left alone because their date is none, and which rows the database refused.

use sea_orm_migration::prelude::*;

use crate::columns::Columns;
use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns::of(manager);
        let added = [
            ColumnDef::new("undated").big_integer().null().take(),
            columns.string_null("failure_stage", 16),
            columns.uuid_null("failure_row_id"),
            columns.string_null("failure_constraint", 64),
            ColumnDef::new("failure_rows").big_integer().null().take(),
        ];
        let steps = Steps::of(manager);
        for column in added {
            steps.add_column("tenant_run", column).await?;
        }
        Ok(())
    }
}
