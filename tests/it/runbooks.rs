//! What the pages tell people to type and to look at, held to the real thing: somebody reads them at
//! night, and a command that is refused or a series that is none costs the time that is short then.
//!
//! Each `retentiond` command line is given to the real binary with `--help` behind it, which reads all
//! that stands before. Each line with `jq` runs in a shell, on a log that the binary wrote. Names of
//! alerts, series and events are looked up where they come from.

mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement};

use crate::support::{Backend, Binary, Person, Scratch, World, holds_within, scratch};
use pages::{lines_of_shell, page, pages, retentiond_commands, words_like};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

/// A run or a participant in the pages.
const ID: &str = "018df3a0-5b1c-7d52-9a53-0f6f3f1c2b11";

#[test]
fn every_command_of_the_pages_is_one() {
    let binary = Binary::new();
    let mut seen = BTreeSet::new();
    for (name, text) in pages() {
        for command in retentiond_commands(&text) {
            if !seen.insert(command.clone()) {
                continue;
            }
            let mut arguments: Vec<&str> = command
                .iter()
                .map(|word| match word.as_str() {
                    "RUN" | "ID" => ID,
                    // `retentiond COMMAND --help`
                    "COMMAND" => "run",
                    other => other,
                })
                .collect();
            arguments.push("--help");
            let help = binary.run(&arguments);
            assert_eq!(
                help.code, 0,
                "{name}: retentiond {command:?}: {}",
                help.stderr
            );
        }
    }
    assert!(seen.len() >= 35, "the pages hold more commands: {seen:?}");
}

/// A log in which much has happened: a completed and a failed tenant-run, a daemon that came, worked,
/// was reloaded and went, and a configuration that it refused.
async fn lived_through(world: &World) -> (Binary, String) {
    let acme = world.tenant("acme", "Europe/Brussels").await;
    for added_at in ["2020-03-01T12:00:00Z", "2021-03-01T12:00:00Z"] {
        let person = Person {
            added_at,
            email: Some("ann@example.org"),
            unsubscribed_at: Some("2021-01-01T00:00:00Z"),
        };
        world.person(acme, person).await;
    }
    let bad = world.tenant("bad", "Nowhere/At_All").await;
    for tenant in [acme, bad] {
        world
            .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
            .await;
    }
    let binary = world
        .binary()
        .env("RETENTIOND__LOG__LEVEL", "debug")
        .env("PATH", &std::env::var("PATH").expect("a search path"));
    let serving = binary.serve();
    for event in ["tenant_run_completed", "tenant_run_failed", "service_ready"] {
        let in_time = holds_within(LONG, async || serving.events(event) > 0).await;
        assert!(in_time, "no {event}: {}", serving.log());
    }
    let (_, mut log) = serving.terminate(LONG).await;
    let refused = world
        .binary()
        .env("RETENTIOND__SCHEDULE__HOUR", "24")
        .run(&["serve"])
        .expect_code(2);
    log.push_str(&refused.stderr);
    log.push_str(&binary.run(&["run"]).expect_code(3).stderr);
    (binary, log)
}

#[tokio::test]
async fn every_jq_of_the_pages_runs_on_a_real_log() {
    let world = World::new(scratch(Backend::Sqlite).await, "2020-01-01T00:00:00Z").await;
    let (binary, log) = lived_through(&world).await;
    fs::write(binary.directory().join("retentiond.log"), log).expect("a log");
    let program = env!("CARGO_BIN_EXE_retentiond");
    let (mut total, mut telling) = (0, 0);
    for (name, text) in pages() {
        for line in lines_of_shell(&text) {
            if !line.contains("jq ") {
                continue;
            }
            // The name of the binary in the pages, and the id that a reader sets.
            let script = format!("retentiond() {{ {program} \"$@\"; }}; RUN={ID}\n{line}\n");
            let ended = binary
                .command_of(Path::new("/bin/bash"), &["-euo", "pipefail", "-c", &script])
                .output()
                .expect("a shell");
            assert!(
                ended.status.success() && ended.stderr.is_empty(),
                "{name}: {line}\n{}",
                String::from_utf8_lossy(&ended.stderr)
            );
            total += 1;
            telling += usize::from(!ended.stdout.is_empty());
        }
    }
    // Many ask for what did not happen here. If hardly any found something, they ask for the wrong thing.
    assert!(total >= 25 && telling >= 12, "{telling} of {total}");
}

#[test]
fn the_jq_programs_ask_for_events_and_fields_that_exist() {
    let reference = page("docs/log.md");
    let events: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let fields: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .chain(["event", "message"])
        .collect();
    let mut asked = 0;
    for (name, text) in pages() {
        for line in lines_of_shell(&text) {
            for part in line.split("select(").skip(1) {
                let Some(condition) = part.split(".fields.event").nth(1) else {
                    continue;
                };
                // Up to what follows the names: the parenthesis of select or of IN.
                let condition = condition.split([')', '|']).find(|part| part.contains('"'));
                let names = condition.unwrap_or_default().split(" and ").next();
                for event in names.unwrap_or_default().split('"').skip(1).step_by(2) {
                    assert!(events.contains(event), "{name}: no event {event}: {line}");
                    asked += 1;
                }
            }
            for part in line.split(".fields.").skip(1) {
                let field: String = part
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect();
                assert!(
                    fields.contains(field.as_str()),
                    "{name}: no field {field}: {line}"
                );
            }
        }
    }
    assert!(asked >= 50, "{asked} events are asked for");
}

