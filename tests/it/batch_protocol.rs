//! The batch protocol, step by step: the hash before the write, the full predicate in the write, the
//! record in the same transaction, the fence before each batch, and the end of a stage.
//!
//! What goes wrong when a step is left out mostly takes two processes and bad luck. Here a trigger
//! of the test's own is the bad luck: it acts between two statements of a batch, every time.
//! `tests/mutants` leaves the steps out, one by one, and wants these tests to notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::{participant, tenant_run};
use retentiond::config::DatabaseConfig;
use retentiond::engine::due::Scope;
use retentiond::engine::pass;
use retentiond::engine::report::Outcome;
use retentiond::ids::{IdSource, RandomIds, TenantId};
use retentiond::store;
use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, QuerySelect, Statement, TransactionTrait,
};
use uuid::Uuid;

use crate::support::world::database_config;
use crate::support::{Backend, Person, Scratch, World, holds_within, scratch};

const OLD: &str = "2022-06-15T12:00:00Z";
const MIDDLE: &str = "2023-10-15T12:00:00Z";

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn unsubscribed(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: Some("2024-01-31T10:00:00Z"),
    }
}

/// A tenant that anonymizes, and one that deletes.
async fn two_tenants(scratch: Scratch) -> (World, [TenantId; 2]) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let anonymizes = world.tenant("anonymizes", "UTC").await;
    let deletes = world.tenant("deletes", "UTC").await;
    world
        .policy(anonymizes, Some(1), None, "2023-01-01T00:00:00Z")
        .await;
    world
        .policy(deletes, None, Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, [anonymizes, deletes])
}

/// A trigger on `table`, `timing` as in `BEFORE INSERT`: where `condition` holds, does `action`.
async fn trigger(world: &World, timing: &str, table: &str, condition: &str, action: &str) {
    let name = format!("{}_{table}", timing.replace(' ', "_").to_lowercase());
    let statements = match world.scratch.backend() {
        Backend::Postgres => {
            let row = if timing.ends_with("DELETE") {
                "OLD"
            } else {
                "NEW"
            };
            vec![
                format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ \
                     BEGIN IF {condition} THEN {action}; END IF; RETURN {row}; END $$"
                ),
                format!(
                    "CREATE TRIGGER {name} {timing} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
                ),
            ]
        }
        Backend::MariaDb => vec![format!(
            "CREATE TRIGGER {name} {timing} ON {table} FOR EACH ROW \
             IF {condition} THEN {action}; END IF"
        )],
        Backend::Sqlite => vec![format!(
            "CREATE TRIGGER {name} {timing} ON {table} WHEN {condition} BEGIN {action}; END"
        )],
    };
    for statement in statements {
        world.sql(&statement).await;
    }
}

/// The statement by which a trigger fails.
fn refuse(world: &World) -> &'static str {
    match world.scratch.backend() {
        Backend::Postgres => "RAISE EXCEPTION 'refused by the test'",
        Backend::MariaDb => "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the test'",
        Backend::Sqlite => "SELECT RAISE(ABORT, 'refused by the test')",
    }
}

async fn drop_trigger(world: &World, name: &str, table: &str) {
    world
        .sql(&match world.scratch.backend() {
            Backend::Postgres => format!("DROP TRIGGER {name} ON {table}"),
            _ => format!("DROP TRIGGER {name}"),
        })
        .await;
}

