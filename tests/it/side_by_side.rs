//! Several tenants in hand at a time: in which order their batches come, and that it changes nothing of
//! what is done.

use std::sync::Arc;
use std::time::Duration;

use entity::tenant_run;
use retentiond::engine::due::Scope;
use retentiond::engine::pace::Pace;
use retentiond::engine::pass;
use retentiond::engine::permits::Permits;
use retentiond::engine::report::Outcome;
use retentiond::ids::TenantId;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Backend, Binary, Person, Scratch, World, holds_within, scratch};

/// For anything that only a hanging process or a very busy machine makes longer.
const LONG: Duration = Duration::from_secs(60);

const TENANTS: usize = 3;

/// Due for anonymization, and for deletion; in the order of the calendar.
const DUE: [&str; 6] = [
    "2023-06-01",
    "2023-07-01",
    "2023-08-01",
    "2023-09-01",
    "2023-10-01",
    "2023-11-01",
];
const TO_GO: [&str; 4] = ["2022-07-01", "2022-08-01", "2022-09-01", "2022-10-01"];

/// Tenants of people whose personal fields are to go, others to be deleted, and one to stay.
async fn crowd(scratch: Scratch, tenants: usize) -> World {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    for number in 0..tenants {
        let tenant = tenant(&world, &format!("tenant-{number}")).await;
        for day in DUE.into_iter().chain(TO_GO).chain(["2024-03-20"]) {
            person(&world, tenant, day).await;
        }
    }
    world
}

async fn tenant(world: &World, slug: &str) -> TenantId {
    let tenant = world.tenant(slug, "UTC").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    tenant
}

async fn person(world: &World, tenant: TenantId, day: &str) -> Uuid {
    let person = Person {
        added_at: &format!("{day}T12:00:00Z"),
        email: Some("ann@example.org"),
        unsubscribed_at: Some("2024-01-01T00:00:00Z"),
    };
    world.person(tenant, person).await
}

/// Its tenant and its stage.
type Batch = (String, String);

/// A binary with one worker, whose batches are of one person.
fn one_by_one(world: &World, tenants_at_a_time: Option<&str>) -> Binary {
    let binary = world
        .binary()
        .env("RETENTIOND__LOG__LEVEL", "debug")
        .env("RETENTIOND__ENGINE__WORKERS", "1")
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "1");
    match tenants_at_a_time {
        Some(number) => binary.env("RETENTIOND__ENGINE__TENANTS_AT_A_TIME", number),
        None => binary,
    }
}

/// Each batch of participants, in the order in which they were committed, by the log of a run.
fn batches(world: &World, tenants_at_a_time: Option<&str>) -> Vec<Batch> {
    let binary = one_by_one(world, tenants_at_a_time);
    let done = binary.run(&["run", "--period", "2024-04"]).expect_code(0);
    let text = |field: &Value| field.as_str().expect("a text").to_owned();
    done.stderr
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"))
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["event"] == "batch_committed" && fields["stage"] != "uploads")
        .map(|fields| (text(&fields["tenant"]), text(&fields["stage"])))
        .collect()
}

/// How often a batch is of another tenant, or stage, than the one before.
fn changes(batches: &[Batch], of: fn(&Batch) -> &str) -> usize {
    let changes = batches.windows(2).filter(|two| of(&two[0]) != of(&two[1]));
    changes.count()
}

fn tenant_of(batch: &Batch) -> &str {
    &batch.0
}

fn stage_of(batch: &Batch) -> &str {
    &batch.1
}

