//! S12 and S13: clocks that agree and are wrong, and what they leave behind.

use std::time::Duration;

use retentiond::engine::report::Outcome;
use retentiond::engine::survey::survey;
use retentiond::engine::{EngineError, pass, plan};
use retentiond::ids::TenantId;
use sea_orm::ConnectionTrait;

use crate::support::database::scratch_on;
use crate::support::faked_time::FakedMachines;
use crate::support::{Backend, Person, Scratch, World, at, holds_within, scratch};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

async fn example(scratch: Scratch, now: &str) -> (World, TenantId) {
    let world = World::new(scratch, now).await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

/// Says when the runs of a period are due, in the dialect's form.
async fn due(world: &World, period: &str, due_at: &str) {
    let due_at = match world.scratch.backend() {
        Backend::Sqlite => format!("{}+00:00", due_at.replace(' ', "T")),
        Backend::Postgres => format!("{due_at}+00"),
        Backend::MariaDb => due_at.to_owned(),
    };
    world
        .rewrite(&format!(
            "UPDATE tenant_run SET due_at = '{due_at}' WHERE period = '{period}'"
        ))
        .await;
}

/// Runs the current month, and leaves the record as one of a month far ahead, as a run by two clocks in
/// 2038 does: the months between superseded, and that one completed.
async fn run_of_2038(world: &World, tenant: TenantId, newest: &str) {
    world.run().await;
    world
        .rewrite(&format!(
            "UPDATE tenant_run SET period = '2038-02' WHERE period = '{newest}'"
        ))
        .await;
    due(world, "2038-02", "2038-01-31 23:00:00").await;
    let run = world.run_record(tenant, "2038-02").await.expect("a record");
    assert_eq!(run.state, "completed");
}

on_every_database! {
    async fn s12_a_record_of_the_future_forbids_nothing_and_is_set_aside(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-03-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        // A clock of the future: April superseded as a gap, February 2038 completed.
        world.set_clock("2024-05-15T00:00:00Z");
        run_of_2038(&world, tenant, "2024-05").await;
        let gap = world.run_record(tenant, "2024-04").await.expect("a gap");
        assert_eq!(gap.state, "superseded");
        // Back in April. Both clocks are before 2038.
        world.set_clock("2024-04-15T00:00:00Z");
        let victim = world.person(tenant, person("2024-02-10T12:00:00Z")).await;
        let younger = world.person(tenant, person("2024-03-10T12:00:00Z")).await;
        let found = world.verify(None).await.remove(0);
        assert!(!found.ok && found.future_records == 1, "{found:?}");
        assert!(found.findings.iter().any(|finding| finding.contains("2038-02")), "{found:?}");
        let survey = survey(&world.engine).await.expect("a survey");
        assert_eq!(survey.findings.owed.len(), 1, "what 2038 superseded is owed");
        world.run_and_prove().await;
        assert!(world.find(tenant, victim).await.expect("kept").email.is_none());
        assert!(world.find(tenant, younger).await.expect("kept").email.is_some());
        assert_eq!(world.run_record(tenant, "2024-04").await.expect("a record").state, "completed");
        // It is set aside, with what it did on record, and says so.
        let future = world.run_record(tenant, "2038-02").await.expect("a record");
        assert_eq!((future.state.as_str(), future.policy_version), ("pending", None));
        assert_eq!((future.anonymize_cutoff, future.started_at), (None, None));
        let found = world.verify(None).await.remove(0);
        assert!(found.ok && found.future_records == 1, "{found:?}");
        assert!(found.notes.iter().any(|note| note.contains("2038-02")), "{found:?}");
        let binary = world.binary();
        let listed = binary.run(&["runs", "list"]).expect_code(0).stdout;
        assert!(listed.contains("due in the future"), "{listed}");
        let shown = binary
            .run(&["runs", "show", &future.id.to_string(), "--output", "json"])
            .expect_code(0)
            .stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["due_in_future"], true);
        assert!(shown["next"].as_str().expect("text").contains("a clock was wrong"), "{shown}");
        // The next month is done as if nothing had been.
        world.set_clock("2024-05-15T00:00:00Z");
        world.run_and_prove().await;
        assert!(world.find(tenant, younger).await.expect("kept").email.is_none());
    }

    async fn s12_a_month_that_was_done_too_early_is_done_again_in_its_time(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-03-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        world.set_clock("2024-05-15T00:00:00Z");
        run_of_2038(&world, tenant, "2024-05").await;
        world.set_clock("2024-04-15T00:00:00Z");
        world.run_and_prove().await;
        // Its month has come: as February 2038 would, if somebody waited for it.
        world.rewrite("UPDATE tenant_run SET period = '2024-05' WHERE period = '2038-02'").await;
        due(&world, "2024-05", "2024-04-30 22:00:00").await;
        world.set_clock("2024-05-15T00:00:00Z");
        let victim = world.person(tenant, person("2024-03-20T12:00:00Z")).await;
        let kept = world.person(tenant, person("2024-04-20T12:00:00Z")).await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert!(world.find(tenant, victim).await.expect("kept").email.is_none());
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        let found = world.verify(None).await.remove(0);
        assert!(found.ok && found.future_records == 0, "{found:?}");
    }

    async fn s12_a_lease_and_a_retry_of_a_wrong_clock_hold_nobody_up(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        let victim = world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.engine.stop.cancel();
        world.run().await;
        let world = World { engine: retentiond::engine::Engine { stop: Default::default(), ..world.engine.clone() }, ..world };
        world.sql("UPDATE tenant SET time_zone = 'Nowhere'").await;
        world.run().await;
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels'").await;
        let far = match world.scratch.backend() {
            Backend::Sqlite => "2038-02-01T00:01:00+00:00",
            Backend::Postgres => "2038-02-01 00:01:00+00",
            Backend::MariaDb => "2038-02-01 00:01:00",
        };
        world.rewrite(&format!("UPDATE tenant_run SET retry_at = '{far}'")).await;
        let owed = survey(&world.engine).await.expect("a survey").findings.owed.len();
        assert_eq!(owed, 1, "the retry of a failed run");
        // As a process that died in 2038 leaves its run.
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        let id = match world.scratch.backend() {
            Backend::Postgres => format!("'{}'", run.id),
            _ => format!("X'{}'", run.id.simple()),
        };
        let token = match world.scratch.backend() {
            Backend::Postgres => format!("'{}'", uuid::Uuid::from_u128(7)),
            _ => format!("X'{}'", uuid::Uuid::from_u128(7).simple()),
        };
        world
            .sql(&format!(
                "INSERT INTO run_lease (tenant_id, run_id, slice, holder, token, expires_at) VALUES \
                 ({}, {id}, 0, 'gone:1', {token}, '{far}')",
                tenant.0
            ))
            .await;
        world.rewrite("UPDATE tenant_run SET state = 'running', retry_at = NULL").await;
        let owed = survey(&world.engine).await.expect("a survey").findings.owed.len();
        assert_eq!(owed, 1, "the run of a holder that died");
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert!(world.find(tenant, victim).await.expect("kept").email.is_none());
    }

    async fn s12_a_clock_of_another_age_erases_nothing(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        let kept = world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let before = world.fingerprint().await;
        for wrong in ["1970-01-01T00:00:00Z", "2019-12-31T23:59:59Z", "2100-01-01T00:00:00Z"] {
            world.set_clock(wrong);
            let error = pass::run(&world.engine, &Default::default()).await.expect_err(wrong);
            assert!(matches!(error, EngineError::ClockOutOfRange(_)), "{error}");
            let error = plan::plan(&world.engine, &Default::default()).await.expect_err(wrong);
            assert_eq!(error.class(), "clock");
            assert!(survey(&world.engine).await.is_err());
        }
        assert_eq!(before, world.fingerprint().await);
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        assert!(world.run_record(tenant, "2024-04").await.is_none());
    }

    async fn s12_a_run_ends_when_the_clock_that_made_it_due_is_set_right(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        let kept = world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let mut claimed = crate::schedule::claim(&mut world).await;
        world.set_clock("2024-03-20T00:00:00Z");
        claimed.engine = world.engine.clone();
        let driven = retentiond::engine::conductor::drive(&claimed).await;
        let (counts, error) = (driven.counts, driven.error);
        assert!(matches!(error, Some(EngineError::ClockWentBack { .. })), "{error:?}");
        assert_eq!(counts, Some(Default::default()));
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        assert!(world.engine.stop.is_cancelled(), "a clock is everybody's");
        world.engine.stop = Default::default();
        world.set_clock("2024-04-03T00:00:00Z");
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert!(world.find(tenant, kept).await.expect("kept").email.is_none());
    }

    async fn s13_more_than_three_months_after_the_last_run_somebody_must_confirm(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-01-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        // Four months.
        world.set_clock("2024-05-15T00:00:00Z");
        let kept = world.person(tenant, person("2024-02-10T12:00:00Z")).await;
        let added_since = world.tenant("added-since", "UTC").await;
        world.policy(added_since, Some(1), None, "2023-01-01T00:00:00Z").await;
        let theirs = world.person(added_since, person("2024-02-10T12:00:00Z")).await;
        let before = world.fingerprint().await;
        let entries = world.run().await;
        for entry in &entries {
            let Outcome::Refused { message } = &entry.outcome else { panic!("{entry:?}") };
            assert!(message.contains("--after-gap") && message.contains("2024-01"), "{message}");
            assert_eq!(entry.report.blocked_by, Some("gap"));
        }
        assert_eq!((before, entries.len()), (world.fingerprint().await, 2));
        for id in [tenant, added_since] {
            assert!(world.run_record(id, "2024-05").await.is_none(), "nothing is recorded");
        }
        let planned = plan::plan(&world.engine, &Default::default()).await.expect("a plan").expect("tenants");
        for entry in planned {
            let report = entry.report.expect("a report");
            assert_eq!((report.blocked_by, report.anonymized), (Some("gap"), 1));
        }
        let findings = survey(&world.engine).await.expect("a survey").findings;
        assert_eq!((findings.owed.len(), findings.blocked_by_gap.len()), (0, 2));
        let found = world.verify(None).await.remove(0);
        assert!(found.findings[0].contains("gap_max"), "{found:?}");
        // An older month that somebody names is none of that.
        let entries = world.run_period("2024-02").await;
        assert!(entries.iter().any(|entry| matches!(entry.outcome, Outcome::Done)), "{entries:?}");
        // Confirmed, everything goes on.
        world.engine.is_gap_confirmed = true;
        let entries = world.run().await;
        assert!(entries.iter().all(|entry| matches!(entry.outcome, Outcome::Done)), "{entries:?}");
        assert!(world.find(tenant, kept).await.expect("kept").email.is_none());
        assert!(world.find(added_since, theirs).await.expect("kept").email.is_none());
        // Three months are no gap.
        world.engine.is_gap_confirmed = false;
        world.set_clock("2024-08-15T00:00:00Z");
        let entries = world.run_and_prove().await;
        assert!(entries.iter().all(|entry| matches!(entry.outcome, Outcome::Done)), "{entries:?}");
    }

    async fn s13_a_new_tenant_and_one_without_a_policy_come_after_no_gap(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-01-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let unruled = world.tenant("unruled", "UTC").await;
        let left = world.tenant("left", "UTC").await;
        world.policy(left, Some(1), None, "2023-01-01T00:00:00Z").await;
        world.run().await;
        // One tenant cannot be done for four months; the others are.
        world.sql("UPDATE tenant SET time_zone = 'Nowhere' WHERE slug = 'left'").await;
        for month in ["02", "03", "04", "05"] {
            world.set_clock(&format!("2024-{month}-15T00:00:00Z"));
            world.run().await;
        }
        world.sql("UPDATE tenant SET time_zone = 'UTC' WHERE slug = 'left'").await;
        world.policy(unruled, Some(1), None, "2023-01-01T00:00:00Z").await;
        let fresh = world.tenant("fresh", "UTC").await;
        world.policy(fresh, Some(1), None, "2023-01-01T00:00:00Z").await;
        let outcomes: Vec<(String, bool)> = world
            .run()
            .await
            .into_iter()
            .map(|entry| (entry.report.tenant, matches!(entry.outcome, Outcome::Refused { .. })))
            .collect();
        let expected = [("example", false), ("fresh", false), ("left", true), ("unruled", false)]
            .map(|(slug, refused)| (slug.to_owned(), refused));
        assert_eq!(outcomes, expected);
        for id in [fresh, unruled] {
            assert_eq!(world.run_record(id, "2024-05").await.expect("a record").state, "completed");
        }
    }

    async fn s13_a_confirmed_run_that_was_cut_short_needs_no_second_word(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-01-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        world.set_clock("2024-07-15T00:00:00Z");
        let victim = world.person(tenant, person("2024-02-10T12:00:00Z")).await;
        world.engine.is_gap_confirmed = true;
        crate::schedule::claim(&mut world).await;
        world.engine.is_gap_confirmed = false;
        world.sql("UPDATE run_lease SET expires_at = '2020-01-01 00:00:00'").await;
        let findings = survey(&world.engine).await.expect("a survey").findings;
        assert_eq!((findings.owed.len(), findings.blocked_by_gap.len()), (1, 0));
        world.run_and_prove().await;
        assert!(world.find(tenant, victim).await.expect("kept").email.is_none());
    }

    async fn s13_the_command_says_so_with_exit_code_4_until_it_is_confirmed(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-02T00:00:00Z").await;
        let victim = world.person(tenant, person("2024-02-15T12:00:00Z")).await;
        let binary = world.binary();
        // The first run of all, of an old month.
        binary.run(&["run", "--period", "2024-04"]).expect_code(0);
        let kept = world.person(tenant, person("2024-03-15T12:00:00Z")).await;
        let planned = binary.run(&["plan", "--output", "json"]).expect_code(0).stdout;
        let planned: serde_json::Value = serde_json::from_str(&planned).expect("JSON");
        assert_eq!(planned["tenants"][0]["blocked_by"], "gap");
        let table = binary.run(&["plan"]).expect_code(0).stdout;
        assert!(table.contains("blocked: gap"), "{table}");
        let refused = binary.run(&["run", "--output", "json"]).expect_code(4);
        assert!(refused.stdout.contains("\"blocked_by\": \"gap\"") || refused.stdout.contains("\"blocked_by\":\"gap\""), "{}", refused.stdout);
        assert!(refused.stderr.contains("\"reason\":\"gap\""), "{}", refused.stderr);
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        assert!(world.find(tenant, victim).await.expect("kept").email.is_none());
        binary.run(&["run", "--after-gap"]).expect_code(0);
        assert!(world.find(tenant, kept).await.is_none_or(|row| row.email.is_none()));
        binary.run(&["run"]).expect_code(0);
        // Or by the setting.
        let other = world.binary().env("RETENTIOND__SAFETY__GAP_MAX", "none");
        other.run(&["run"]).expect_code(0);
        for wrong in ["0m", "soon", "-1m", "90d"] {
            let refused = world
                .binary()
                .env("RETENTIOND__SAFETY__GAP_MAX", wrong)
                .run(&["config", "check"])
                .expect_code(2);
            assert!(refused.stderr.contains("RETENTIOND__SAFETY__GAP_MAX"), "{}", refused.stderr);
        }
    }
}

