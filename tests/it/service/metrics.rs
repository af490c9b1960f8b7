//! `/metrics` and its page in `docs/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::{Backend, scratch};

use super::{LONG, tenant, wait_completed, world};

/// Names of series with the names of their labels, `le` of histograms left out.
type Series = BTreeMap<String, BTreeSet<String>>;

fn scraped(body: &str) -> Series {
    let mut found = Series::new();
    for line in body
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let labels = found
            .entry(histogram.unwrap_or(name).to_owned())
            .or_default();
        if let Some(inside) = rest
            .strip_prefix('{')
            .and_then(|rest| rest.split('}').next())
        {
            labels.extend(
                inside
                    .split(',')
                    .filter_map(|label| label.split('=').next())
                    .filter(|label| *label != "le")
                    .map(str::to_owned),
            );
        }
    }
    found
}

fn documented() -> Series {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = std::fs::read_to_string(page).expect("the page");
    page.lines()
        .filter_map(|line| line.strip_prefix("| `retention_"))
        .map(|line| {
            let series = format!("retention_{}", line.split('`').next().expect("a name"));
            let (name, labels) = series.split_once('{').unwrap_or((&series, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
            (name.to_owned(), labels.collect())
        })
        .collect()
}

#[tokio::test]
async fn every_series_is_there_from_the_first_scrape_and_on_its_page() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let serving = world.binary().serve();
    let (status, body) = serving.get("/metrics").expect("an answer");
    assert_eq!(status, 200);
    let mut found = scraped(&body);
    assert!(
        found
            .keys()
            .any(|name| name == "process_resident_memory_bytes"),
        "{body}"
    );
    found.retain(|name, _| !name.starts_with("process_"));
    assert_eq!(found, documented());
    for name in found.keys() {
        assert!(
            body.contains(&format!("# HELP {name} ")),
            "{name} says what it is"
        );
        assert!(
            body.contains(&format!("# TYPE {name} ")),
            "{name} says of which type it is"
        );
    }

    // And nothing comes up later, not even by work: a series that appears is a gap before.
    let series = |body: &str| body.lines().filter(|line| !line.starts_with('#')).count();
    let acme = tenant(&world, "acme", 3, 3, 3).await;
    serving.signal("HUP");
    wait_completed(&world, acme, &serving).await;
    let (_, later) = serving.get("/metrics").expect("an answer");
    assert_eq!(series(&body), series(&later), "{body}\n{later}");
    assert_eq!(
        serving.metric("retention_participants_purged_total"),
        Some(3.0)
    );
    assert_eq!(
        serving.metric("retention_participants_anonymized_total"),
        Some(3.0)
    );
    assert_eq!(
        serving.metric("retention_rows_purged_total{table=\"answer\"}"),
        Some(6.0)
    );
    assert!(!later.contains("acme"), "no tenant in a label");
}

#[tokio::test]
async fn a_restart_shows_the_same_timestamps() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 1, 1, 1).await;
    let timestamps = [
        "retention_run_due_timestamp_seconds",
        "retention_run_last_success_timestamp_seconds",
        "retention_run_last_completion_timestamp_seconds",
    ];
    let mut seen: Vec<Vec<Option<f64>>> = Vec::new();
    for _ in 0..2 {
        let serving = world.binary().serve();
        wait_completed(&world, acme, &serving).await;
        let shown = crate::support::holds_within(LONG, async || {
            serving.metric("retention_tenant_runs{state=\"completed\"}") == Some(1.0)
        });
        assert!(shown.await, "{}", serving.log());
        seen.push(timestamps.iter().map(|name| serving.metric(name)).collect());
        serving.terminate(LONG).await;
    }
    assert_eq!(seen[0], seen[1]);
    assert!(
        seen[0]
            .iter()
            .all(|value| value.is_some_and(|value| value > 1.5e9)),
        "{seen:?}"
    );
}
