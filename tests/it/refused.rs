//! E14: a row that the database does not let us anonymize or delete stands alone; everybody else goes.

use retentiond::engine::report::{Outcome, PassEntry};
use retentiond::ids::TenantId;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Backend, Person, Scratch, World};

const OLD: &str = "2022-06-15T12:00:00Z";
const MIDDLE: &str = "2023-10-15T12:00:00Z";
const YOUNG: &str = "2024-03-20T12:00:00Z";

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

async fn example(scratch: Scratch) -> (World, TenantId) {
    let mut world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    // So that rows have to be told apart within a batch.
    world.engine.batch_rows = 16;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

async fn people(world: &World, tenant: TenantId, added_at: &str, count: usize) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.person(tenant, person(added_at)).await);
    }
    ids
}

/// A table of the platform's that refers to participants, and does not let them go. On PostgreSQL
/// `deferred` keys speak up at COMMIT.
async fn refer_to(world: &World, tenant: TenantId, ids: &[Uuid], deferred: bool) {
    let (uuid, deferrable) = match world.scratch.backend() {
        Backend::Postgres if deferred => ("uuid", "DEFERRABLE INITIALLY DEFERRED"),
        Backend::Postgres => ("uuid", ""),
        Backend::MariaDb => ("binary(16)", ""),
        Backend::Sqlite if deferred => ("blob", "DEFERRABLE INITIALLY DEFERRED"),
        Backend::Sqlite => ("blob", ""),
    };
    world
        .sql(&format!(
            "CREATE TABLE IF NOT EXISTS ticket (tenant_id bigint, participant_id {uuid}, \
             CONSTRAINT ticket_participant FOREIGN KEY (tenant_id, participant_id) \
             REFERENCES participant (tenant_id, id) {deferrable})"
        ))
        .await;
    for id in ids {
        world
            .sql(&format!(
                "INSERT INTO ticket VALUES ({}, {})",
                tenant.0,
                world.literal(*id)
            ))
            .await;
    }
}

/// What a failed entry says of the refused rows: class, constraint, id of the first one.
fn refusal(entry: &PassEntry) -> (&'static str, Option<&str>, Option<Uuid>) {
    match &entry.outcome {
        Outcome::Failed {
            failure_class,
            failure_constraint,
            failure_row_id,
            ..
        } => (
            failure_class,
            failure_constraint.as_deref(),
            *failure_row_id,
        ),
        other => panic!("not failed: {other:?}"),
    }
}

/// The name of the foreign key, where the database says it.
fn named(backend: Backend) -> Option<&'static str> {
    (backend != Backend::Sqlite).then_some("ticket_participant")
}

/// After the refusal: the first of `kept` is on record, all of `kept` are anonymous, all of `gone` gone.
async fn prove(world: &World, tenant: TenantId, entry: &PassEntry, gone: &[Uuid], kept: &[Uuid]) {
    let (class, constraint, first) = refusal(entry);
    let named = named(world.scratch.backend());
    assert_eq!((class, constraint), ("constraint", named), "{entry:?}");
    assert!(kept.contains(&first.expect("an id")), "{entry:?}");
    for id in gone {
        assert!(world.find(tenant, *id).await.is_none(), "{id} was left");
    }
    for id in kept {
        let row = world.find(tenant, *id).await.expect("it cannot be deleted");
        assert!(row.anonymized_at.is_some(), "{id} keeps its fields");
    }
    let record = world.run_record(tenant, "2024-04").await.expect("a record");
    assert_eq!(record.state, "failed");
    assert_eq!(record.failure_constraint.as_deref(), named);
    assert_eq!(record.failure_row_id, first);
    assert_eq!(record.failure_stage.as_deref(), Some("purge"));
    assert_eq!(record.failure_rows, i64::try_from(kept.len()).ok());
    assert_eq!(record.purged, i64::try_from(gone.len()).expect("few"));
}