#[test]
fn every_alert_has_its_page_and_every_page_its_alert() {
    let rules = page("deploy/prometheus/retentiond.rules.yml");
    let index = page("docs/runbooks/README.md");
    let mut expected = BTreeSet::from(["README.md".to_owned()]);
    for rule in rules.split("- alert: ").skip(1) {
        let alert = rule.lines().next().expect("a name");
        let file = file_of(alert);
        let severity = rule
            .split("severity: ")
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .expect("a severity");
        assert!(
            rule.contains(&format!("/docs/runbooks/{file}\n")),
            "{alert}: its runbook_url"
        );
        assert!(
            index.contains(&format!("| [{alert}]({file}) | {severity} |")),
            "{alert}: its line in the list"
        );
        let text = page(&format!("docs/runbooks/{file}"));
        assert!(
            text.starts_with(&format!("# {alert}\n\n`{severity}` ·")),
            "{alert}: the head of its page"
        );
        expected.insert(file);
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let found: BTreeSet<String> = fs::read_dir(directory)
        .expect("the pages")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a name in ASCII")
        })
        .collect();
    assert_eq!(found, expected);
}

/// `RetentiondRunStuck` → `retentiond-run-stuck.md`.
fn file_of(alert: &str) -> String {
    let mut file = String::new();
    for character in alert.chars() {
        if character.is_ascii_uppercase() && !file.is_empty() {
            file.push('-');
        }
        file.push(character.to_ascii_lowercase());
    }
    file + ".md"
}

#[tokio::test]
async fn every_series_of_the_pages_rules_and_dashboard_is_scraped() {
    let world = World::new(scratch(Backend::Sqlite).await, "2020-01-01T00:00:00Z").await;
    let serving = world.binary().serve();
    let (_, body) = serving.get("/metrics").expect("an answer");
    let mut scraped = BTreeSet::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        scraped.insert(name.to_owned());
        // A page may speak of a histogram as a whole.
        for part in ["_bucket", "_sum", "_count"] {
            scraped.extend(name.strip_suffix(part).map(str::to_owned));
        }
    }
    let mut named = 0;
    let mut look = |name: &str, text: &str, prefix: &str| {
        for word in words_like(text, prefix) {
            let is_there = if word.ends_with('_') {
                // `retention_participants_…_total`: the beginning of several.
                scraped.iter().any(|series| series.starts_with(&word))
            } else {
                scraped.contains(&word)
            };
            assert!(is_there, "{name}: nobody scrapes {word}");
            named += 1;
        }
    };
    for (name, text) in pages() {
        look(&name, &text, "retention_");
    }
    for name in [
        "deploy/prometheus/retentiond.rules.yml",
        "deploy/prometheus/retentiond.rules.test.yml",
        "deploy/prometheus/retentiond.rules.months.test.yml",
        "deploy/grafana/retentiond.json",
    ] {
        let text = page(name);
        look(name, &text, "retention_");
        look(name, &text, "process_");
    }
    assert!(named > 100, "{named} names of series were found");
    // And the other way round: none goes without a place where somebody sees it.
    let dashboard = page("deploy/grafana/retentiond.json");
    // For whoever asks by hand; the dashboard shows the last success instead.
    let by_hand = [
        "retention_build_info",
        "retention_run_last_completion_timestamp_seconds",
    ];
    for series in documented() {
        assert!(
            dashboard.contains(&series) || by_hand.contains(&series.as_str()),
            "{series} is not on the dashboard"
        );
    }
}

fn documented() -> Vec<String> {
    page("docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `retention_"))
        .map(|line| {
            let name = line.split(['`', '{']).next().expect("a name");
            format!("retention_{name}")
        })
        .collect()
}

on_every_database! {
    async fn the_page_about_overdue_people_finds_them(scratch: Scratch) {
        let backend = scratch.backend();
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("SLUG", "Europe/Brussels").await;
        world.policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z").await;
        world.run().await;
        let run = world.run_record(tenant, "2024-04").await.expect("a run");
        // Stored in 2020, unless restamped: before the run began.
        let person = |added_at| Person { added_at, email: Some("ann@example.org"), unsubscribed_at: None };
        world.person(tenant, person("2024-02-15T12:00:00Z")).await;
        world.person(tenant, person("2022-10-15T12:00:00Z")).await;
        world.person(tenant, person("2024-03-15T12:00:00Z")).await;
        let late = world.person(tenant, person("2022-11-15T12:00:00Z")).await;
        world.restamp(tenant, late, "2090-01-01 00:00:00").await;
        let time = |instant: Option<DateTime<Utc>>| {
            let instant = instant.expect("a time of the run");
            match backend {
                Backend::MariaDb => instant.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
                Backend::Postgres | Backend::Sqlite => instant.to_rfc3339(),
            }
        };
        let page = page("docs/runbooks/retentiond-overdue.md");
        let block = page.split("```sql").nth(1).and_then(|rest| rest.split("```").next());
        let filled = block
            .expect("a block of SQL")
            .replace("ANONYMIZE_CUTOFF", &time(run.anonymize_cutoff))
            .replace("PURGE_CUTOFF", &time(run.purge_cutoff))
            .replace("STARTED_AT", &time(run.started_at));
        let mut found = Vec::new();
        for statement in filled.split(';').filter(|part| !part.trim().is_empty()) {
            let rows = world
                .db
                .query_all_raw(Statement::from_string(world.db.get_database_backend(), statement))
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
            found.push(rows.len());
        }
        // Past the anonymization cutoff: two. Of those past the purge cutoff: one.
        assert_eq!(found, [2, 1], "{filled}");
    }
}

#[test]
fn jq_is_here() {
    let version = Command::new("jq").arg("--version").output();
    assert!(
        version.is_ok_and(|version| version.status.success()),
        "tests/run installs it"
    );
}
