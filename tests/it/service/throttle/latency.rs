//! `engine.latency_max`, with a wire that gets longer.

use std::time::Duration;

use crate::support::way::{Way, redirected};
use crate::support::{Backend, free_port, scratch};

use super::super::{tenant, wait_completed, wait_event, world};
use super::{PEOPLE, it_pauses, it_was_told, slow, wait_batches};

/// Far more than a read takes on a machine that is busy with other tests, and far less than the wire.
const LIMIT: &str = "200ms";

const DELAY: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    runs_wait_while_answers_are_slow(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb() {
    runs_wait_while_answers_are_slow(Backend::MariaDb).await;
}

/// There is no wire, and a read does not wait for a writer: it is measured all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    let world = world(scratch(Backend::Sqlite).await).await;
    tenant(&world, "acme", 5, 5, 5).await;
    let run = |limit: &str| {
        let binary = world.binary().env("RETENTIOND__ENGINE__LATENCY_MAX", limit);
        binary.run(&["run"]).expect_code(0).stderr
    };
    let log = run("5s");
    assert!(log.contains("tenant_run_completed"), "{log}");
    assert!(!log.contains("throttle_"), "{log}");
    assert!(!log.contains("limit_not_measured"), "{log}");
}

async fn runs_wait_while_answers_are_slow(backend: Backend) {
    let world = world(scratch(backend).await).await;
    let acme = tenant(&world, "acme", PEOPLE, 0, 0).await;
    let end = free_port();
    let (server, url) = redirected(world.scratch.url(), end);
    let way = Way::open(end, server).await;
    let serving = slow(&world, 20)
        .env("RETENTIOND__DATABASE__URL", &url)
        // Renewing takes a few round trips.
        .env("RETENTIOND__ENGINE__LEASE_DURATION", "4s")
        .env("RETENTIOND__ENGINE__LATENCY_MAX", LIMIT)
        .serve();
    wait_batches(&world, acme, 5, &serving).await;
    way.set_delay(DELAY);
    it_pauses(&world, acme, &serving, "latency").await;
    way.set_delay(Duration::ZERO);
    wait_completed(&world, acme, &serving).await;
    wait_event(&serving, "throttle_ended", 1).await;
    it_was_told(&serving, "latency");
    world.binary().run(&["verify"]).expect_code(0);
}
