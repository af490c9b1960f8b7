//! How fast runs go, and what is said of how far they are.

use chrono::TimeDelta;

use crate::support::{Scratch, World, holds_within};

use super::{LONG, runs, tenant, wait_completed, world};

/// Participants a second, of all processes together.
const RATE: usize = 40;

const PEOPLE: usize = 160;

on_every_database! {
    async fn processes_share_the_rate_and_runs_show_tells_how_far_they_are(scratch: Scratch) {
        let world = world(scratch).await;
        let tenants = [
            tenant(&world, "one", PEOPLE, 0, 0).await,
            tenant(&world, "two", PEOPLE, 0, 0).await,
        ];
        let replica = || {
            world
                .binary()
                .env("RETENTIOND__ENGINE__WORKERS", "1")
                // The one that is ready first would take both.
                .env("RETENTIOND__ENGINE__TENANTS_AT_A_TIME", "1")
                .env("RETENTIOND__ENGINE__BATCH_ROWS", "4")
                .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", &RATE.to_string())
        };
        let replicas = [replica().serve(), replica().serve()];
        progress_is_told(&world).await;
        let left = replicas
            .iter()
            .filter_map(|replica| replica.metric("retention_run_participants_left{stage=\"purge\"}"))
            .sum::<f64>();
        assert!(left > 0.0 && left < 2.0 * PEOPLE as f64, "{left}");
        for tenant in tenants {
            wait_completed(&world, tenant, &replicas[0]).await;
        }

        let mut done = Vec::new();
        for tenant in tenants {
            done.push(runs(&world, tenant).await.remove(0));
        }
        let started = done.iter().filter_map(|run| run.started_at).min().expect("begun");
        let finished = done.iter().filter_map(|run| run.finished_at).max().expect("ended");
        // For a moment in which it had not been seen that there are two, each took all of the rate.
        let least = TimeDelta::milliseconds(1_000 * 2 * PEOPLE as i64 / RATE as i64) - TimeDelta::seconds(2);
        assert!(finished - started >= least, "{} < {least}", finished - started);
        for replica in replicas {
            let paused = replica.metric("retention_throttle_pause_seconds_count{reason=\"rate\"}");
            assert!(paused > Some(0.0), "{}", replica.log());
            let (status, log) = replica.terminate(LONG).await;
            assert_eq!(status.code(), Some(0), "{log}");
        }
        world.binary().run(&["verify"]).expect_code(0);
    }
}

/// Somewhere in the middle of a run, `runs show` says what is done of what was planned, and at which
/// rate.
async fn progress_is_told(world: &World) {
    let mut shown = serde_json::Value::Null;
    let told = holds_within(LONG, async || {
        let list = world.binary().run(&["runs", "list", "--output", "json"]);
        let list: serde_json::Value = serde_json::from_str(&list.stdout).expect("JSON");
        let Some(run) = list["runs"][0]["run_id"].as_str() else {
            return false;
        };
        let run = world
            .binary()
            .run(&["runs", "show", run, "--output", "json"]);
        shown = serde_json::from_str(&run.stdout).expect("JSON");
        let done = shown["participants_done"].as_u64().expect("a number");
        done > 0 && done < PEOPLE as u64
    });
    assert!(told.await, "{shown}");
    assert_eq!(shown["participants_planned"], PEOPLE);
    let rate = shown["participants_per_second"].as_f64().expect("a rate");
    assert!(rate > 0.0 && rate <= 2.0 * RATE as f64, "{rate}");
    let left = shown["seconds_left"].as_f64().expect("a time");
    let done = shown["participants_done"].as_f64().expect("a number");
    assert!(
        ((PEOPLE as f64 - done) / rate - left).abs() < 0.01,
        "{left}"
    );
}
