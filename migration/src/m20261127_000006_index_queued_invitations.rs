//! The anonymizer calls off what is still queued for the participants of a batch, and hardly ever is
//! anything: without an index it reads each of their invitations to find that out.
//!
//! The index holds queued invitations only. MariaDB has no such index, and keeps a participant's
//! invitations side by side. What it costs the platform is in `docs/performance.md`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::MySql {
            return Ok(());
        }
        // IF NOT EXISTS: on PostgreSQL an administrator may have made it before, CONCURRENTLY, which a
        // migration in a transaction cannot do.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX IF NOT EXISTS invitation_queued ON invitation \
                 (tenant_id, participant_id) WHERE state = 'queued'",
            )
            .await?;
        Ok(())
    }
}
