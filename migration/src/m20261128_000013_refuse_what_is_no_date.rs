//! PostgreSQL stores infinities and years that no calendar library has. The driver panics on one, and one in the
//! record of one tenant would end the look at all of them; so our own tables refuse them. Those of people
//! do not: there the service leaves such a row alone and says so (E13).
//!
//! What is there already is not looked at (NOT VALID), so that no old row stands in the way of an upgrade. On
//! MariaDB a session can switch such a check off, and is not stopped by one; there, and on SQLite, the service
//! does not read what is no date.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Tables, and their instants.
const INSTANTS: [(&str, &[&str]); 4] = [
    ("tenant", &["created_at"]),
    ("policy", &["effective_from", "created_at"]),
    (
        "tenant_run",
        &[
            "due_at",
            "anonymize_cutoff",
            "purge_cutoff",
            "started_at",
            "finished_at",
            "retry_at",
            "reclaimed_at",
        ],
    ),
    ("run_lease", &["expires_at", "cursor_added_at"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let steps = Steps::of(manager);
        for (table, columns) in INSTANTS {
            // PostgreSQL reads the condition anew for each statement that writes a row: an array costs a fifth
            // of a comparison for each column. What is NULL is neither too early nor too late.
            let instants = format!("ARRAY[{}]", columns.join(", "));
            let add = format!(
                "ALTER TABLE {table} ADD CONSTRAINT {table}_has_dates CHECK (\
                 TIMESTAMPTZ '0001-01-01 00:00:00+00' <= ALL ({instants}) \
                 AND TIMESTAMPTZ '10000-01-01 00:00:00+00' > ALL ({instants})) NOT VALID"
            );
            steps.execute_on_postgres(&add).await?;
        }
        Ok(())
    }
}
