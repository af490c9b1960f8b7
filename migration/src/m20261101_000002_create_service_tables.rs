//! The tables of the service itself: suppression hashes and their keys, run records, leases.
//!
//! Nothing here refers to a participant. A run record outlives the people whose erasure it
//! records, so it holds counts and instants only; the cursor of a run, which names a participant,
//! lives in `run_lease` and is cleared when the run ends.

use sea_orm_migration::prelude::*;

use crate::columns::{Columns, to_tenant};
use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns::of(manager);
        let steps = Steps::of(manager);
        steps.create_table(suppression_key(columns)).await?;
        steps.create_table(suppression(columns)).await?;
        steps.create_table(tenant_run(columns)).await?;
        steps.create_table(run_lease(columns)).await?;
        steps.create_table(run_batch(columns)).await
    }
}

fn suppression_key(columns: Columns) -> TableCreateStatement {
    columns
        .table("suppression_key")
        .col(columns.string("key_id", 64).primary_key())
        .col(columns.hmac("check_value"))
        .col(columns.timestamp("created_at"))
        .col(columns.timestamp_null("retired_at"))
        .take()
}

fn suppression(columns: Columns) -> TableCreateStatement {
    columns
        .table("suppression")
        .col(columns.tenant_id())
        .col(columns.string("key_id", 64))
        .col(ColumnDef::new("norm_version").integer().not_null())
        .col(columns.hmac("email_hmac"))
        .col(columns.month("suppressed_month"))
        .primary_key(
            Index::create()
                .col("tenant_id")
                .col("key_id")
                .col("norm_version")
                .col("email_hmac"),
        )
        .foreign_key(&mut to_tenant("suppression_tenant", "suppression"))
        .foreign_key(
            ForeignKey::create()
                .name("suppression_key_known")
                .from("suppression", "key_id")
                .to("suppression_key", "key_id")
                .on_delete(ForeignKeyAction::Restrict),
        )
        .take()
}

/// What one batch, or one run, did: the columns that `tenant_run` and `run_batch` share.
fn counts(columns: Columns, table: &mut TableCreateStatement) -> &mut TableCreateStatement {
    for name in [
        "anonymized",
        "purged",
        "suppressions",
        "unhashable",
        "invitations_expired",
        "uploads_removed",
        "participant_metadata_purged",
        "answer_purged",
        "conversation_message_purged",
        "invitation_purged",
    ] {
        table.col(columns.count(name));
    }
    table
}

fn tenant_run(columns: Columns) -> TableCreateStatement {
    let mut table = columns.table("tenant_run");
    table
        .col(columns.tenant_id())
        .col(columns.uuid("id"))
        .col(columns.month("period"))
        .col(columns.string("state", 16))
        .col(columns.timestamp("due_at"))
        .col(ColumnDef::new("policy_version").integer())
        .col(columns.timestamp_null("anonymize_cutoff"))
        .col(columns.timestamp_null("purge_cutoff"));
    counts(columns, &mut table)
        .col(ColumnDef::new("attempts").integer().not_null().default(0))
        // Times of the run itself are by the database's clock, one for all replicas.
        .col(columns.timestamp_null("started_at"))
        .col(columns.timestamp_null("finished_at"))
        .col(columns.timestamp_null("retry_at"))
        .col(columns.string_null("failure_class", 32))
        .col(columns.string_null("failure_code", 32))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .name("tenant_run_period")
                .unique()
                .col("tenant_id")
                .col("period"),
        )
        .foreign_key(&mut to_tenant("tenant_run_tenant", "tenant_run"))
        .check(Expr::cust(
            "state IN ('pending', 'running', 'completed', 'failed', 'superseded', 'no_policy')",
        ));
    table
}

/// Who may work on a slice of a run, and how far it got. One slice a run as yet.
fn run_lease(columns: Columns) -> TableCreateStatement {
    columns
        .table("run_lease")
        .col(columns.tenant_id())
        .col(columns.uuid("run_id"))
        .col(ColumnDef::new("slice").integer().not_null().default(0))
        .col(columns.string_null("holder", 255))
        .col(columns.uuid_null("token"))
        .col(columns.timestamp_null("expires_at"))
        // Changes with every fence: some clients count only the rows that an update changed.
        .col(columns.count("renewals"))
        .col(columns.string_null("cursor_stage", 16))
        .col(columns.timestamp_null("cursor_added_at"))
        .col(columns.uuid_null("cursor_id"))
        .primary_key(Index::create().col("tenant_id").col("run_id").col("slice"))
        .foreign_key(&mut to_run("run_lease_run", "run_lease"))
        .take()
}

fn run_batch(columns: Columns) -> TableCreateStatement {
    let mut table = columns.table("run_batch");
    table
        .col(columns.tenant_id())
        .col(columns.uuid("run_id"))
        .col(columns.uuid("id"))
        .col(ColumnDef::new("slice").integer().not_null().default(0))
        .col(columns.string("stage", 16))
        // Equals `participant.anonymized_at` of the rows that the batch anonymized.
        .col(columns.timestamp("written_at"))
        .col(columns.timestamp_null("cutoff"));
    counts(columns, &mut table)
        .primary_key(Index::create().col("tenant_id").col("run_id").col("id"))
        .foreign_key(&mut to_run("run_batch_run", "run_batch"));
    table
}

fn to_run(name: &'static str, from: &'static str) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name)
        .from(from, ("tenant_id", "run_id"))
        .to("tenant_run", ("tenant_id", "id"))
        .on_delete(ForeignKeyAction::Restrict);
    key
}