on_every_database! {
    async fn e14_one_row_that_cannot_be_deleted_keeps_nobody_else(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let mut gone = people(&world, tenant, OLD, 40).await;
        let middle = people(&world, tenant, MIDDLE, 5).await;
        let young = people(&world, tenant, YOUNG, 5).await;
        let kept = vec![gone.remove(17)];
        refer_to(&world, tenant, &kept, false).await;
        let entries = world.run().await;
        prove(&world, tenant, &entries[0], &gone, &kept).await;
        for id in middle {
            assert!(world.find(tenant, id).await.expect("kept").email.is_none());
        }
        for id in &young {
            assert!(world.find(tenant, *id).await.expect("kept").email.is_some());
        }

        // Again: nothing changes, and it is refused again.
        let before = world.fingerprint().await;
        let entries = world.run().await;
        assert_eq!(refusal(&entries[0]).2, Some(kept[0]));
        assert_eq!(before, world.fingerprint().await);

        // Support sees what is in the way, and when it is gone, the run ends and forgets the id.
        let run = world.run_record(tenant, "2024-04").await.expect("a record").id.to_string();
        let binary = world.binary();
        let shown = binary.run(&["runs", "show", &run]).expect_code(0);
        assert!(shown.stdout.contains(&kept[0].to_string()), "{}", shown.stdout);
        let shown = binary.run(&["runs", "show", &run, "--output", "json"]).expect_code(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        assert_eq!(shown["failure_row_id"], kept[0].to_string());
        assert_eq!(shown["failure_rows"], 1);
        world.sql("DELETE FROM ticket").await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert!(world.find(tenant, kept[0]).await.is_none());
        let record = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((record.failure_row_id, record.failure_rows), (None, None));
        assert!(world.verify(None).await[0].ok);
        assert_eq!(world.number("SELECT COUNT(*) FROM participant").await, 10);
    }

    async fn e14_many_rows_side_by_side_and_apart_are_left_out(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let mut gone = people(&world, tenant, OLD, 60).await;
        let mut kept: Vec<Uuid> = gone.drain(20..30).collect();
        kept.push(gone.remove(0));
        kept.push(gone.pop().expect("somebody"));
        kept.push(gone.remove(9));
        refer_to(&world, tenant, &kept, false).await;
        let entries = world.run().await;
        prove(&world, tenant, &entries[0], &gone, &kept).await;
    }

    async fn e14_a_constraint_that_speaks_up_at_commit_is_the_same(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let mut gone = people(&world, tenant, OLD, 20).await;
        let kept = vec![gone.remove(3), gone.remove(9)];
        refer_to(&world, tenant, &kept, true).await;
        let entries = world.run().await;
        prove(&world, tenant, &entries[0], &gone, &kept).await;
    }

    async fn e14_who_unsubscribed_and_cannot_be_deleted_is_recognised(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let ann = Person {
            added_at: OLD,
            email: Some("ann@example.org"),
            unsubscribed_at: Some("2024-01-31T10:00:00Z"),
        };
        let kept = vec![world.person(tenant, ann).await];
        let gone = people(&world, tenant, OLD, 7).await;
        refer_to(&world, tenant, &kept, false).await;
        let entries = world.run().await;
        prove(&world, tenant, &entries[0], &gone, &kept).await;
        let hashes = world.suppressions(tenant).await;
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].email_hmac, world.hash(tenant, "ann@example.org"));
        assert_eq!(hashes[0].suppressed_month, "2024-01");
        assert_eq!(world.invitations(tenant, kept[0]).await, ["expired", "sent"]);
    }

    async fn e14_a_trigger_of_the_platforms_is_such_a_constraint(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let mut gone = people(&world, tenant, OLD, 20).await;
        let kept = gone.remove(11);
        let id = world.literal(kept);
        for statement in trigger(backend, &id) {
            world.sql(&statement).await;
        }
        let entries = world.run().await;
        let (class, _, first) = refusal(&entries[0]);
        assert_eq!((class, first), ("constraint", Some(kept)), "{entries:?}");
        for id in &gone {
            assert!(world.find(tenant, *id).await.is_none());
        }
        assert!(world.find(tenant, kept).await.expect("kept").anonymized_at.is_some());
    }

    async fn e14_one_row_that_cannot_be_anonymized_keeps_nobody_else(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let middle = people(&world, tenant, MIDDLE, 20).await;
        let gone = people(&world, tenant, OLD, 3).await;
        let kept = middle[7];
        for statement in trigger(backend, &world.literal(kept)) {
            world.sql(&statement.replace("DELETE", "UPDATE").replace("OLD;", "NEW;")).await;
        }
        let entries = world.run().await;
        let (class, _, first) = refusal(&entries[0]);
        assert_eq!((class, first), ("constraint", Some(kept)), "{entries:?}");
        for id in &middle {
            let email = world.find(tenant, *id).await.expect("kept").email;
            assert_eq!(email.is_some(), *id == kept);
        }
        for id in &gone {
            assert!(world.find(tenant, *id).await.is_none());
        }
        let record = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(record.failure_stage.as_deref(), Some("anonymize"));
    }

    async fn e14_an_upload_that_cannot_be_deleted_keeps_no_other(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let gone = people(&world, tenant, OLD, 12).await;
        let uploads = world.uploads(tenant).await;
        let uuid = match backend {
            Backend::Postgres => "uuid",
            Backend::MariaDb => "binary(16)",
            Backend::Sqlite => "blob",
        };
        world.sql(&format!(
            "CREATE TABLE export (tenant_id bigint, upload_id {uuid}, CONSTRAINT export_upload \
             FOREIGN KEY (tenant_id, upload_id) REFERENCES upload (tenant_id, id))"
        )).await;
        let kept = uploads[5];
        let id = world.literal(kept);
        world.sql(&format!("INSERT INTO export VALUES ({}, {id})", tenant.0)).await;
        let entries = world.run().await;
        assert_eq!(refusal(&entries[0]).2, Some(kept));
        assert_eq!(world.uploads(tenant).await, [kept]);
        for id in &gone {
            assert!(world.find(tenant, *id).await.is_none());
        }
        let record = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(record.failure_stage.as_deref(), Some("uploads"));
    }

    async fn e14_another_tenant_is_not_concerned(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let kept = people(&world, tenant, OLD, 3).await;
        refer_to(&world, tenant, &kept, false).await;
        let other = world.tenant("other", "UTC").await;
        world.policy(other, None, Some(12), "2023-01-01T00:00:00Z").await;
        let theirs = people(&world, other, OLD, 5).await;
        let entries = world.run().await;
        prove(&world, tenant, &entries[0], &[], &kept).await;
        assert!(matches!(entries[1].outcome, Outcome::Done), "{entries:?}");
        for id in theirs {
            assert!(world.find(other, id).await.is_none());
        }
    }
}

