//! P1–P4 and P9–P11: which policy rules a run, and what each kind of policy does.

use retentiond::engine::report::Outcome;

use crate::support::{CHILDREN, Person, Scratch, World};

const OLD: &str = "2022-06-15T12:00:00Z";
const MIDDLE: &str = "2023-10-15T12:00:00Z";
const YOUNG: &str = "2024-03-20T12:00:00Z";

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

fn unsubscribed(added_at: &str) -> Person<'_> {
    Person {
        unsubscribed_at: Some("2023-12-24T10:00:00Z"),
        ..person(added_at)
    }
}

on_every_database! {
    async fn p01_anonymous_rows_stay_for_good(scratch: Scratch) {
        let mut world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), None, "2020-01-01T00:00:00Z").await;
        let old = world.person(tenant, person(OLD)).await;
        let young = world.person(tenant, person(YOUNG)).await;
        world.run_and_prove().await;
        world.set_clock("2026-04-02T00:00:00Z");
        // S13: two years later somebody has to confirm it.
        world.engine.is_gap_confirmed = true;
        world.run_and_prove().await;
        assert!(world.find(tenant, old).await.expect("stays").anonymized_at.is_some());
        assert_eq!(world.children_of(tenant, old).await, CHILDREN);
        assert!(world.find(tenant, young).await.is_some());
    }

    async fn p02_retention_alone_nulls_nothing_and_hashes_before_it_deletes(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, None, Some(12), "2020-01-01T00:00:00Z").await;
        let old = world.person(tenant, unsubscribed(OLD)).await;
        let middle = world.person(tenant, unsubscribed(MIDDLE)).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.anonymized, 0);
        assert_eq!(entries[0].report.suppressions, 1);
        assert!(world.find(tenant, old).await.is_none());
        let kept = world.find(tenant, middle).await.expect("younger than R");
        assert!(kept.email.is_some() && kept.anonymized_at.is_none());
        let hashes = world.suppressions(tenant).await;
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].email_hmac, world.hash(tenant, "ann@example.org"));
        assert_eq!(hashes[0].suppressed_month, "2023-12");
        assert_eq!(hashes[0].key_id, "k1");
    }

    async fn p03_without_a_policy_nothing_is_written_and_it_is_looked_at_again(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        let old = world.person(tenant, person(OLD)).await;
        let before = world.fingerprint().await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::NoPolicy));
        assert_eq!(before, world.fingerprint().await);
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(run.state, "no_policy");

        // Both periods unset is no policy either.
        world.policy(tenant, None, None, "2024-01-01T00:00:00Z").await;
        assert!(matches!(world.run().await[0].outcome, Outcome::NoPolicy));
        // Backdated to before the due instant: the next pass takes it up.
        world.policy(tenant, Some(1), None, "2024-03-01T00:00:00Z").await;
        world.run_and_prove().await;
        assert!(world.find(tenant, old).await.expect("kept").anonymized_at.is_some());
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((run.state.as_str(), run.policy_version), ("completed", Some(2)));
    }

    async fn p04_older_than_both_is_deleted_once_and_not_counted_as_anonymized(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z").await;
        let old = world.person(tenant, person(OLD)).await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        let young = world.person(tenant, person(YOUNG)).await;
        let entries = world.run_and_prove().await;
        let report = &entries[0].report;
        assert_eq!((report.anonymized, report.purged), (1, 1));
        assert_eq!(report.rows_purged["participant"], 1);
        assert_eq!(report.rows_purged["answer"], CHILDREN[1]);
        assert!(world.find(tenant, old).await.is_none());
        assert!(world.find(tenant, middle).await.expect("kept").anonymized_at.is_some());
        assert!(world.find(tenant, young).await.expect("kept").email.is_some());
    }

    async fn p04_long_periods_reach_back_to_the_first_real_dates(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(409), Some(410), "2020-01-01T00:00:00Z").await;
        let mut people = Vec::new();
        for added_at in [
            "1989-12-31 23:59:59.999999",
            "1990-01-01 00:00:00",
            "1990-01-31 23:59:59.999999",
            "1990-02-01 00:00:00",
            "1990-03-01 00:00:00",
        ] {
            let id = world.person(tenant, person(OLD)).await;
            world.move_to(tenant, id, added_at).await;
            people.push(id);
        }
        let [undated, first, old, between, kept] = people[..] else { panic!("five people") };
        let entries = world.run().await;
        let report = &entries[0].report;
        assert_eq!((report.anonymized, report.purged, report.undated), (1, 2, 1), "{entries:?}");
        // E13: before 1990 nobody is dated.
        assert!(world.find(tenant, undated).await.expect("kept").anonymized_at.is_none());
        assert!(world.find(tenant, first).await.is_none());
        assert!(world.find(tenant, old).await.is_none());
        assert!(world.find(tenant, between).await.expect("kept").anonymized_at.is_some());
        assert!(world.find(tenant, kept).await.expect("kept").anonymized_at.is_none());
    }

    async fn p05_the_longest_periods_of_all_touch_nobody(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1199), Some(1200), "2020-01-01T00:00:00Z").await;
        let mut people = Vec::new();
        for added_at in ["1924-03-31 23:59:59.999999", "1990-01-01 00:00:00", "2024-03-01 00:00:00"] {
            let id = world.person(tenant, person(OLD)).await;
            world.move_to(tenant, id, added_at).await;
            people.push(id);
        }
        let entries = world.run().await;
        let report = &entries[0].report;
        assert_eq!((report.anonymized, report.purged, report.undated), (0, 0, 1), "{entries:?}");
        for id in people {
            assert!(world.find(tenant, id).await.expect("kept").anonymized_at.is_none());
        }
    }

    async fn p05_the_database_refuses_what_the_rules_refuse(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        let refused = [
            ("0", "NULL"), ("-1", "NULL"), ("1201", "NULL"), ("NULL", "11"), ("NULL", "1201"),
            ("12", "12"), ("13", "12"),
        ];
        let insert = |version: usize, a: &str, r: &str| {
            format!(
                "INSERT INTO policy (tenant_id, version, anonymize_after_months, retain_months, \
                 effective_from, created_at, created_by) VALUES ({}, {version}, {a}, {r}, \
                 '2020-01-01 00:00:00', '2020-01-01 00:00:00', 'test')",
                tenant.0
            )
        };
        use sea_orm::ConnectionTrait;
        for (version, (a, r)) in refused.into_iter().enumerate() {
            let outcome = world.db.execute_unprepared(&insert(version + 1, a, r)).await;
            assert!(outcome.is_err(), "A = {a}, R = {r} was accepted");
        }
        world.sql(&insert(90, "11", "12")).await;
        world.sql(&insert(91, "NULL", "NULL")).await;
    }

    async fn p09_the_version_in_force_at_the_due_instant_rules(scratch: Scratch) {
        let mut world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(6), None, "2020-01-01T00:00:00Z").await;
        // Set on 10 April: acts on 1 May for the first time.
        world.policy(tenant, Some(1), None, "2024-04-10T00:00:00Z").await;
        let middle = world.person(tenant, person("2024-01-15T12:00:00Z")).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.policy_version, Some(1));
        assert!(world.find(tenant, middle).await.expect("kept").email.is_some());
        world.set_clock("2024-05-01T00:00:00Z");
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.policy_version, Some(2));
        assert!(world.find(tenant, middle).await.expect("kept").email.is_none());
    }

    async fn p10_a_row_that_the_current_policy_keeps_is_never_erased(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z").await;
        // Lengthened after the due instant, before the run: the older cutoff of the two counts.
        world.policy(tenant, Some(9), Some(24), "2024-04-10T00:00:00Z").await;
        let old = world.person(tenant, person(OLD)).await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        let very_old = world.person(tenant, person("2022-03-31T12:00:00Z")).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.policy_version, Some(1), "pinned");
        assert!(world.find(tenant, very_old).await.is_none(), "both would delete it");
        let row = world.find(tenant, old).await.expect("the current policy keeps it");
        assert!(row.anonymized_at.is_some(), "both would anonymize it");
        assert!(world.find(tenant, middle).await.expect("kept").email.is_some());
    }

    async fn p10_a_policy_that_was_cleared_erases_nothing(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z").await;
        world.policy(tenant, None, None, "2024-04-10T00:00:00Z").await;
        world.person(tenant, person(OLD)).await;
        let before = world.fingerprint().await;
        world.run_and_prove().await;
        assert_eq!(before, world.fingerprint().await);
    }

    async fn p10_lengthened_in_the_middle_of_a_run_holds_from_the_next_batch(scratch: Scratch) {
        let mut world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        world.engine.batch_rows = 1;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), None, "2020-01-01T00:00:00Z").await;
        for _ in 0..40 {
            world.person(tenant, person(MIDDLE)).await;
        }
        let engine = world.engine.clone();
        let run = tokio::spawn(async move {
            retentiond::engine::pass::run(&engine, &Default::default()).await
        });
        // Whenever it takes effect, the record and the rows agree, and nothing is erased after it.
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        world.policy(tenant, Some(1200), None, "2024-04-19T00:00:00Z").await;
        let entries = run.await.expect("no panic").expect("a pass").expect("known tenants");
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(run.state, "completed", "{entries:?}");
        assert_eq!(run.anonymized, i64::try_from(entries[0].report.anonymized).expect("few"));
        assert!(world.verify(None).await[0].ok);
    }

    async fn p10_lengthened_for_as_long_as_a_run_lasted_leaves_nobody_overdue(scratch: Scratch) {
        let mut world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z").await;
        let [middle, old] = [
            world.person(tenant, person(MIDDLE)).await,
            world.person(tenant, person("2022-01-15T12:00:00Z")).await,
        ];
        // The run has pinned the first version, and keeps who the second one keeps.
        world.policy(tenant, Some(9), Some(60), "2024-04-10T00:00:00Z").await;
        world.run_and_prove().await;
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((run.policy_version, run.recount_version), (Some(1), Some(2)));
        world.policy(tenant, Some(1), Some(12), "2024-04-15T00:00:00Z").await;
        let verified = &world.verify(None).await[0];
        assert!(verified.ok, "{:?}", verified.findings);
        assert_eq!((verified.overdue_anonymize, verified.overdue_purge, verified.late), (0, 0, 0));
        let shown = world.binary().run(&["participant", "show", &middle.to_string(), "--output", "json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown.expect_code(0).stdout).expect("JSON");
        assert!(shown["missed"].is_null(), "{shown}");
        // A run of the same month changes nothing, and the next month's takes both.
        world.run_and_prove().await;
        assert!(world.find(tenant, middle).await.expect("kept").email.is_some());
        world.set_clock("2024-05-02T00:00:00Z");
        world.run_and_prove().await;
        assert!(world.find(tenant, middle).await.expect("kept").email.is_none());
        assert!(world.find(tenant, old).await.is_none());
        assert!(world.verify(None).await[0].ok);
    }

    async fn p11_a_shorter_policy_acts_from_the_next_period(scratch: Scratch) {
        let mut world = World::new(scratch, "2024-04-20T00:00:00Z").await;
        let tenant = world.tenant("example", "UTC").await;
        world.policy(tenant, Some(9), None, "2020-01-01T00:00:00Z").await;
        world.policy(tenant, Some(1), None, "2024-04-10T00:00:00Z").await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        world.run_and_prove().await;
        assert!(world.find(tenant, middle).await.expect("kept").email.is_some());
        world.set_clock("2024-05-02T00:00:00Z");
        world.run_and_prove().await;
        assert!(world.find(tenant, middle).await.expect("kept").email.is_none());
    }
}