/// The real binary, on a server, whose clocks both show 2038 for a day.
#[tokio::test]
async fn s12_two_clocks_in_2038_and_back() {
    let machines = FakedMachines::start(at("2026-11-15T12:00:00Z")).await;
    let scratch = scratch_on(Backend::Postgres, machines.url()).await;
    let (world, tenant) = example(scratch, "2026-11-15T12:00:00Z").await;
    let environment = machines.host.environment();
    let binary = environment
        .iter()
        .fold(world.binary(), |binary, (name, value)| {
            binary.env(name, value)
        });
    world.person(tenant, person("2026-09-10T12:00:00Z")).await;
    binary.run(&["run"]).expect_code(0);
    let people = ["2026-10-10T12:00:00Z", "2026-11-10T12:00:00Z"].map(person);
    let mut kept = Vec::new();
    for person in people {
        kept.push(world.person(tenant, person).await);
    }
    machines.set(at("2038-02-15T12:00:00Z"));
    let refused = binary.run(&["run"]).expect_code(4);
    assert!(refused.stderr.contains("--after-gap"), "{}", refused.stderr);
    for id in &kept {
        assert!(world.find(tenant, *id).await.expect("kept").email.is_some());
    }
    // Somebody who does not look at the date.
    binary.run(&["run", "--after-gap"]).expect_code(0);
    assert!(
        world.find(tenant, kept[0]).await.is_none(),
        "that cannot be taken back"
    );
    machines.set(at("2026-11-20T12:00:00Z"));
    let added = world.person(tenant, person("2026-10-20T12:00:00Z")).await;
    let younger = world.person(tenant, person("2026-11-18T12:00:00Z")).await;
    binary.run(&["run"]).expect_code(0);
    let verified = binary.run(&["verify"]).expect_code(1).stdout;
    assert!(
        verified.contains("to 2038-02") && verified.contains("a clock was wrong"),
        "{verified}"
    );
    machines.set(at("2026-12-01T12:00:00Z"));
    let done = binary.run(&["run"]).expect_code(0);
    assert!(
        done.stderr.contains("future_runs_set_aside"),
        "{}",
        done.stderr
    );
    assert!(
        world
            .find(tenant, added)
            .await
            .expect("kept")
            .email
            .is_none()
    );
    assert!(
        world
            .find(tenant, younger)
            .await
            .expect("kept")
            .email
            .is_some()
    );
    let verified = binary.run(&["verify"]).expect_code(0).stdout;
    assert!(
        verified.contains("note: ") && verified.contains("2038-02"),
        "{verified}"
    );
    machines.set(at("2027-01-01T12:00:00Z"));
    binary.run(&["run"]).expect_code(0);
    assert!(
        world
            .find(tenant, younger)
            .await
            .expect("kept")
            .email
            .is_none()
    );
    binary.run(&["verify"]).expect_code(0);
    // Before this program was written, and after the last month that it reckons with.
    for wrong in ["2019-12-31T12:00:00Z", "2100-01-01T12:00:00Z"] {
        machines.set(at(wrong));
        for command in [
            &["run"][..],
            &["plan"],
            &["verify"],
            &["tenant", "show", "example"],
            &["policy", "show", "example"],
        ] {
            let refused = binary.run(command).expect_code(4);
            assert!(
                refused.stderr.contains("2020 to 2099"),
                "{command:?}: {}",
                refused.stderr
            );
        }
    }
}

