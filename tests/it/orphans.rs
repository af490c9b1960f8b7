//! Children whose participant is gone: looked for at the end of a run wherever the database does not
//! exclude them by itself.

use retentiond::engine::report::Outcome;
use retentiond::store::foreign_keys;

use crate::support::{Backend, CHILDREN, Person, Scratch, World, scratch};

const OLD: &str = "2022-06-15T12:00:00Z";

/// Somebody who is due to go.
async fn example(scratch: Scratch) -> World {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    let person = Person {
        added_at: OLD,
        email: None,
        unsubscribed_at: None,
    };
    world.person(tenant, person).await;
    world
}

async fn are_enforced(world: &World) -> bool {
    let transaction = world.engine.database.begin_read("test").await;
    let transaction = transaction.expect("a transaction");
    let enforced = foreign_keys::are_enforced(&transaction).await;
    transaction.rollback().await.expect("rolled back");
    enforced.expect("an answer")
}

/// Whoever takes the key of a table away.
fn without_the_key(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "ALTER TABLE answer DROP CONSTRAINT answer_participant",
        Backend::MariaDb => "ALTER TABLE answer DROP FOREIGN KEY answer_participant",
        Backend::Sqlite => {
            "CREATE TABLE keyless AS SELECT * FROM answer; DROP TABLE answer; \
             ALTER TABLE keyless RENAME TO answer"
        }
    }
}

on_every_database! {
    async fn keys_in_force_leave_no_orphans(scratch: Scratch) {
        let world = example(scratch).await;
        assert!(are_enforced(&world).await);
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.rows_purged["answer"], CHILDREN[1]);
        assert!(world.verify(None).await[0].ok);
    }

    async fn a_run_on_a_database_without_a_key_finds_the_orphans(scratch: Scratch) {
        let backend = scratch.backend();
        let world = example(scratch).await;
        world.sql(without_the_key(backend)).await;
        assert!(!are_enforced(&world).await);
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Failed { failure_class: "orphans", .. }),
            "{entries:?}"
        );
        assert_eq!(world.verify(None).await[0].orphans, CHILDREN[1]);
    }
}

#[tokio::test]
async fn a_key_that_is_disabled_or_not_validated_is_not_in_force_on_postgres() {
    for statement in [
        "ALTER TABLE participant DISABLE TRIGGER ALL",
        "ALTER TABLE answer DROP CONSTRAINT answer_participant; \
         ALTER TABLE answer ADD CONSTRAINT answer_participant FOREIGN KEY (tenant_id, participant_id) \
         REFERENCES participant (tenant_id, id) ON DELETE CASCADE NOT VALID",
    ] {
        let world = example(scratch(Backend::Postgres).await).await;
        assert!(are_enforced(&world).await);
        world.sql(statement).await;
        assert!(!are_enforced(&world).await, "{statement}");
    }
}