on_every_database! {
    async fn the_hash_is_there_when_its_row_goes(scratch: Scratch) {
        let (world, [anonymizes, deletes]) = two_tenants(scratch).await;
        world.person(anonymizes, unsubscribed(MIDDLE)).await;
        world.person(deletes, unsubscribed(OLD)).await;
        // Nothing outside the transaction can see in which order its statements came; the database can.
        let without_hash = "OLD.unsubscribed_at IS NOT NULL AND NOT EXISTS \
                            (SELECT 1 FROM suppression WHERE suppression.tenant_id = OLD.tenant_id)";
        trigger(&world, "BEFORE UPDATE", "participant", without_hash, refuse(&world)).await;
        trigger(&world, "BEFORE DELETE", "participant", without_hash, refuse(&world)).await;
        for entry in world.run_and_prove().await {
            assert!(matches!(entry.outcome, Outcome::Done), "erased before its hash: {entry:?}");
            assert_eq!((entry.report.suppressions, entry.report.anonymized + entry.report.purged), (1, 1));
        }
    }

    async fn a_row_that_moves_out_of_reach_between_select_and_write_stays(scratch: Scratch) {
        let (world, [anonymizes, deletes]) = two_tenants(scratch).await;
        let people = [
            (anonymizes, world.person(anonymizes, unsubscribed(MIDDLE)).await),
            (deletes, world.person(deletes, unsubscribed(OLD)).await),
        ];
        // The hash is written after the select and before the write.
        let young = match world.scratch.backend() {
            Backend::Postgres => "'2024-03-20 12:00:00+00'",
            Backend::MariaDb => "'2024-03-20 12:00:00'",
            Backend::Sqlite => "'2024-03-20T12:00:00+00:00'",
        };
        let rejuvenate = format!("UPDATE participant SET added_at = {young} WHERE tenant_id = NEW.tenant_id");
        trigger(&world, "AFTER INSERT", "suppression", "1 = 1", &rejuvenate).await;
        let before = world.fingerprint().await;
        let entries = world.run().await;
        for (tenant, person) in people {
            let row = world.find(tenant, person).await.expect("a younger row was deleted");
            assert!(row.email.is_some() && row.anonymized_at.is_none(), "a younger row was anonymized");
        }
        assert_eq!(before, world.fingerprint().await, "a batch that did not add up left something");
        for entry in entries {
            assert!(
                matches!(entry.outcome, Outcome::Failed { failure_class: "mismatch", .. }),
                "{entry:?}"
            );
        }
        drop_trigger(&world, "after_insert_suppression", "suppression").await;
        world.run_and_prove().await;
    }

    async fn a_batch_that_cannot_be_recorded_erases_nothing(scratch: Scratch) {
        let (world, [anonymizes, deletes]) = two_tenants(scratch).await;
        world.person(anonymizes, unsubscribed(MIDDLE)).await;
        world.person(deletes, unsubscribed(OLD)).await;
        trigger(&world, "BEFORE INSERT", "run_batch", "1 = 1", refuse(&world)).await;
        let before = world.fingerprint().await;
        for entry in world.run().await {
            assert!(matches!(entry.outcome, Outcome::Failed { .. }), "{entry:?}");
        }
        assert_eq!(before, world.fingerprint().await, "erased without a record");
        drop_trigger(&world, "before_insert_run_batch", "run_batch").await;
        for entry in world.run_and_prove().await {
            assert_eq!(entry.report.anonymized + entry.report.purged, 1);
        }
    }

    async fn s05_a_lease_that_is_taken_between_two_batches_ends_the_run(scratch: Scratch) {
        let (world, [tenant, _]) = two_tenants(scratch).await;
        for _ in 0..7 {
            world.person(tenant, unsubscribed(MIDDLE)).await;
        }
        let token = match world.scratch.backend() {
            Backend::Postgres => "gen_random_uuid()",
            Backend::MariaDb => "UNHEX(REPLACE(UUID(), '-', ''))",
            Backend::Sqlite => "randomblob(16)",
        };
        let steal = format!("UPDATE run_lease SET token = {token}, holder = 'thief' WHERE tenant_id = NEW.tenant_id");
        trigger(&world, "AFTER INSERT", "run_batch", "1 = 1", &steal).await;
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Held),
            "{entries:?}"
        );
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(
            (run.state.as_str(), run.anonymized, entries[0].report.anonymized),
            ("running", 3, 3),
            "one batch, and nothing after it"
        );
    }

    async fn s04_a_panic_in_a_run_is_recorded_as_its_failure(scratch: Scratch) {
        let (mut world, [anonymizes, deletes]) = two_tenants(scratch).await;
        for tenant in [anonymizes, deletes] {
            world.person(tenant, unsubscribed(MIDDLE)).await;
            world.person(tenant, unsubscribed(OLD)).await;
        }
        world.engine.tenants_at_a_time = 1;
        // A run takes an id for its record, and one for each of its batches.
        world.engine.ids = Arc::new(PanicsOnce::at(2));
        let entries = pass::run(&world.engine, &Scope::default()).await.expect("a pass").expect("slugs");
        let failed: Vec<_> = entries.iter().filter(|entry| matches!(
            &entry.outcome,
            Outcome::Failed { failure_class: "panic", .. }
        )).collect();
        assert_eq!((entries.len(), failed.len()), (2, 1), "{entries:?}");
        let runs = tenant_run::Entity::find().all(&world.db).await.expect("the runs");
        let of = |state: &str| runs.iter().filter(|run| run.state == state).collect::<Vec<_>>();
        let [broken] = of("failed")[..] else { panic!("{runs:?}") };
        assert_eq!(broken.failure_class.as_deref(), Some("panic"));
        assert!(broken.retry_at.is_some(), "it is not claimed at once again");
        assert_eq!(of("completed").len(), 1, "{runs:?}");

        // The next pass finishes it, and one more changes nothing.
        let again = pass::run(&world.engine, &Scope::default()).await.expect("a pass").expect("slugs");
        assert!(again.iter().any(|entry| matches!(entry.outcome, Outcome::Done)), "{again:?}");
        let before = world.fingerprint().await;
        pass::run(&world.engine, &Scope::default()).await.expect("a pass").expect("slugs");
        assert_eq!(before, world.fingerprint().await);
    }

    async fn p09_the_cutoffs_are_those_of_the_period_whatever_the_clock_says(scratch: Scratch) {
        // A run of April that is still at work in May.
        let mut world = World::new(scratch, "2024-05-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z").await;
        let middle = world.person(tenant, unsubscribed(MIDDLE)).await;
        // Between the cutoffs of April and those of May.
        let too_young = world.person(tenant, unsubscribed("2024-03-10T12:00:00Z")).await;
        let too_young_to_delete = world.person(tenant, unsubscribed("2023-04-10T12:00:00Z")).await;
        let entries = world.run_period("2024-04").await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        let kept = world.find(tenant, too_young).await.expect("kept");
        assert!(kept.email.is_some(), "anonymized a month too early");
        let kept = world.find(tenant, too_young_to_delete).await.expect("deleted a month too early");
        assert!(kept.anonymized_at.is_some());
        assert!(world.find(tenant, middle).await.expect("kept").anonymized_at.is_some());
        // They go in May.
        world.set_clock("2024-05-02T00:00:01Z");
        world.run_and_prove().await;
        assert!(world.find(tenant, too_young).await.expect("kept").email.is_none());
        assert!(world.find(tenant, too_young_to_delete).await.is_none());
    }
}