/// S13: a daemon says so, is not ready for it, and goes on once it is confirmed.
#[tokio::test]
async fn s13_the_daemon_waits_for_somebody_to_confirm() {
    let (world, tenant) = example(scratch(Backend::Sqlite).await, "2024-04-02T00:00:00Z").await;
    world.person(tenant, person("2024-02-15T12:00:00Z")).await;
    world.run_and_prove().await;
    let kept = world.person(tenant, person("2024-03-15T12:00:00Z")).await;
    let serving = world
        .binary()
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .serve();
    let blocked = holds_within(LONG, async || serving.events("runs_blocked") > 0).await;
    assert!(blocked, "{}", serving.log());
    let not_ready = holds_within(LONG, async || {
        serving.get("/readyz").is_some_and(|(status, body)| {
            status == 503 && body.contains("gap: 1 tenant-runs") && body.contains("database: ok")
        })
    });
    assert!(not_ready.await, "{:?}", serving.get("/readyz"));
    let (_, metrics) = serving.get("/metrics").expect("a scrape");
    assert!(
        metrics.contains("retention_runs_blocked{reason=\"gap\"} 1"),
        "{metrics}"
    );
    assert!(
        world
            .find(tenant, kept)
            .await
            .expect("kept")
            .email
            .is_some()
    );
    assert_eq!(serving.events("runs_blocked"), 1, "once: {}", serving.log());
    world.binary().run(&["run", "--after-gap"]).expect_code(0);
    serving.wait_ready(LONG).await;
    let (_, metrics) = serving.get("/metrics").expect("a scrape");
    assert!(
        metrics.contains("retention_runs_blocked{reason=\"gap\"} 0"),
        "{metrics}"
    );
}

