//! Children whose participant is gone: looked for at the end of a run wherever the database does not
//! exclude them by itself.

use retentiond::engine::claim::{Claim, claim};
use retentiond::engine::conductor::drive;
use retentiond::engine::due::{Scope, find_due};
use retentiond::engine::report::Outcome;
use retentiond::engine::{EngineError, pass};
use retentiond::ids::TenantId;
use retentiond::store::requirements::{self, Requirement};

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
    let unmet = requirements::unmet_of(&transaction, &[Requirement::ForeignKeysInForce]).await;
    transaction.rollback().await.expect("rolled back");
    unmet.expect("an answer").is_none()
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

/// The key once more, past what is there: validated, as far as the catalog says.
fn with_the_key_unchecked(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "ALTER TABLE answer ADD CONSTRAINT answer_participant FOREIGN KEY (tenant_id, participant_id) \
             REFERENCES participant (tenant_id, id) ON DELETE CASCADE NOT VALID; \
             UPDATE pg_constraint SET convalidated = true WHERE conname = 'answer_participant'"
        }
        _ => {
            "SET STATEMENT foreign_key_checks = 0 FOR ALTER TABLE answer ADD CONSTRAINT \
             answer_participant FOREIGN KEY (tenant_id, participant_id) \
             REFERENCES participant (tenant_id, id) ON DELETE CASCADE"
        }
    }
}

/// SQLite has no word for it: the table is made anew, without the rows.
const WITH_THE_KEY_SQLITE: &str = "DROP TABLE answer; CREATE TABLE answer (tenant_id bigint NOT NULL, \
     participant_id blob NOT NULL, id blob NOT NULL, question varchar NOT NULL, body text, answered_at text NOT NULL, \
     PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, participant_id) \
     REFERENCES participant (tenant_id, id) ON DELETE CASCADE)";