on_every_database! {
    async fn tenants_take_turns_batch_by_batch_and_stage_by_stage(scratch: Scratch) {
        let world = crowd(scratch, TENANTS).await;
        let batches = batches(&world, Some("3"));
        assert_eq!(batches.len(), TENANTS * (DUE.len() + TO_GO.len()));
        // One after the other, there would be one change fewer than there are tenants. In which batch
        // each of them joins is up to the machine.
        assert!(changes(&batches, tenant_of) > 2 * TENANTS, "{batches:?}");
        assert!(changes(&batches, stage_of) < 2 * TENANTS - 1, "{batches:?}");
        let before = world.fingerprint().await;
        for entry in world.run_and_prove().await {
            assert_eq!(entry.report.anonymized + entry.report.purged, 0, "{entry:?}");
        }
        assert_eq!(before, world.fingerprint().await);
    }

    async fn one_tenant_at_a_time_ends_before_the_next_one_begins(scratch: Scratch) {
        let world = crowd(scratch, TENANTS).await;
        let batches = batches(&world, Some("1"));
        assert_eq!(batches.len(), TENANTS * (DUE.len() + TO_GO.len()));
        assert_eq!(changes(&batches, tenant_of), TENANTS - 1, "{batches:?}");
    }

    async fn tenants_that_share_pages_go_side_by_side_unless_configured(scratch: Scratch) {
        let share_pages = scratch.backend() == Backend::Postgres;
        let world = crowd(scratch, TENANTS).await;
        let batches = batches(&world, None);
        let side_by_side = changes(&batches, tenant_of) > 2 * TENANTS;
        assert_eq!(side_by_side, share_pages, "{batches:?}");
    }

    async fn who_comes_after_the_first_goes_side_by_side_as_well(scratch: Scratch) {
        let world = crowd(scratch, 4).await;
        let batches = batches(&world, Some("2"));
        let mut spans: Vec<(usize, usize)> = (0..4)
            .map(|number| {
                let slug = format!("tenant-{number}");
                let is_its = |batch: &Batch| batch.0 == slug;
                let first = batches.iter().position(is_its).expect("a first batch");
                let last = batches.iter().rposition(is_its).expect("a last batch");
                (first, last)
            })
            .collect();
        spans.sort_unstable();
        for two in spans.chunks(2) {
            assert!(two[1].0 < two[0].1, "side by side: {batches:?}");
        }
        let ended = spans[..2].iter().map(|span| span.1).max();
        assert!(ended < Some(spans[2].0), "a pair after the other: {batches:?}");
    }

    async fn a_stop_reaches_those_who_wait_to_be_claimed(scratch: Scratch) {
        const TENANTS: usize = 6;
        let mut world = crowd(scratch, TENANTS).await;
        world.engine.permits = Permits::new(1);
        world.engine.tenants_at_a_time = TENANTS;
        world.engine.batch_rows = 1;
        // The next one is claimed when the pause after the first batch is over.
        world.engine.pace = Arc::new(Pace::new(Some(1)));
        let engine = world.engine.clone();
        let pass = tokio::spawn(async move { pass::run(&engine, &Scope::default()).await });
        let runs = async || tenant_run::Entity::find().all(&world.db).await.expect("runs");
        let begun = async || runs().await.iter().any(|run| run.anonymized > 0);
        assert!(holds_within(LONG, begun).await, "{:?}", runs().await);
        world.engine.stop.cancel();
        let entries = pass.await.expect("no panic").expect("a pass").expect("slugs");
        assert_eq!(entries.len(), TENANTS);
        for entry in &entries {
            assert!(matches!(entry.outcome, Outcome::Stopped), "{entry:?}");
        }
        // Whoever was in line by the time of the first batch, and never more than that.
        let runs = runs().await;
        assert!(runs.len() < TENANTS, "{runs:?}");
        assert!(runs.iter().all(|run| run.state == "pending"), "{runs:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_turn_keeps_the_lease() {
    let mut world = World::new(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    world.engine.permits = Permits::new(1);
    world.engine.tenants_at_a_time = 2;
    world.engine.batch_rows = 1;
    world.engine.lease_duration = Duration::from_secs(1);
    let [slow, patient] = [
        tenant(&world, "a-slow").await,
        tenant(&world, "b-patient").await,
    ];
    person(&world, slow, "2023-06-01").await;
    let locked = person(&world, slow, "2023-07-01").await;
    for day in ["2023-08-01", "2023-09-01"] {
        person(&world, patient, day).await;
    }
    let others = world.scratch.connect().await;
    let lock = others.begin().await.expect("begin");
    let sql = format!("SELECT id FROM participant WHERE id = '{locked}' FOR UPDATE");
    lock.execute_unprepared(&sql).await.expect("locked");

    let engine = world.engine.clone();
    let pass = tokio::spawn(async move { pass::run(&engine, &Scope::default()).await });
    // The one that waits for the row has the turn, and the other one has done a batch before.
    let waits = "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                 AND datname = current_database()";
    let is_waiting = holds_within(LONG, async || count(&world, waits).await == 1).await;
    assert!(is_waiting, "for the row");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(count(&world, waits).await, 1, "still");
    let held = format!(
        "SELECT COUNT(*) AS n FROM run_lease WHERE tenant_id = {} AND holder = 'test' \
         AND expires_at > CURRENT_TIMESTAMP",
        patient.0
    );
    assert_eq!(
        count(&world, &held).await,
        1,
        "the lease of the one that waits"
    );
    lock.rollback().await.expect("rollback");
    let entries = pass
        .await
        .expect("no panic")
        .expect("a pass")
        .expect("slugs");
    for entry in &entries {
        assert_eq!(entry.report.anonymized, 2, "{entries:?}");
    }
}

async fn count(world: &World, sql: &str) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = world.db.query_one_raw(statement).await.expect("an answer");
    row.expect("a row").try_get("", "n").expect("a number")
}
