//! What the daemon does while it is up: wake up, take up, leave alone.

use chrono::TimeDelta;
use retentiond::clock::{Clock, SystemClock};

use crate::support::{Backend, Scratch, holds_within, scratch};

use super::{LONG, days_ago, people, runs, tenant, wait_completed, world};

on_every_database! {
    async fn s01_what_was_owed_is_caught_up_with_at_the_start(scratch: Scratch) {
        let world = world(scratch).await;
        let acme = tenant(&world, "acme", 3, 4, 5).await;
        let serving = world.binary().serve();
        wait_completed(&world, acme, &serving).await;
        let run = runs(&world, acme).await.remove(0);
        assert_eq!((run.purged, run.anonymized), (3, 4));
        assert!(run.started_at >= Some(run.due_at), "never early");
        assert!(serving.log().contains("\"source\":\"start\""), "{}", serving.log());

        // S6: a further look changes nothing.
        let before = world.fingerprint().await;
        serving.signal("HUP");
        let looked = holds_within(LONG, async || serving.log().contains("\"source\":\"reload\"")).await;
        assert!(looked, "{}", serving.log());
        assert_eq!(before, world.fingerprint().await);
        assert_eq!(serving.events("tenant_run_started"), 1);
        drop(serving);
        world.binary().run(&["verify"]).expect_code(0);
    }

    async fn tenants_and_policies_that_come_while_it_runs_are_found_by_the_sweep(scratch: Scratch) {
        let world = world(scratch).await;
        let serving = world
            .binary()
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
            .serve();
        serving.wait_ready(LONG).await;
        let acme = tenant(&world, "acme", 1, 1, 1).await;
        wait_completed(&world, acme, &serving).await;

        // P3: looked at again on every pass, until a policy is dated back.
        let later = world.tenant("later", "Europe/Brussels").await;
        people(&world, later, 2, &days_ago(1_000)).await;
        let is_unruled = holds_within(LONG, async || {
            runs(&world, later).await.iter().any(|run| run.state == "no_policy")
        });
        assert!(is_unruled.await, "{}", serving.log());
        world.policy(later, None, Some(12), "2020-01-01T00:00:00Z").await;
        wait_completed(&world, later, &serving).await;
        assert_eq!(runs(&world, later).await[0].purged, 2);

        // Moved to the other end of the world: the same period is not owed again.
        world.sql("UPDATE tenant SET time_zone = 'Pacific/Kiritimati' WHERE slug = 'acme'").await;
        let sweeps = || serving.metric("retention_scheduler_wakeups_total{source=\"sweep\"}");
        let since = sweeps().expect("a series");
        let swept = holds_within(LONG, async || sweeps() >= Some(since + 2.0)).await;
        assert!(swept, "{}", serving.log());
        let periods: Vec<String> = runs(&world, acme).await.into_iter().map(|run| run.period).collect();
        let mut different = periods.clone();
        different.dedup();
        assert_eq!(periods, different, "one run a period");
        assert_eq!(serving.events("panic"), 0);
    }

    async fn s04_one_tenant_fails_and_the_others_are_done(scratch: Scratch) {
        let world = world(scratch).await;
        let broken = tenant(&world, "broken", 1, 1, 0).await;
        world.sql("UPDATE tenant SET time_zone = 'Europe/Nowhere' WHERE slug = 'broken'").await;
        let mut well = Vec::new();
        for number in 0..4 {
            well.push(tenant(&world, &format!("well-{number}"), 1, 1, 1).await);
        }
        let serving = world
            .binary()
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
            .serve();
        for tenant in well {
            wait_completed(&world, tenant, &serving).await;
        }
        let state = |state: &str| {
            serving.metric(&format!("retention_tenant_runs{{state=\"{state}\"}}"))
        };
        // A failure may be seen by a look before the last of the others is done.
        let shown = holds_within(LONG, async || {
            state("failed") == Some(1.0) && state("completed") == Some(4.0)
        });
        assert!(shown.await, "{}", serving.log());
        let run = runs(&world, broken).await.remove(0);
        assert_eq!((run.state.as_str(), run.failure_class.as_deref()), ("failed", Some("time_zone")));
        let pause = run.retry_at.expect("a retry") - run.finished_at.expect("an end");
        assert!(pause >= TimeDelta::seconds(45) && pause <= TimeDelta::seconds(60), "{pause}");
        assert_eq!(serving.metric("retention_errors_total{class=\"time_zone\"}"), Some(1.0));
        assert!(serving.is_ready(), "one tenant is no reason not to be ready");

        // Mended, and its pause over, it is done as well.
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels' WHERE slug = 'broken'").await;
        world.sql("UPDATE tenant_run SET retry_at = NULL WHERE state = 'failed'").await;
        // In this process the tenant is left alone for half a minute.
        drop(serving);
        let serving = world.binary().serve();
        wait_completed(&world, broken, &serving).await;
    }
}

#[tokio::test]
async fn a_failed_run_is_not_tried_again_before_its_pause_is_over() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 2, 0, 0).await;
    world.binary().run(&["plan"]).expect_code(0);
    world
        .sql("UPDATE tenant SET time_zone = 'Europe/Nowhere' WHERE slug = 'acme'")
        .await;
    world.binary().run(&["run"]).expect_code(1);
    world
        .sql("UPDATE tenant SET time_zone = 'Europe/Brussels' WHERE slug = 'acme'")
        .await;
    world
        .sql("UPDATE tenant_run SET retry_at = CURRENT_TIMESTAMP + INTERVAL '3 seconds'")
        .await;
    let retry_at = runs(&world, acme).await[0].retry_at.expect("a retry");
    let serving = world.binary().serve();
    wait_completed(&world, acme, &serving).await;
    let run = runs(&world, acme).await.remove(0);
    assert!(run.started_at >= Some(retry_at), "{run:?}");
    assert!(
        serving.log().contains("\"source\":\"timer\""),
        "{}",
        serving.log()
    );
}

#[tokio::test]
async fn a_run_whose_holder_vanished_is_taken_over_when_its_lease_expires() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 20, 0, 1).await;
    let replica = |rate: &str| {
        world
            .binary()
            .env("RETENTIOND__ENGINE__LEASE_DURATION", "3s")
            .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
            .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", rate)
    };
    let first = replica("1").serve();
    super::wait_event(&first, "tenant_run_started", 1).await;
    let second = replica("1000").serve();
    second.wait_ready(LONG).await;
    first.kill();
    let killed_at = SystemClock.now();
    super::wait_event(&second, "tenant_run_started", 1).await;
    let taken_after = SystemClock.now() - killed_at;
    wait_completed(&world, acme, &second).await;
    assert!(taken_after <= TimeDelta::seconds(3 + 5), "{taken_after}");
    assert_eq!(runs(&world, acme).await[0].purged, 20);
    drop(second);
    world.binary().run(&["verify"]).expect_code(0);
}