/// S14: what no clock can show, in the record of one tenant, ends neither the look at the others nor their runs.
/// PostgreSQL does not store it, in any of our own tables.
#[tokio::test]
async fn s14_a_record_with_an_instant_that_is_none_stops_no_other_tenant() {
    let (world, _) = example(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    world.run().await;
    world
        .rewrite("UPDATE tenant_run SET state = 'failed'")
        .await;
    for change in [
        "UPDATE tenant SET created_at = 'infinity'",
        "UPDATE policy SET effective_from = '-infinity'",
        "UPDATE policy SET created_at = '20000-01-01'",
        "UPDATE tenant_run SET retry_at = 'infinity'",
        "UPDATE tenant_run SET reclaimed_at = '-infinity'",
        "UPDATE run_lease SET expires_at = 'infinity'",
    ] {
        let refused = world.db.execute_unprepared(change).await;
        let error = refused.expect_err("no date").to_string();
        assert!(error.contains("_has_dates"), "{change}: {error}");
    }

    let (world, first) = example(scratch(Backend::MariaDb).await, "2024-04-02T00:00:00Z").await;
    world.run().await;
    let second = world.tenant("second", "UTC").await;
    world
        .policy(second, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    world.person(second, person("2020-01-01T00:00:00Z")).await;
    for column in [
        "due_at",
        "started_at",
        "finished_at",
        "purge_cutoff",
        "retry_at",
    ] {
        world
            .sql(&format!(
                "SET STATEMENT sql_mode = '' FOR UPDATE tenant_run SET {column} = '0000-00-00' \
                 WHERE tenant_id = {}",
                first.0
            ))
            .await;
        let looked = survey(&world.engine).await;
        assert!(looked.is_ok(), "{column}: {looked:?}");
    }
    let entries = world.run().await;
    let ended = |slug: &str| entries.iter().find(|entry| entry.report.tenant == slug);
    let first = &ended("example").expect("an entry").outcome;
    assert!(matches!(first, Outcome::Failed { .. }), "{first:?}");
    let second = &ended("second").expect("an entry").outcome;
    assert!(matches!(second, Outcome::Done), "{second:?}");
    assert_eq!(world.number("SELECT COUNT(*) FROM participant").await, 0);
}