#[derive(FromQueryResult)]
struct Waiting {
    n: i64,
}

/// Somebody else holds one row. A stage that took "nothing left that is not locked" for its end
/// would leave it; this one waits.
/// Ids, of which the n-th is a defect.
#[derive(Debug)]
struct PanicsOnce {
    at: usize,
    made: AtomicUsize,
}

impl PanicsOnce {
    fn at(at: usize) -> Self {
        Self {
            at,
            made: AtomicUsize::new(0),
        }
    }
}

impl IdSource for PanicsOnce {
    fn next(&self) -> Uuid {
        let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(made != self.at, "a defect, on purpose");
        RandomIds.next()
    }

    fn token(&self) -> Uuid {
        RandomIds.token()
    }
}

/// Somebody holds a row for longer than the lease lasts, and each attempt on it ends by a timeout:
/// the lease is kept meanwhile, and nobody else takes the run over only to wait for the same row.
async fn the_lease_is_kept_while_a_batch_is_tried_again(scratch: Scratch) {
    let (mut world, [_, deletes]) = two_tenants(scratch).await;
    let held = world.person(deletes, unsubscribed(OLD)).await;
    let config = DatabaseConfig {
        lock_timeout: Duration::from_secs(1),
        ..database_config(&world.scratch)
    };
    let lease = Duration::from_secs(4);
    world.engine.database = store::connect(&config, lease).await.expect("it opens");
    world.engine.lease_duration = lease;
    world.engine.retry.attempts_max = 5;
    world.engine.retry.backoff_initial = Duration::from_millis(800);
    world.engine.retry.backoff_max = Duration::from_millis(900);
    let lock = world.db.begin().await.expect("a transaction");
    participant::Entity::find_by_id((deletes.0, held))
        .lock_exclusive()
        .one(&lock)
        .await
        .expect("a lock");
    let scope = Scope {
        tenants: vec!["deletes".to_owned()],
        period: None,
    };
    let (first, second) = (world.engine.clone(), world.engine.clone());
    let work = {
        let scope = scope.clone();
        tokio::spawn(async move { pass::run(&first, &scope).await })
    };
    let is_claimed = holds_within(PATIENCE, async || {
        let runs = tenant_run::Entity::find().all(&world.db).await;
        runs.expect("the runs")
            .iter()
            .any(|run| run.state == "running")
    });
    assert!(is_claimed.await, "nobody claimed it");
    while !work.is_finished() {
        let entries = pass::run(&second, &scope)
            .await
            .expect("a pass")
            .expect("slugs");
        let was_held = matches!(entries[0].outcome, Outcome::Held);
        assert!(was_held || work.is_finished(), "{entries:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let entries = work
        .await
        .expect("no panic")
        .expect("a pass")
        .expect("slugs");
    let failure = &entries[0].outcome;
    let timed_out = matches!(
        failure,
        Outcome::Failed {
            failure_class: "lock_timeout",
            ..
        }
    );
    assert!(timed_out, "{failure:?}");
    lock.rollback().await.expect("a rollback");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_is_kept_while_a_batch_is_tried_again_postgres() {
    the_lease_is_kept_while_a_batch_is_tried_again(scratch(Backend::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_is_kept_while_a_batch_is_tried_again_mariadb() {
    the_lease_is_kept_while_a_batch_is_tried_again(scratch(Backend::MariaDb).await).await;
}

async fn a_stage_waits_for_a_locked_row(scratch: Scratch) {
    let (world, [tenant, _]) = two_tenants(scratch).await;
    let locked = world.person(tenant, unsubscribed(MIDDLE)).await;
    for _ in 0..4 {
        world.person(tenant, unsubscribed(MIDDLE)).await;
    }
    let (id, waiting) = match world.scratch.backend() {
        Backend::Postgres => (
            format!("'{locked}'"),
            "SELECT COUNT(*) AS n FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        ),
        _ => (
            format!("X'{}'", locked.simple()),
            "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
        ),
    };
    let holder = world.scratch.connect().await;
    let lock = holder.begin().await.expect("begin");
    lock.execute_unprepared(&format!(
        "SELECT id FROM participant WHERE tenant_id = {} AND id = {id} FOR UPDATE",
        tenant.0
    ))
    .await
    .expect("a lock");

    let engine = world.engine.clone();
    let run = tokio::spawn(async move { pass::run(&engine, &Default::default()).await });
    let came_to_it = holds_within(PATIENCE, async || {
        // InnoDB shows a copy of its list, and makes no new one while somebody keeps looking.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let statement = Statement::from_string(world.db.get_database_backend(), waiting);
        let row = Waiting::find_by_statement(statement).one(&world.db).await;
        run.is_finished() || row.expect("a look").expect("a count").n > 0
    })
    .await;
    assert!(came_to_it, "the run neither waited nor ended");
    lock.rollback().await.expect("rollback");

    let pass = run.await.expect("no panic").expect("a pass");
    let entries = pass.expect("known tenants");
    assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
    assert_eq!(entries[0].report.anonymized, 5);
    assert!(
        world
            .find(tenant, locked)
            .await
            .expect("kept")
            .email
            .is_none()
    );
    world.run_and_prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_waits_for_a_locked_row_postgres() {
    a_stage_waits_for_a_locked_row(scratch(Backend::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_waits_for_a_locked_row_mariadb() {
    a_stage_waits_for_a_locked_row(scratch(Backend::MariaDb).await).await;
}
