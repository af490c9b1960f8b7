//! `engine.window`, by clocks that the test sets.

use entity::run_lease;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::support::database::scratch_on;
use crate::support::faked_time::FakedMachines;
use crate::support::{Backend, Serving, at, holds_within};

use super::super::{LONG, is_completed, people, runs, wait_completed, wait_event, world};
use super::{PEOPLE, batches, events, slow, wait_batches};

async fn wait_waiting(serving: &Serving, tenants: f64) {
    let waiting = "retention_runs_paused{reason=\"window\"}";
    let waits = holds_within(LONG, async || serving.metric(waiting) == Some(tenants));
    assert!(waits.await, "{}", serving.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_works_within_its_window_only_and_run_whenever_it_is_told_to() {
    // In Brussels it is 20:30.
    let machines = FakedMachines::start(at("2024-04-02T18:30:00Z")).await;
    let world = world(scratch_on(Backend::Postgres, machines.url()).await).await;
    let acme = world.tenant("acme", "Europe/Brussels").await;
    people(&world, acme, PEOPLE, "2022-05-05T12:00:00Z").await;
    world
        .policy(acme, Some(1), Some(12), "2020-01-01T00:00:00Z")
        .await;
    let binary = machines
        .host
        .environment()
        .iter()
        .fold(slow(&world, 20), |binary, (name, value)| {
            binary.env(name, value)
        })
        .env("RETENTIOND__ENGINE__WINDOW", "22:00-05:00")
        .env("RETENTIOND__ENGINE__WINDOW_TIME_ZONE", "Europe/Brussels");
    let serving = binary.serve();

    // Ready, and nothing is begun.
    serving.wait_ready(LONG).await;
    wait_waiting(&serving, 1.0).await;
    assert_eq!(events(&serving.log(), "throttle_began", "window"), 1);
    let until = "\"until\":\"2024-04-02T20:00:00Z\"";
    assert!(serving.log().contains(until), "{}", serving.log());
    assert!(runs(&world, acme).await.is_empty());

    machines.set(at("2024-04-02T20:00:00Z"));
    wait_batches(&world, acme, 5, &serving).await;
    assert_eq!(events(&serving.log(), "throttle_ended", "window"), 1);
    assert_eq!(
        serving.metric("retention_runs_paused{reason=\"window\"}"),
        Some(0.0)
    );

    // It closes on the next day. The run is given back, as on a stop.
    machines.set(at("2024-04-03T03:00:00Z"));
    wait_event(&serving, "tenant_run_stopped", 1).await;
    wait_waiting(&serving, 1.0).await;
    assert_eq!(events(&serving.log(), "throttle_began", "window"), 2);
    assert_eq!(runs(&world, acme).await[0].state, "pending");
    let held = run_lease::Entity::find().filter(run_lease::Column::Token.is_not_null());
    assert_eq!(held.one(&world.db).await.expect("an answer"), None);
    let done = batches(&world, acme).await;
    assert!(!is_completed(&world, acme).await);

    // What somebody does by hand is done when they do it.
    let finished = binary
        .beside()
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "10000")
        .run(&["run"])
        .expect_code(0);
    wait_completed(&world, acme, &serving).await;
    assert!(batches(&world, acme).await > done, "{}", finished.stderr);
    serving.signal("HUP");
    wait_waiting(&serving, 0.0).await;
    assert_eq!(events(&serving.log(), "throttle_ended", "window"), 2);
    let paused = "retention_throttle_pause_seconds_count{reason=\"window\"}";
    assert_eq!(serving.metric(paused), Some(2.0), "{}", serving.log());
    binary.run(&["verify"]).expect_code(0);
}
