//! `run`, `plan`, `verify` and `runs` from outside: exit codes, and what programs read.

use chrono::TimeDelta;
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::Value;

use crate::support::{Backend, Person, Scratch, World, scratch};

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: Some("2024-01-01T00:00:00Z"),
    }
}

async fn example(scratch: Scratch) -> (World, retentiond::ids::TenantId) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    world.person(tenant, person("2023-10-15T12:00:00Z")).await;
    world.person(tenant, person("2022-10-15T12:00:00Z")).await;
    (world, tenant)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}

/// The keys that plan, run and `runs show` share.
const SHARED: [&str; 13] = [
    "tenant",
    "period",
    "state",
    "policy_version",
    "anonymize_cutoff",
    "purge_cutoff",
    "anonymized",
    "purged",
    "suppressions",
    "unhashable",
    "invitations_expired",
    "uploads_removed",
    "rows_purged",
];

on_every_database! {
    async fn plan_run_and_runs_show_agree_key_by_key(scratch: Scratch) {
        let (world, _) = example(scratch).await;
        let binary = world.binary();
        let call = |arguments: &[&str]| json(&binary.run(arguments).expect_code(0).stdout);
        let planned = call(&["plan", "--period", "2024-04", "--output", "json"]);
        let done = call(&["--output", "json", "run", "--period", "2024-04"]);
        let run_id = done["tenants"][0]["run_id"].as_str().expect("an id").to_owned();
        let shown = call(&["runs", "show", &run_id, "--output", "json"]);
        for key in SHARED {
            if key != "state" {
                assert_eq!(planned["tenants"][0][key], done["tenants"][0][key], "{key}");
            }
            assert_eq!(shown[key], done["tenants"][0][key], "{key}");
            assert!(!shown[key].is_null(), "{key}");
        }
        assert_eq!(planned["tenants"][0]["state"], "pending");
        assert_eq!(shown["state"], "completed");
        assert_eq!(shown["anonymize_cutoff"], "2024-02-29T23:00:00Z");
        assert_eq!(shown["rows_purged"]["participant"], 1);
        assert_eq!(shown["stages"].as_array().expect("stages").len(), 3);
        let verified = call(&["verify", "--period", "2024-04", "--output", "json"]);
        assert_eq!(verified["ok"], true);
        let listed = call(&["runs", "list", "--tenant", "example", "--output", "json"]);
        assert_eq!(listed["runs"][0]["run_id"], *run_id);
        let table = binary.run(&["runs", "show", &run_id]).expect_code(0).stdout;
        assert!(table.contains("completed") && table.contains("2024-02-29T23:00:00Z"), "{table}");
        let again = call(&["run", "--period", "2024-04", "--output", "json"]);
        assert_eq!(again["tenants"][0]["outcome"], "already_completed");
        assert_eq!(again["tenants"][0]["anonymized"], 0);
    }

    async fn s09_an_hour_that_is_none_is_a_configuration_error(scratch: Scratch) {
        let (world, _) = example(scratch).await;
        let before = world.fingerprint().await;
        for hour in ["24", "-1", "noon"] {
            let binary = world.binary().env("RETENTIOND__SCHEDULE__HOUR", hour);
            let refused = binary.run(&["run", "--period", "2024-04"]).expect_code(2);
            let event = json(&refused.stderr);
            assert_eq!(event["fields"]["event"], "run_refused", "{event}");
            assert_eq!(event["fields"]["exit_code"], 2, "{event}");
            assert!(
                refused.stderr.contains("RETENTIOND__SCHEDULE__HOUR"),
                "{}",
                refused.stderr
            );
            assert_eq!(refused.stderr.lines().count(), 1);
        }
        assert_eq!(before, world.fingerprint().await);
    }

    /// What nobody can confirm is not counted either: the month has not come, or a newer one covers it.
    async fn a_plan_of_a_month_that_a_run_would_refuse_counts_nothing_and_says_why(scratch: Scratch) {
        let (world, _) = example(scratch).await;
        let binary = world.binary();
        let planned = |period: &str, code: i32| {
            let plan = ["plan", "--period", period, "--output", "json"];
            let planned = binary.run(&plan).expect_code(code);
            (json(&planned.stdout)["tenants"][0].clone(), planned.said())
        };
        let (open, said) = planned("2024-04", 0);
        assert_eq!((&open["anonymized"], &open["purged"], said.as_str()), (&1.into(), &1.into(), ""));
        let (early, said) = planned("2090-01", 4);
        assert_eq!((&early["blocked_by"], &early["state"]), (&"not_due".into(), &"pending".into()));
        assert!(said.contains("is not due before"), "{said}");
        binary.run(&["run", "--period", "2024-04"]).expect_code(0);
        // Somebody was uploaded since whom an older month would have taken, too.
        let tenant = retentiond::ids::TenantId(1);
        world.person(tenant, person("2022-10-15T12:00:00Z")).await;
        let (covered, said) = planned("2024-03", 4);
        assert_eq!(covered["blocked_by"], "superseded");
        assert!(said.contains("2024-04") && said.contains("covers it"), "{said}");
        for refused in [early, covered] {
            for key in ["anonymized", "purged", "suppressions", "unhashable", "invitations_expired", "uploads_removed"] {
                assert_eq!(refused[key], 0, "{key}: {refused}");
            }
            assert!(refused["rows_purged"].as_object().expect("tables").values().all(|rows| *rows == 0));
        }
        let table = binary.run(&["plan", "--period", "2024-03"]).expect_code(4);
        assert!(table.stdout.contains("(blocked: superseded)"), "{}", table.stdout);
        // A month that is done has nothing to count and is no error.
        let (done, said) = planned("2024-04", 0);
        assert_eq!((&done["state"], said.as_str()), (&"completed".into(), ""));
    }

    async fn more_workers_than_connections_are_a_configuration_error(scratch: Scratch) {
        let (world, _) = example(scratch).await;
        let before = world.fingerprint().await;
        for command in [&["run", "--period", "2024-04"][..], &["serve"]] {
            let binary = world
                .binary()
                .env("RETENTIOND__ENGINE__WORKERS", "4")
                .env("RETENTIOND__DATABASE__MAX_CONNECTIONS", "3");
            let refused = binary.run(command).expect_code(2);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            for part in ["engine.workers is 4", "database.max_connections is 3"] {
                assert!(refused.stderr.contains(part), "{}", refused.stderr);
            }
        }
        assert_eq!(before, world.fingerprint().await);
        let enough = world
            .binary()
            .env("RETENTIOND__ENGINE__WORKERS", "3")
            .env("RETENTIOND__DATABASE__MAX_CONNECTIONS", "3");
        enough.run(&["run", "--period", "2024-04"]).expect_code(0);
    }

    async fn s04_s08_exit_codes_of_run(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let binary = world.binary();
        // S8: far in the future.
        let refused = binary.run(&["run", "--period", "2090-01"]).expect_code(4);
        assert!(refused.stderr.contains("is not due before"), "{}", refused.stderr);
        // Not completed yet.
        binary.run(&["verify", "--period", "2024-04"]).expect_code(1);
        // A tenant or a month that is none.
        binary.run(&["run", "--tenant", "nobody"]).expect_code(2);
        binary.run(&["run", "--period", "2024-13"]).expect_code(2);
        // One tenant fails: 3. All fail: 1.
        let bad = world.tenant("bad", "Nowhere").await;
        world.policy(bad, Some(1), None, "2023-01-01T00:00:00Z").await;
        binary.run(&["run", "--period", "2024-04"]).expect_code(3);
        binary.run(&["run", "--period", "2024-04", "--tenant", "bad"]).expect_code(1);
        // S6: a finished period, and one that a newer run covers.
        binary.run(&["run", "--period", "2024-04", "--tenant", "example"]).expect_code(0);
        binary.run(&["run", "--period", "2024-03", "--tenant", "example"]).expect_code(4);
        // Support finds the failed ones without reading all.
        let listed = |arguments: &[&str]| {
            let all = ["runs", "list", "--output", "json"];
            json(&binary.run(&[all.as_slice(), arguments].concat()).expect_code(0).stdout)
        };
        let failed = listed(&["--state", "failed"]);
        assert_eq!(failed["runs"].as_array().expect("runs").len(), 1, "{failed}");
        assert_eq!(failed["runs"][0]["tenant"], "bad");
        assert_eq!(failed["cut"], false);
        let both = listed(&["--state", "failed", "--state", "completed"]);
        assert_eq!(both["runs"].as_array().expect("runs").len(), 2, "{both}");
        let cut = binary.run(&["runs", "list", "--limit", "1"]).expect_code(0);
        assert!(cut.stderr.contains("there are more"), "{}", cut.stderr);
        assert_eq!(listed(&["--limit", "1"])["cut"], true);
        let none = binary.run(&["runs", "list", "--state", "dead"]).expect_code(2);
        assert!(none.stderr.contains("superseded"), "{}", none.stderr);
        // Somebody else holds the lease.
        world.rewrite(&format!("UPDATE tenant_run SET state = 'running' WHERE tenant_id = {}", tenant.0)).await;
        let expiry = (SystemClock.now() + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%S");
        world.sql(&format!("UPDATE run_lease SET token = (SELECT id FROM tenant_run WHERE tenant_run.id = run_lease.run_id), expires_at = '{expiry}'")).await;
        binary.run(&["run", "--period", "2024-04", "--tenant", "example"]).expect_code(5);
    }
}

#[tokio::test]
async fn a_write_ahead_log_that_was_in_use_is_emptied_by_the_next_run() {
    let (world, _) = example(scratch(Backend::Sqlite).await).await;
    let binary = world
        .binary()
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "10ms")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "0");
    let url = world.scratch.url();
    let file = url
        .trim_start_matches("sqlite://")
        .trim_end_matches("?mode=rwc");
    let log_bytes = || {
        let log = std::fs::metadata(format!("{file}-wal"));
        log.expect("the log, as long as we are connected").len()
    };
    // A reader, a backup say, that is still looking at the state before the run.
    let reader = world.db.begin().await.expect("begin");
    reader
        .query_all_raw(Statement::from_string(
            DbBackend::Sqlite,
            "SELECT email FROM participant",
        ))
        .await
        .expect("a snapshot");
    let done = binary.run(&["run", "--period", "2024-04"]).expect_code(3);
    assert!(
        done.stderr.contains("write_ahead_log_in_use"),
        "{}",
        done.stderr
    );
    reader.rollback().await.expect("rollback");
    assert!(log_bytes() > 0);
    // Nothing is left to erase but what the log holds.
    binary.run(&["run", "--period", "2024-04"]).expect_code(0);
    assert_eq!(log_bytes(), 0);
}
