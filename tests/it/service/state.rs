//! What the daemon knows of itself: it stays right after a reload, a stop for everybody, a failure
//! beside a long run, and an end that nobody could prepare for.

use std::fs;
use std::time::Duration;

use crate::support::way::{Way, redirected};
use crate::support::{Backend, Binary, Scratch, free_port, holds_within, scratch};
use chrono::TimeDelta;

use super::{LONG, is_completed, runs, tenant, unconfigured, wait_completed, wait_event, world};

/// Longer than a test may take: nothing that happens in it is the sweep's doing.
const NO_SWEEP: &str = "[schedule]\nsweep_interval = \"1day\"\n";

fn configure(binary: &Binary, url: &str, more: &str) {
    let settings = format!("[database]\nurl = \"{url}\"\n{more}");
    fs::write(binary.directory().join("retentiond.toml"), settings).expect("a configuration");
}

#[tokio::test]
async fn a_look_that_a_reload_overtakes_is_given_up() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 2, 0, 0).await;
    let binary = unconfigured(&world.binary());
    // For as long as somebody holds this table, a look does not end.
    let held = sea_orm::TransactionTrait::begin(&world.db)
        .await
        .expect("a transaction");
    sea_orm::ConnectionTrait::execute_unprepared(
        &held,
        "LOCK TABLE tenant_run IN ACCESS EXCLUSIVE MODE",
    )
    .await
    .expect("a lock");
    let patient = "statement_timeout = \"1h\"\nscan_timeout = \"1h\"\nlock_timeout = \"1h\"\n";
    configure(
        &binary,
        world.scratch.url(),
        &format!("{patient}{NO_SWEEP}"),
    );
    let serving = binary.serve();
    let looks = |source: &str| {
        serving.metric(&format!(
            "retention_scheduler_wakeups_total{{source=\"{source}\"}}"
        ))
    };
    let looking = holds_within(LONG, async || looks("start") == Some(1.0)).await;
    assert!(looking, "{}", serving.log());

    // The new look begins although the old one has not ended, and does not wait as long.
    let hasty = "lock_timeout = \"100ms\"\n";
    configure(&binary, world.scratch.url(), &format!("{hasty}{NO_SWEEP}"));
    serving.signal("HUP");
    wait_event(&serving, "look_failed", 1).await;
    held.rollback().await.expect("a rollback");
    wait_completed(&world, acme, &serving).await;
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(runs(&world, acme).await.len(), 1);
}

#[tokio::test]
async fn of_two_reloads_the_later_one_counts_although_it_is_faster() {
    let world = world(scratch(Backend::Postgres).await).await;
    let binary = unconfigured(&world.binary());
    let front = free_port();
    let (server, url) = redirected(world.scratch.url(), front);
    let way = Way::open(front, server).await;
    configure(&binary, &url, NO_SWEEP);
    let serving = binary.serve();
    serving.wait_ready(LONG).await;

    // A server that accepts and never answers, for whoever connects now.
    way.turn_to(None);
    configure(
        &binary,
        &url,
        &format!("connect_timeout = \"10m\"\n{NO_SWEEP}"),
    );
    serving.signal("HUP");
    let opening = holds_within(LONG, async || way.unanswered() == 1).await;
    assert!(opening, "{}", serving.log());
    way.turn_to(Some(server));
    configure(&binary, &url, NO_SWEEP);
    serving.signal("HUP");
    wait_event(&serving, "configuration_reloaded", 1).await;

    // The older one is given up at once, and not after its ten minutes.
    let given_up = holds_within(LONG, async || way.unanswered() == 0).await;
    assert!(given_up, "{}", serving.log());
    let acme = tenant(&world, "acme", 1, 0, 0).await;
    serving.signal("HUP");
    wait_completed(&world, acme, &serving).await;
    assert_eq!(serving.events("configuration_refused"), 0);
}

#[tokio::test]
async fn a_stop_for_everybody_with_tenants_in_line_is_followed_by_ever_later_attempts() {
    let world = world(scratch(Backend::Postgres).await).await;
    let mut tenants = Vec::new();
    for number in 0..3 {
        tenants.push(tenant(&world, &format!("tenant-{number}"), 1, 0, 0).await);
    }
    world
        .sql(
            "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$",
        )
        .await;
    world
        .sql(
            "CREATE TRIGGER disk_is_full BEFORE DELETE ON participant \
             FOR EACH ROW EXECUTE FUNCTION disk_is_full()",
        )
        .await;
    let serving = world
        .binary()
        .env("RETENTIOND__ENGINE__WORKERS", "1")
        .env("RETENTIOND__ENGINE__TENANTS_AT_A_TIME", "1")
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1day")
        .serve();
    // Each is tried once, and none of them by the sweep.
    wait_event(&serving, "tenant_run_failed", 3).await;
    let mut ends = Vec::new();
    for tenant in tenants {
        let recorded = holds_within(LONG, async || {
            runs(&world, tenant)
                .await
                .iter()
                .any(|run| run.state == "failed")
        });
        assert!(recorded.await, "{}", serving.log());
        let run = runs(&world, tenant).await.remove(0);
        assert_eq!(run.failure_class.as_deref(), Some("disk_full"));
        ends.push(run.finished_at.expect("an end"));
    }
    ends.sort();
    assert!(ends[1] - ends[0] >= TimeDelta::seconds(1), "{ends:?}");
    assert!(ends[2] - ends[1] >= TimeDelta::seconds(2), "{ends:?}");
}

