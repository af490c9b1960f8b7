//! D12: the operating system updates the time-zone rules while the daemon is up.

use crate::support::zone_files::ZoneFiles;
use crate::support::{Backend, Scratch, holds_within, scratch};

use super::{LONG, is_completed, runs, tenant, wait_completed, wait_event, world};

/// The labels of `retention_build_info`, of which there is one series.
fn build_info(serving: &crate::support::Serving) -> String {
    let (_, body) = serving.get("/metrics").expect("metrics");
    let lines: Vec<&str> = body
        .lines()
        .filter(|line| line.starts_with("retention_build_info"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].to_owned()
}

on_every_database! {
    async fn d12_new_rules_are_used_without_a_restart(scratch: Scratch) {
        let files = ZoneFiles::of_release("2025b");
        files.half_a_zone("Europe/Brussels");
        let world = world(scratch).await;
        let broken = tenant(&world, "broken", 1, 1, 1).await;
        let well = tenant(&world, "well", 1, 1, 1).await;
        world.sql("UPDATE tenant SET time_zone = 'UTC' WHERE slug = 'well'").await;
        let serving = world
            .binary()
            .env("TZDIR", files.path_text())
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
            .serve();
        wait_completed(&world, well, &serving).await;
        wait_event(&serving, "tenant_run_failed", 1).await;
        let run = runs(&world, broken).await.remove(0);
        assert_eq!(run.failure_class.as_deref(), Some("time_zone"));
        assert_eq!((run.purged, run.anonymized), (0, 0));
        assert!(serving.log().contains("it is cut off"), "{}", serving.log());
        assert!(serving.is_ready(), "one tenant is no reason not to be ready");
        assert!(build_info(&serving).contains("tzdata=\"2025b\",tzdata_source=\"system\""));
        let started = serving.log();
        let started = started.lines().find(|line| line.contains("service_started")).expect("a start");
        assert!(started.contains("\"tzdata_release\":\"2025b\""), "{started}");
        assert_eq!(serving.events("tzdata_outdated"), 1, "older than the copy in the program");

        // The package manager has been there. The pause of the failed run is cut short; in this process
        // the tenant is left alone for half a minute, and then it is done.
        files.zone("Europe/Brussels", "Europe/Brussels");
        files.set_release("2098a");
        wait_event(&serving, "tzdata_changed", 1).await;
        world.sql("UPDATE tenant_run SET retry_at = NULL WHERE state = 'failed'").await;
        wait_completed(&world, broken, &serving).await;
        assert!(build_info(&serving).contains("tzdata=\"2098a\""));
        assert_eq!(serving.events("tzdata_changed"), 1, "once");
        assert_eq!(serving.events("tzdata_outdated"), 1, "newer than the copy in the program");
        let run = runs(&world, broken).await.remove(0);
        assert_eq!(run.tzdata_release.as_deref(), Some("2098a"));
        let run = runs(&world, well).await.remove(0);
        assert_eq!(run.tzdata_release.as_deref(), Some("2025b"));
    }
}

#[tokio::test]
async fn d12_while_nobody_knows_whether_the_window_is_open_nothing_is_begun() {
    let files = ZoneFiles::of_release("2025b");
    let world = world(scratch(Backend::Sqlite).await).await;
    let serving = world
        .binary()
        .env("TZDIR", files.path_text())
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .env("RETENTIOND__ENGINE__WINDOW", "00:00-23:59")
        .env("RETENTIOND__ENGINE__WINDOW_TIME_ZONE", "Asia/Tokyo")
        .serve();
    let log = serving.log();
    assert!(
        log.contains("window_time_zone"),
        "refused at the start: {log}"
    );
    drop(serving);

    files.zone("Asia/Tokyo", "Asia/Tokyo");
    let serving = world
        .binary()
        .env("TZDIR", files.path_text())
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .env("RETENTIOND__ENGINE__WINDOW", "00:00-23:59")
        .env("RETENTIOND__ENGINE__WINDOW_TIME_ZONE", "Asia/Tokyo")
        .serve();
    serving.wait_ready(LONG).await;
    files.half_a_zone("Asia/Tokyo");
    let unready = holds_within(LONG, async || !serving.is_ready());
    assert!(unready.await, "{}", serving.log());
    let acme = tenant(&world, "acme", 1, 1, 1).await;
    let sweeps = || serving.metric("retention_scheduler_wakeups_total{source=\"sweep\"}");
    let since = sweeps().expect("a series");
    let swept = holds_within(LONG, async || sweeps() >= Some(since + 2.0));
    assert!(swept.await, "{}", serving.log());
    assert!(!is_completed(&world, acme).await, "{}", serving.log());
    let problem = "the zone of [engine] window_time_zone cannot be used";
    assert!(serving.log().contains(problem), "{}", serving.log());
    let (_, checks) = serving.get("/readyz").expect("an answer");
    assert!(checks.contains(problem), "{checks}");

    files.zone("Asia/Tokyo", "Asia/Tokyo");
    wait_completed(&world, acme, &serving).await;
    serving.wait_ready(LONG).await;
}