/// A trigger that refuses to delete the participant of that id.
fn trigger(backend: Backend, id: &str) -> Vec<String> {
    match backend {
        Backend::Postgres => vec![
            format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF OLD.id = {id} THEN RAISE EXCEPTION 'ann@example.org stays'; END IF; \
                 RETURN OLD; END $$"
            ),
            "CREATE TRIGGER refuse BEFORE DELETE ON participant FOR EACH ROW \
             EXECUTE FUNCTION refuse()"
                .to_owned(),
        ],
        Backend::MariaDb => vec![format!(
            "CREATE TRIGGER refuse BEFORE DELETE ON participant FOR EACH ROW \
             IF OLD.id = {id} THEN SIGNAL SQLSTATE '45000' \
             SET MESSAGE_TEXT = 'ann@example.org stays'; END IF"
        )],
        Backend::Sqlite => vec![format!(
            "CREATE TRIGGER refuse BEFORE DELETE ON participant WHEN OLD.id = {id} \
             BEGIN SELECT RAISE(ABORT, 'ann@example.org stays'); END"
        )],
    }
}

/// A trigger that lets a statement pass and its row stay is seen by the count of rows written.
#[tokio::test]
async fn e14_a_row_that_is_silently_kept_stands_alone() {
    let (world, tenant) = example(crate::support::scratch(Backend::Postgres).await).await;
    let mut gone = people(&world, tenant, OLD, 20).await;
    let kept = gone.remove(11);
    let [function, trigger] =
        <[String; 2]>::try_from(trigger(Backend::Postgres, &world.literal(kept))).expect("two");
    world
        .sql(&function.replace("RAISE EXCEPTION 'ann@example.org stays'", "RETURN NULL"))
        .await;
    world.sql(&trigger).await;
    let entries = world.run().await;
    let (class, constraint, first) = refusal(&entries[0]);
    assert_eq!((class, constraint, first), ("mismatch", None, Some(kept)));
    for id in &gone {
        assert!(world.find(tenant, *id).await.is_none());
    }
}
