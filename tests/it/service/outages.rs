//! The database is not there, or not as it should be: the daemon stays up, says so, and goes on.

use std::sync::Arc;

use sea_orm::ConnectionTrait;

use crate::support::way::{Way, redirected};
use crate::support::{Backend, Binary, Scratch, free_port, holds_within, scratch};

use super::{LONG, days_ago, people, tenant, wait_completed, wait_event, world};

async fn outage(scratch: Scratch) {
    let world = world(scratch).await;
    let acme = tenant(&world, "acme", 2, 2, 2).await;
    let front = free_port();
    let (server, url) = redirected(world.scratch.url(), front);
    let serving = world
        .binary()
        .env("RETENTIOND__DATABASE__URL", &url)
        .env("RETENTIOND__DATABASE__CONNECT_TIMEOUT", "1s")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "2")
        .serve();
    // Down at the start: alive, not ready, no crash.
    wait_event(&serving, "database_unavailable", 2).await;
    assert_eq!(serving.get("/livez").map(|(status, _)| status), Some(200));
    let (status, body) = serving.get("/readyz").expect("an answer");
    assert_eq!(status, 503);
    assert!(
        body.contains("database: ") && !body.contains("database: ok"),
        "{body}"
    );
    assert_eq!(serving.metric("retention_ready"), Some(0.0));

    let way = Way::open(front, server).await;
    wait_completed(&world, acme, &serving).await;
    serving.wait_ready(LONG).await;

    // Down later.
    drop(way);
    wait_event(&serving, "service_not_ready", 1).await;
    assert_eq!(serving.get("/livez").map(|(status, _)| status), Some(200));
    let late = tenant(&world, "late", 1, 1, 1).await;
    let _way = Arc::new(Way::open(front, server).await);
    wait_completed(&world, late, &serving).await;
    let password = url.split(['@', ':']).nth(2).expect("a password");
    assert!(
        !serving.log().contains(password),
        "E10: the URL is a secret"
    );
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn a_database_that_goes_and_comes_is_waited_for_postgres() {
    outage(scratch(Backend::Postgres).await).await;
}

#[tokio::test]
async fn a_database_that_goes_and_comes_is_waited_for_mariadb() {
    outage(scratch(Backend::MariaDb).await).await;
}

#[tokio::test]
async fn a_schema_that_is_not_there_yet_is_waited_for() {
    let scratch = scratch(Backend::Postgres).await;
    let binary = Binary::on(&scratch);
    binary.run(&["keys", "generate"]).expect_code(0);
    let serving = binary.serve();
    wait_event(&serving, "database_unavailable", 1).await;
    let (_, body) = serving.get("/readyz").expect("an answer");
    assert!(
        body.contains("database: ok") && body.contains("migrate up"),
        "{body}"
    );
    binary.run(&["migrate", "up"]).expect_code(0);
    serving.wait_ready(LONG).await;
}

#[tokio::test]
async fn a_schema_that_became_newer_ends_the_work() {
    let world = world(scratch(Backend::Postgres).await).await;
    let serving = world
        .binary()
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .serve();
    serving.wait_ready(LONG).await;
    world
        .sql("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)")
        .await;
    wait_event(&serving, "look_failed", 1).await;
    let acme = tenant(&world, "acme", 2, 0, 0).await;
    wait_event(&serving, "service_not_ready", 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(
        super::runs(&world, acme).await.is_empty(),
        "nothing is erased by an older version"
    );
    world
        .sql("DELETE FROM seaql_migrations WHERE version = 'm29990101_000001_later'")
        .await;
    wait_completed(&world, acme, &serving).await;
}

/// What is overdue after a completed run is shown, and who is concerned is logged.
#[tokio::test]
async fn people_who_are_left_after_a_completed_run_are_counted() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 1, 1, 1).await;
    world.binary().run(&["run"]).expect_code(0);
    // Stored long ago by the record, as if the run had missed them.
    people(&world, acme, 3, &days_ago(1_000)).await;
    people(&world, acme, 2, &days_ago(180)).await;
    let serving = world.binary().serve();
    let series = |stage: &str| {
        serving.metric(&format!(
            "retention_overdue_participants{{stage=\"{stage}\"}}"
        ))
    };
    let counted = holds_within(LONG, async || {
        series("purge") == Some(3.0) && series("anonymize") == Some(2.0)
    });
    assert!(counted.await, "{}", serving.log());
    assert_eq!(serving.events("overdue_found"), 1);
    world
        .db
        .execute_unprepared("SELECT 1")
        .await
        .expect("the database is well");
}
