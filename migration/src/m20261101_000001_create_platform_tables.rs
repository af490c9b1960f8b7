//! The tables of the platform: tenants, their policies, and everything that belongs to a
//! participant.
//!
//! Every key starts with the tenant, so that a row can never refer to another tenant's row and a
//! database that shards by tenant can hold it. Children are keyed by participant first: what goes
//! together lies together. No index covers a participant's column that the anonymizer changes, because on
//! PostgreSQL that alone makes every update a non-HOT one.

use sea_orm_migration::prelude::*;

use crate::columns::{Columns, to_participant, to_tenant};
use crate::steps::Steps;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns::of(manager);
        let steps = Steps::of(manager);
        steps.create_table(tenant(columns)).await?;
        steps.create_table(policy(columns)).await?;
        steps.create_table(upload(columns)).await?;
        steps
            .create_index(
                Index::create()
                    .name("upload_content")
                    .table("upload")
                    .col("tenant_id")
                    .col("content_hmac")
                    .take(),
            )
            .await?;
        steps.create_table(participant(columns)).await?;
        for (name, last) in [
            ("participant_added_at", &["added_at", "id"][..]),
            ("participant_upload", &["upload_id"][..]),
        ] {
            let mut index = Index::create();
            index.name(name).table("participant").col("tenant_id");
            for column in last {
                index.col(*column);
            }
            steps.create_index(index).await?;
        }
        if columns.is_postgres() {
            // Room on every page for the new version of an anonymized row (HOT updates).
            manager
                .get_connection()
                .execute_unprepared("ALTER TABLE participant SET (fillfactor = 70)")
                .await?;
        }
        steps.create_table(participant_metadata(columns)).await?;
        steps.create_table(answer(columns)).await?;
        steps.create_table(conversation_message(columns)).await?;
        steps.create_table(invitation(columns)).await
    }
}

fn tenant(columns: Columns) -> TableCreateStatement {
    columns
        .table("tenant")
        .col(
            ColumnDef::new("id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(columns.string("slug", 63).unique_key())
        .col(columns.string("name", 255))
        .col(columns.string("time_zone", 64))
        .col(columns.timestamp("created_at"))
        // Raised by `unsubscribe`, so that an import that was under way notices.
        .col(columns.count("unsubscribe_count"))
        .take()
}

/// The CHECKs are the last line of defence for the periods; see P5 of `docs/semantics.md`.
fn policy(columns: Columns) -> TableCreateStatement {
    columns
        .table("policy")
        .col(columns.tenant_id())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("anonymize_after_months").integer())
        .col(ColumnDef::new("retain_months").integer())
        .col(ColumnDef::new("quarantine_days").integer())
        .col(
            ColumnDef::new("long_quarantine_accepted")
                .boolean()
                .not_null()
                .default(false),
        )
        .col(columns.timestamp("effective_from"))
        .col(columns.timestamp("created_at"))
        .col(columns.string("created_by", 255))
        .col(columns.string("reason", 1000).default(""))
        .primary_key(Index::create().col("tenant_id").col("version"))
        .foreign_key(&mut to_tenant("policy_tenant", "policy"))
        .check(Expr::cust("version >= 1"))
        .check(Expr::cust("anonymize_after_months BETWEEN 1 AND 1200"))
        .check(Expr::cust("retain_months BETWEEN 12 AND 1200"))
        .check(Expr::cust("anonymize_after_months < retain_months"))
        .check(Expr::cust("quarantine_days >= 1"))
        .take()
}

fn upload(columns: Columns) -> TableCreateStatement {
    columns
        .table("upload")
        .col(columns.tenant_id())
        .col(columns.uuid("id"))
        .col(columns.string("file_name", 255))
        .col(columns.hmac("content_hmac"))
        .col(ColumnDef::new("row_count").big_integer().not_null())
        .col(columns.timestamp("accepted_at"))
        // When the row became visible, near enough: set again right before an import commits.
        .col(columns.timestamp_of_database("stored_at"))
        // When a run first deleted participants of it: only such an upload can be "left empty".
        .col(columns.timestamp_null("first_purged_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .foreign_key(&mut to_tenant("upload_tenant", "upload"))
        .take()
}

fn participant(columns: Columns) -> TableCreateStatement {
    columns
        .table("participant")
        .col(columns.tenant_id())
        .col(columns.uuid("id"))
        .col(columns.uuid("upload_id"))
        .col(columns.timestamp("added_at"))
        .col(columns.string_null("first_name", 255))
        .col(columns.string_null("last_name", 255))
        .col(columns.string_null("email", 320))
        .col(columns.string_null("phone", 64))
        .col(columns.string_null("customer_id", 255))
        .col(columns.timestamp_null("unsubscribed_at"))
        .col(columns.timestamp_null("anonymized_at"))
        // By the database's clock; tells a row that came after a run from one that it missed.
        .col(columns.timestamp_of_database("stored_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .foreign_key(
            ForeignKey::create()
                .name("participant_upload_key")
                .from("participant", ("tenant_id", "upload_id"))
                .to("upload", ("tenant_id", "id"))
                .on_delete(ForeignKeyAction::Restrict),
        )
        .check(Expr::cust(
            "anonymized_at IS NULL OR (first_name IS NULL AND last_name IS NULL \
             AND email IS NULL AND phone IS NULL AND customer_id IS NULL)",
        ))
        .take()
}

fn participant_metadata(columns: Columns) -> TableCreateStatement {
    columns
        .table("participant_metadata")
        .col(columns.tenant_id())
        .col(columns.uuid("participant_id"))
        .col(columns.string("key", 255))
        .col(columns.text_null("value").not_null())
        .primary_key(
            Index::create()
                .col("tenant_id")
                .col("participant_id")
                .col("key"),
        )
        .foreign_key(&mut to_participant(
            "participant_metadata_participant",
            "participant_metadata",
        ))
        .take()
}

fn answer(columns: Columns) -> TableCreateStatement {
    child(columns, "answer")
        .col(columns.string("question", 255))
        .col(ColumnDef::new("score").integer())
        .col(columns.text_null("body"))
        .col(columns.timestamp("answered_at"))
        .foreign_key(&mut to_participant("answer_participant", "answer"))
        .take()
}

fn conversation_message(columns: Columns) -> TableCreateStatement {
    child(columns, "conversation_message")
        .col(columns.string("direction", 16))
        .col(columns.text_null("body").not_null())
        .col(columns.timestamp("sent_at"))
        .foreign_key(&mut to_participant(
            "conversation_message_participant",
            "conversation_message",
        ))
        .take()
}

fn invitation(columns: Columns) -> TableCreateStatement {
    child(columns, "invitation")
        .col(columns.string("state", 16))
        .col(columns.timestamp("send_at"))
        .col(columns.timestamp_null("sent_at"))
        .col(columns.timestamp_null("opened_at"))
        .col(columns.timestamp_null("clicked_at"))
        .col(columns.timestamp_null("bounced_at"))
        .foreign_key(&mut to_participant("invitation_participant", "invitation"))
        .check(Expr::cust("state IN ('queued', 'sent', 'expired')"))
        .take()
}

/// A table of rows that belong to a participant and have an id of their own.
fn child(columns: Columns, name: &'static str) -> TableCreateStatement {
    columns
        .table(name)
        .col(columns.tenant_id())
        .col(columns.uuid("participant_id"))
        .col(columns.uuid("id"))
        .primary_key(
            Index::create()
                .col("tenant_id")
                .col("participant_id")
                .col("id"),
        )
        .take()
}
