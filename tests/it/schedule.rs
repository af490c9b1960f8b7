//! S1–S8, S10, S11, as far as `run`, `plan` and `verify` show them.

use std::time::Duration;

use retentiond::engine::conductor::{Driven, drive};
use retentiond::engine::due::Scope;
use retentiond::engine::report::Outcome;
use retentiond::engine::survey::survey;
use retentiond::engine::{EngineError, pass};
use retentiond::store;
use retentiond::store::leases::Lease;
use retentiond::store::runs::{self, End, Failure};
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::support::world::database_config;
use crate::support::{Person, Scratch, World, at};

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

async fn example(scratch: Scratch, now: &str) -> (World, retentiond::ids::TenantId) {
    let world = World::new(scratch, now).await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

on_every_database! {
    async fn s01_after_an_outage_the_run_has_the_cutoffs_of_the_first(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-03T15:00:00Z").await;
        let kept = world.person(tenant, person("2024-03-02T12:00:00Z")).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.anonymize_cutoff, Some(at("2024-02-29T23:00:00Z")));
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
    }

    async fn s02_only_the_newest_period_is_owed_and_gaps_are_superseded(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-01-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        assert!(world.run_record(tenant, "2023-12").await.is_none(), "a new tenant has no gap");
        world.set_clock("2024-04-15T00:00:00Z");
        world.run_and_prove().await;
        for (period, state) in [
            ("2024-01", "completed"),
            ("2024-02", "superseded"),
            ("2024-03", "superseded"),
            ("2024-04", "completed"),
        ] {
            let run = world.run_record(tenant, period).await.expect(period);
            assert_eq!(run.state, state, "{period}");
        }
        // A clock that goes back does not reopen an old period.
        world.set_clock("2024-03-15T00:00:00Z");
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Refused { .. }), "{entries:?}");
        // Nor does naming one that a newer completed run covers.
        world.set_clock("2024-04-15T00:00:00Z");
        let entries = world.run_period("2024-03").await;
        assert!(matches!(entries[0].outcome, Outcome::Refused { .. }), "{entries:?}");
    }

    /// What `retention_run_last_success_timestamp_seconds` shows, and RetentiondNoRecentSuccess goes by.
    async fn s02_a_month_that_one_tenant_missed_is_no_success_later_either(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-01-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let failing = world.tenant("failing", "Europe/Brussels").await;
        world.policy(failing, Some(1), None, "2023-01-01T00:00:00Z").await;
        world.run().await;
        let january = survey(&world.engine).await.expect("a survey").last_success;
        let finished = world.run_record(failing, "2024-01").await.expect("a run").finished_at;
        let other = world.run_record(tenant, "2024-01").await.expect("a run").finished_at;
        assert_eq!(january, finished.max(other));
        assert!(january.is_some());
        // February is done for one tenant only, and in March that one comes first.
        world.sql("UPDATE tenant SET time_zone = 'Nowhere/At_All' WHERE slug = 'failing'").await;
        world.set_clock("2024-02-15T00:00:00Z");
        world.run().await;
        assert_eq!(world.run_record(tenant, "2024-02").await.expect("a run").state, "completed");
        assert_eq!(world.run_record(failing, "2024-02").await.expect("a run").state, "failed");
        world.set_clock("2024-03-15T00:00:00Z");
        assert_eq!(survey(&world.engine).await.expect("a survey").last_success, january);
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels' WHERE slug = 'failing'").await;
        let scope = Scope { tenants: vec!["failing".to_owned()], period: None };
        world.run_scope(&scope).await;
        assert_eq!(world.run_record(failing, "2024-02").await.expect("a run").state, "superseded");
        assert_eq!(survey(&world.engine).await.expect("a survey").last_success, january);
        // Once March is done for both, that is the last success.
        world.run().await;
        let march = world.run_record(tenant, "2024-03").await.expect("a run").finished_at;
        assert_eq!(survey(&world.engine).await.expect("a survey").last_success, march);
    }

    async fn s02_an_unfinished_run_is_superseded_by_the_next_period(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-03-15T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.engine.stop.cancel();
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Stopped));
        world.engine.stop = Default::default();
        world.sql("UPDATE tenant SET time_zone = 'Nowhere/At_All'").await;
        world.run().await;
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels'").await;
        let run = claim_and_abandon(&mut world).await;
        world.set_clock("2024-04-15T00:00:00Z");
        world.run_and_prove().await;
        let superseded = world.run_record(tenant, "2024-03").await.expect("a record");
        assert_eq!((superseded.state.as_str(), superseded.id), ("superseded", run));
    }

    async fn s03_a_run_that_was_cut_short_goes_on_with_the_same_cutoffs(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        for _ in 0..10 {
            world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        }
        let run = claim_and_abandon(&mut world).await;
        let first = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(first.state, "running");
        // The tenant moves to another zone and shortens its policy: what is pinned stays.
        world.sql("UPDATE tenant SET time_zone = 'Asia/Tokyo'").await;
        world.policy(tenant, Some(1), Some(12), "2023-06-01T00:00:00Z").await;
        // Nobody may touch the run while its lease lasts.
        assert!(matches!(world.run().await[0].outcome, Outcome::Held));
        world.sql("UPDATE run_lease SET expires_at = '2020-01-01 00:00:00'").await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        let last = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((last.id, last.policy_version), (run, Some(1)));
        assert_eq!(last.anonymize_cutoff, first.anonymize_cutoff);
        assert_eq!(last.purge_cutoff, first.purge_cutoff);
        assert_eq!((last.anonymized, last.attempts), (10, 2));
    }

    async fn s04_one_tenant_fails_and_the_others_finish(scratch: Scratch) {
        let (world, good) = example(scratch, "2024-04-03T00:00:00Z").await;
        let bad = world.tenant("bad", "Europe/Brussels").await;
        world.policy(bad, Some(1), None, "2023-01-01T00:00:00Z").await;
        let lost = world.person(bad, person("2023-11-02T12:00:00Z")).await;
        let done = world.person(good, person("2023-11-02T12:00:00Z")).await;
        world.sql(&format!("UPDATE tenant SET time_zone = 'Nowhere' WHERE id = {}", bad.0)).await;
        let entries = world.run().await;
        assert!(
            matches!(entries[0].outcome, Outcome::Failed { failure_class: "time_zone", .. }),
            "{entries:?}"
        );
        assert!(matches!(entries[1].outcome, Outcome::Done));
        assert!(world.find(bad, lost).await.expect("untouched").email.is_some());
        let run = world.run_record(bad, "2024-04").await.expect("a record");
        assert_eq!((run.state.as_str(), run.failure_class.as_deref()), ("failed", Some("time_zone")));
        assert!(run.retry_at.is_some());
        assert!(world.find(good, done).await.expect("kept").email.is_none());
        world.sql(&format!("UPDATE tenant SET time_zone = 'UTC' WHERE id = {}", bad.0)).await;
        world.run_and_prove().await;
        assert!(world.find(bad, lost).await.expect("kept").email.is_none());
    }

    async fn s04_a_claim_that_fails_before_the_due_instant_blocks_no_period(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.sql("UPDATE tenant SET time_zone = 'Nowhere'").await;
        world.run_period("2099-01").await;
        assert!(world.run_record(tenant, "2099-01").await.is_none(), "S8: not owed yet");
        world.sql("UPDATE tenant SET time_zone = 'Europe/Brussels'").await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        // Nor does a month leave a trace that a newer completed run covers.
        world.sql("UPDATE tenant SET time_zone = 'Nowhere'").await;
        world.run_period("2023-05").await;
        assert!(world.run_record(tenant, "2023-05").await.is_none(), "covered");
    }

    async fn s04_a_failed_claim_is_not_recorded_over_a_run_that_ended(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        // What a slow process would write that saw the run while it was still pending.
        let transaction = world.engine.database.begin("a test").await.expect("begin");
        let end = End::Failed(Failure {
            orphans: None,
            class: "conflict",
            code: None,
            refused: None,
            retry_after_seconds: 60.0,
        });
        runs::finish_unclaimed(&transaction, tenant, run.id, &end)
            .await
            .expect("an update");
        transaction.commit().await.expect("commit");
        assert_eq!(world.run_record(tenant, "2024-04").await.expect("a record"), run);
    }

    async fn s04_a_claim_waits_for_a_lock_as_often_as_a_batch(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let mut config = database_config(&world.scratch);
        config.lock_timeout = Duration::from_millis(50);
        world.engine.database = store::connect(&config, Duration::from_secs(60)).await.expect("open");
        // On SQLite the lock that an import, say, holds; on MariaDB that of a foreign key.
        let other = world.db.begin().await.expect("begin");
        other.execute_unprepared("UPDATE tenant SET name = 'Example'").await.expect("a lock");
        let (entries, ()) = tokio::join!(world.run(), async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            other.commit().await.expect("commit");
        });
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
    }

    async fn p03_a_run_that_failed_before_its_policy_was_read_says_no_policy(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-03T00:00:00Z").await;
        let tenant = world.tenant("example", "Nowhere").await;
        world.run().await;
        assert_eq!(world.run_record(tenant, "2024-04").await.expect("a record").state, "failed");
        world.sql("UPDATE tenant SET time_zone = 'UTC'").await;
        assert!(matches!(world.run().await[0].outcome, Outcome::NoPolicy));
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((run.state.as_str(), run.failure_class, run.retry_at), ("no_policy", None, None));
        assert!(world.verify(None).await[0].ok);
    }

    async fn s05_two_passes_at_once_do_every_run_once(scratch: Scratch) {
        let (world, _) = example(scratch, "2024-04-03T00:00:00Z").await;
        let mut tenants = Vec::new();
        for number in 0..6 {
            let tenant = world.tenant(&format!("t{number}"), "UTC").await;
            world.policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z").await;
            for _ in 0..5 {
                world.person(tenant, person("2023-11-02T12:00:00Z")).await;
                world.person(tenant, person("2022-11-02T12:00:00Z")).await;
            }
            tenants.push(tenant);
        }
        let scope = Default::default();
        let (one, two) = tokio::join!(pass::run(&world.engine, &scope), pass::run(&world.engine, &scope));
        let entries: Vec<_> = [one, two]
            .into_iter()
            .flat_map(|pass| pass.expect("a pass").expect("known tenants"))
            .collect();
        let sum: u64 = entries.iter().map(|entry| entry.report.anonymized).sum();
        let purged: u64 = entries.iter().map(|entry| entry.report.purged).sum();
        assert_eq!((sum, purged), (30, 30), "{entries:?}");
        for tenant in tenants {
            let run = world.run_record(tenant, "2024-04").await.expect("a record");
            assert_eq!((run.state.as_str(), run.anonymized, run.purged), ("completed", 5, 5));
        }
        assert!(world.verify(None).await.iter().all(|tenant| tenant.ok));
    }

    async fn s05_a_holder_whose_lease_was_taken_commits_nothing(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        let kept = world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let claimed = claim(&mut world).await;
        world.sql("UPDATE run_lease SET expires_at = '2020-01-01 00:00:00'").await;
        let thief = Lease { token: uuid::Uuid::new_v4(), ..claimed.lease.clone() };
        let transaction = world.engine.database.begin("stealing").await.expect("begin");
        assert!(thief.acquire(&transaction, "thief").await.expect("acquire"));
        transaction.commit().await.expect("commit");
        let before = world.fingerprint().await;
        let Driven { counts, error, .. } = drive(&claimed).await;
        assert!(matches!(error, Some(EngineError::LeaseLost)), "{error:?}");
        assert_eq!(counts, Some(Default::default()));
        assert_eq!(before, world.fingerprint().await);
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
    }

    async fn s06_a_finished_period_changes_nothing_when_run_again(scratch: Scratch) {
        let (world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        let entries = world.run_period("2024-04").await;
        assert!(matches!(entries[0].outcome, Outcome::AlreadyCompleted));
    }

    async fn s07_clocks_that_differ_too_much_erase_nothing(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        let kept = world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.engine.clock_skew_max = Duration::from_secs(300);
        let error = pass::run(&world.engine, &Default::default()).await.expect_err("a skew");
        assert!(matches!(error, EngineError::ClockSkew { .. }), "{error}");
        // Not only at the start: a claimed run finds out at its next batch.
        world.engine.clock_skew_max = Duration::from_secs(200 * 365 * 24 * 3600);
        let mut claimed = claim(&mut world).await;
        claimed.engine.clock_skew_max = Duration::from_secs(300);
        let error = drive(&claimed).await.error;
        assert!(matches!(error, Some(EngineError::ClockSkew { .. })), "{error:?}");
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((run.state.as_str(), run.failure_class.as_deref()), ("failed", Some("clock_skew")));
    }

    async fn s08_a_period_that_is_not_due_is_refused(scratch: Scratch) {
        // 22:00Z on 31 March is midnight in Brussels; a second earlier it is not due yet.
        let (mut world, tenant) = example(scratch, "2024-03-31T21:59:59.999999Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        let before = world.fingerprint().await;
        let entries = world.run_period("2024-04").await;
        assert!(matches!(entries[0].outcome, Outcome::Refused { .. }), "{entries:?}");
        assert_eq!(before, world.fingerprint().await);
        assert!(world.run_record(tenant, "2024-04").await.is_none());
        world.set_clock("2024-03-31T22:00:00Z");
        assert!(matches!(world.run_period("2024-04").await[0].outcome, Outcome::Done));
    }

    async fn s10_now_is_the_earlier_of_the_two_clocks(scratch: Scratch) {
        // The host is far ahead of the database, whose clock is the real one.
        let (world, tenant) = example(scratch, "2090-01-01T00:00:00Z").await;
        world.run().await;
        let run = world.run_record(tenant, "2090-01").await;
        assert!(run.is_none(), "not due by the database's clock");
    }

    async fn s11_rows_that_came_after_the_run_are_late_not_wrong(scratch: Scratch) {
        let (mut world, tenant) = example(scratch, "2024-04-03T00:00:00Z").await;
        world.person(tenant, person("2023-11-02T12:00:00Z")).await;
        world.run_and_prove().await;
        let late = world.person(tenant, person("2023-12-02T12:00:00Z")).await;
        let missed = world.person(tenant, person("2023-12-03T12:00:00Z")).await;
        // One was stored after the run began, by the database's clock; the other one was not.
        world.restamp(tenant, late, "2090-01-01 00:00:00").await;
        let found = world.verify(None).await.remove(0);
        assert_eq!((found.late, found.overdue_anonymize, found.ok), (1, 1, false), "{found:?}");
        world.move_to(tenant, missed, "2024-03-20 00:00:00").await;
        let found = world.verify(None).await.remove(0);
        assert_eq!((found.late, found.overdue_anonymize, found.ok), (1, 0, true), "{found:?}");
        world.set_clock("2024-05-03T00:00:00Z");
        world.run_and_prove().await;
        assert!(world.find(tenant, late).await.expect("kept").email.is_none(), "in the next period");
    }
}

/// Claims the example's run, as a process would that is about to die.
pub async fn claim(world: &mut World) -> retentiond::engine::held::HeldRun {
    use retentiond::engine::claim::{Claim, claim};
    use retentiond::engine::due::candidates;
    let clocks = world.engine.clocks_alone().await.expect("clocks");
    let now = world.engine.now(clocks).expect("now");
    let transaction = world
        .engine
        .database
        .begin_read("a test")
        .await
        .expect("begin");
    let mut found = candidates(&world.engine, &transaction, &Default::default(), now)
        .await
        .expect("candidates")
        .expect("known tenants");
    transaction.rollback().await.expect("rollback");
    match claim(&world.engine, &found.remove(0))
        .await
        .expect("a claim")
    {
        Claim::Claimed(run) => *run,
        other => panic!("not claimed: {other:?}"),
    }
}

/// Claims the example's run and lets it lie; returns its id.
async fn claim_and_abandon(world: &mut World) -> uuid::Uuid {
    claim(world).await.lease.run_id
}