/// An answer of nobody's, past the key, which stands again afterwards.
fn an_orphan(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &[
            "BEGIN; SET LOCAL session_replication_role = 'replica'; INSERT INTO answer \
             (tenant_id, participant_id, id, question, answered_at) \
             SELECT id, gen_random_uuid(), gen_random_uuid(), 'How?', now() FROM tenant; COMMIT",
        ],
        Backend::MariaDb => &[
            "SET STATEMENT foreign_key_checks = 0 FOR INSERT INTO answer \
             (tenant_id, participant_id, id, question, answered_at) \
             SELECT id, RANDOM_BYTES(16), RANDOM_BYTES(16), 'How?', UTC_TIMESTAMP(6) FROM tenant",
        ],
        Backend::Sqlite => &["PRAGMA foreign_keys = OFF; INSERT INTO answer \
             (tenant_id, participant_id, id, question, answered_at) \
             SELECT id, randomblob(16), randomblob(16), 'How?', '2024-01-01T00:00:00+00:00' FROM tenant; \
             PRAGMA foreign_keys = ON"],
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

    async fn a_batch_deletes_nobody_where_a_key_is_missing(scratch: Scratch) {
        let backend = scratch.backend();
        let world = example(scratch).await;
        // Between the claim and the batch: the claim has seen it in force.
        let scope = Scope::default();
        let candidates = find_due(&world.engine, &scope).await.expect("a look").expect("a tenant");
        let Claim::Claimed(run) = claim(&world.engine, &candidates[0]).await.expect("a claim") else {
            panic!("not claimed");
        };
        world.sql(without_the_key(backend)).await;
        assert!(!are_enforced(&world).await);
        let driven = drive(&run).await;
        let error = driven.error.expect("it is refused");
        assert_eq!(error.class(), "foreign_keys", "{error}");
        assert_eq!(world.number("SELECT COUNT(*) FROM participant").await, 1);
        assert_eq!(world.number("SELECT COUNT(*) FROM answer").await, 2);
    }

    async fn a_run_that_found_orphans_looks_for_them_again_before_it_ends(scratch: Scratch) {
        let world = example(scratch).await;
        world.run().await;
        // As an earlier attempt may have left it: the record says orphans, and there are some.
        world.rewrite("UPDATE tenant_run SET state = 'failed', failure_class = 'orphans', orphans = 1").await;
        for statement in an_orphan(world.scratch.backend()) {
            world.sql(statement).await;
        }
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Failed { failure_class: "orphans", .. }),
            "{entries:?}"
        );
        assert_eq!(world.verify(None).await[0].orphans, 1);
        assert_eq!(world.number("SELECT orphans FROM tenant_run").await, 1);
        // Whatever it fails of next, it does not forget them; nor does the next month.
        world.rewrite("UPDATE tenant_run SET failure_class = 'statement_timeout'").await;
        world.rewrite("UPDATE tenant_run SET period = '2024-03', due_at = due_at").await;
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Failed { failure_class: "orphans", .. }),
            "{entries:?}"
        );
        let counted = "SELECT COUNT(*) FROM tenant_run WHERE orphans = 1";
        assert_eq!(world.number(counted).await, 2);
        world.sql("DELETE FROM answer").await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        let kept = "SELECT COUNT(*) FROM tenant_run WHERE state = 'completed' AND orphans IS NULL";
        assert_eq!(world.number(kept).await, 1);
    }

    async fn a_month_that_cannot_begin_forgets_no_orphans(scratch: Scratch) {
        let mut world = example(scratch).await;
        world.run().await;
        world.rewrite("UPDATE tenant_run SET state = 'failed', failure_class = 'orphans', orphans = 7").await;
        for statement in an_orphan(world.scratch.backend()) {
            world.sql(statement).await;
        }
        world.set_clock("2024-05-02T00:00:00Z");
        world.sql("UPDATE tenant SET time_zone = 'Nowhere/At_All'").await;
        world.run().await;
        let of_may = "SELECT COUNT(*) FROM tenant_run WHERE period = '2024-05' AND orphans = 7";
        assert_eq!(world.number(of_may).await, 1, "what the gauge shows");
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels'").await;
        world.set_clock("2024-06-02T00:00:00Z");
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Failed { failure_class: "orphans", .. }),
            "{entries:?}"
        );
    }

    async fn a_refused_look_has_the_next_runs_count_orphans(scratch: Scratch) {
        let backend = scratch.backend();
        let world = example(scratch).await;
        world.run_and_prove().await;
        world.sql(without_the_key(backend)).await;
        let refused = pass::run(&world.engine, &Scope::default()).await;
        assert!(matches!(refused, Err(EngineError::Unmet(_))), "{refused:?}");
        assert_eq!(world.number("SELECT COUNT(*) FROM tenant_run WHERE orphans = 0").await, 1);
    }

    /// While the key was not in force, others may have deleted participants without their children.
    async fn a_run_that_found_a_key_not_in_force_counts_orphans_once_it_is_back(scratch: Scratch) {
        let backend = scratch.backend();
        let world = example(scratch).await;
        // What stops this run must not stop the next one.
        let mut engine = world.engine.clone();
        engine.stop = engine.stop.child_token();
        let scope = Scope::default();
        let candidates = find_due(&engine, &scope).await.expect("a look").expect("a tenant");
        let Claim::Claimed(run) = claim(&engine, &candidates[0]).await.expect("a claim") else {
            panic!("not claimed");
        };
        world.sql(without_the_key(backend)).await;
        let driven = drive(&run).await;
        assert_eq!(driven.error.expect("it is refused").class(), "foreign_keys");
        assert_eq!(world.number("SELECT orphans FROM tenant_run").await, 0);
        world.sql("DELETE FROM participant").await;
        if backend != Backend::Sqlite {
            // Somebody puts the key back, and has it not look at what is there.
            world.sql(with_the_key_unchecked(backend)).await;
            let entries = world.run().await;
            assert!(
                matches!(entries[0].outcome, Outcome::Failed { failure_class: "orphans", .. }),
                "{entries:?}"
            );
            assert_eq!(world.number("SELECT orphans FROM tenant_run").await, 2);
            world.sql("DELETE FROM answer").await;
        } else {
            world.sql(WITH_THE_KEY_SQLITE).await;
        }
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
    }
}

/// The key was off and on again, and no run was in hand: the next month counts. (A key that is put back on SQLite
/// leaves no orphan: the table is made anew.)
async fn the_month_after_a_refusal_finds_who_was_left_behind(backend: Backend) {
    let mut world = example(scratch(backend).await).await;
    world.run_and_prove().await;
    let person = Person {
        added_at: "2024-03-15T12:00:00Z",
        email: None,
        unsubscribed_at: None,
    };
    world.person(TenantId(1), person).await;
    world.sql(without_the_key(backend)).await;
    let refused = pass::run(&world.engine, &Scope::default()).await;
    assert!(matches!(refused, Err(EngineError::Unmet(_))), "{refused:?}");
    world.sql("DELETE FROM participant").await;
    world.sql(with_the_key_unchecked(backend)).await;
    assert!(are_enforced(&world).await);
    world.set_clock("2024-05-02T00:00:00Z");
    let entries = world.run().await;
    assert!(
        matches!(
            entries[0].outcome,
            Outcome::Failed {
                failure_class: "orphans",
                ..
            }
        ),
        "{entries:?}"
    );
    world.sql("DELETE FROM answer").await;
    let entries = world.run().await;
    assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
    let told = "SELECT COUNT(*) FROM tenant_run WHERE period = '2024-05' AND orphans IS NULL";
    assert_eq!(world.number(told).await, 1, "and then it is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_month_after_a_refusal_finds_who_was_left_behind_postgres() {
    the_month_after_a_refusal_finds_who_was_left_behind(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_month_after_a_refusal_finds_who_was_left_behind_mariadb() {
    the_month_after_a_refusal_finds_who_was_left_behind(Backend::MariaDb).await;
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