on_every_database! {
    async fn a_failure_beside_a_run_that_takes_long_is_seen_before_that_ends(scratch: Scratch) {
        let world = world(scratch).await;
        // Ten minutes, at one row a second.
        let slow = tenant(&world, "slow", 600, 0, 0).await;
        tenant(&world, "broken", 1, 0, 0).await;
        world.sql("UPDATE tenant SET time_zone = 'Europe/Nowhere' WHERE slug = 'broken'").await;
        let serving = world
            .binary()
            .env("RETENTIOND__ENGINE__WORKERS", "2")
            .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
            .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "1")
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1day")
            .serve();
        let seen = holds_within(LONG, async || {
            serving.metric("retention_tenant_runs{state=\"failed\"}") == Some(1.0)
        });
        assert!(seen.await, "{}", serving.log());
        assert!(!is_completed(&world, slow).await);
    }
}

on_every_database! {
    async fn a_run_in_progress_is_counted_as_running_from_its_beginning_to_its_end(scratch: Scratch) {
        let world = world(scratch).await;
        let slow = tenant(&world, "slow", 30, 0, 0).await;
        let done = tenant(&world, "done", 1, 0, 0).await;
        let serving = world
            .binary()
            .env("RETENTIOND__ENGINE__WORKERS", "2")
            .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
            .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "20")
            // No look but the first one and those that follow ends of runs.
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1day")
            .serve();
        let mut seen = 0;
        let ended = holds_within(LONG, async || {
            let Some((_, scrape)) = serving.get("/metrics") else {
                return false;
            };
            let value = |series: &str| {
                let line = scrape.lines().find_map(|line| line.strip_prefix(series));
                line.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or_default()
            };
            let in_progress = value("retention_run_in_progress");
            let states = ["pending", "running", "completed", "failed", "superseded", "no_policy"]
                .map(|state| value(&format!("retention_tenant_runs{{state=\"{state}\"}}")));
            if in_progress > 0.0 {
                seen += 1;
                assert!(states[1] >= in_progress, "{in_progress} in progress: {states:?}");
                assert_eq!(states.iter().sum::<f64>(), 2.0, "each tenant once: {states:?}");
            }
            in_progress == 0.0 && states[2] == 2.0
        });
        assert!(ended.await, "{}", serving.log());
        assert!(seen > 0, "no scrape while a run was in progress");
        for tenant in [slow, done] {
            assert!(is_completed(&world, tenant).await);
        }
    }
}

fn log_length(scratch: &Scratch) -> u64 {
    let path = scratch.url().trim_start_matches("sqlite://");
    let path = path.split('?').next().expect("a path");
    fs::metadata(format!("{path}-wal")).map_or(0, |log| log.len())
}

#[tokio::test]
async fn what_a_killed_process_left_in_the_log_of_sqlite_is_emptied_and_again_if_that_fails() {
    let world = world(scratch(Backend::Sqlite).await).await;
    tenant(&world, "acme", 2, 0, 0).await;
    world.binary().run(&["run"]).expect_code(0);
    world.sql("UPDATE tenant SET name = 'another'").await;
    assert!(
        log_length(&world.scratch) > 0,
        "there is something in the log"
    );
    // Whoever reads keeps the log in use.
    let reading = sea_orm::TransactionTrait::begin(&world.db)
        .await
        .expect("a transaction");
    sea_orm::ConnectionTrait::execute_unprepared(&reading, "SELECT count(*) FROM tenant")
        .await
        .expect("a snapshot");
    let another = world.scratch.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&another, "UPDATE tenant SET name = 'a third'")
        .await
        .expect("a write that the reader does not see");
    let serving = world
        .binary()
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "50ms")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "1")
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .serve();
    wait_event(&serving, "write_ahead_log_in_use", 2).await;
    assert!(log_length(&world.scratch) > 0);
    reading.rollback().await.expect("a rollback");
    let emptied = holds_within(LONG, async || log_length(&world.scratch) == 0).await;
    assert!(emptied, "{}", serving.log());
    assert_eq!(serving.events("tenant_run_started"), 0, "nothing was owed");
}

#[tokio::test]
async fn a_log_of_sqlite_that_stays_in_use_does_not_hold_up_the_end() {
    let world = world(scratch(Backend::Sqlite).await).await;
    world.sql("CREATE TABLE something (id integer)").await;
    let reading = sea_orm::TransactionTrait::begin(&world.db)
        .await
        .expect("a transaction");
    sea_orm::ConnectionTrait::execute_unprepared(&reading, "SELECT count(*) FROM tenant")
        .await
        .expect("a snapshot");
    let another = world.scratch.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&another, "INSERT INTO something VALUES (1)")
        .await
        .expect("a write that the reader does not see");
    let serving = world
        .binary()
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "1h")
        .env("RETENTIOND__DATABASE__SCAN_TIMEOUT", "1h")
        .env("RETENTIOND__SHUTDOWN__GRACE_PERIOD", "1s")
        .serve();
    serving.wait_ready(LONG).await;
    let (status, log) = serving.terminate(LONG + Duration::from_secs(1)).await;
    assert_eq!(status.code(), Some(0), "nothing was broken off: {log}");
    assert!(log.contains("write_ahead_log_in_use"), "{log}");
    drop(reading);
}
