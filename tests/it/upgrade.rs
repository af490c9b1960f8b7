//! The version before left a database behind, with a run that was open: this one brings the schema up to date and
//! finishes the run with the cutoffs that it had pinned.

use migration::{Migrator, MigratorTrait};
use retentiond::engine::report::Outcome;
use retentiond::ids::TenantId;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::support::{Backend, Person, Scratch, World, at};

/// Migrations of the version before.
const BEFORE: u32 = 6;

/// Pinned by a policy of then: a month older than what the stored policy would give.
const ANONYMIZE_CUTOFF: &str = "2024-01-31 23:00:00";
const PURGE_CUTOFF: &str = "2023-02-28 23:00:00";

fn time(backend: Backend, text: &str) -> String {
    match backend {
        Backend::Postgres => format!("'{text}+00'"),
        Backend::MariaDb => format!("'{text}'"),
        Backend::Sqlite => format!("'{}+00:00'", text.replace(' ', "T")),
    }
}

/// A tenant with a policy and a run that was claimed, and whose holder is gone.
async fn left_behind(scratch: &Scratch) {
    let db = scratch.connect().await;
    Migrator::up(&db, Some(BEFORE))
        .await
        .expect("the schema of the version before");
    let backend = scratch.backend();
    let time = |text: &str| time(backend, text);
    let id = match backend {
        Backend::Postgres => format!("'{}'", Uuid::from_u128(7)),
        Backend::MariaDb | Backend::Sqlite => format!("X'{}'", Uuid::from_u128(7).simple()),
    };
    for statement in [
        format!(
            "INSERT INTO tenant (id, slug, name, time_zone, created_at, unsubscribe_count) \
             VALUES (1, 'example', 'Example', 'Europe/Brussels', {}, 0)",
            time("2020-01-01 00:00:00")
        ),
        format!(
            "INSERT INTO policy (tenant_id, version, anonymize_after_months, retain_months, \
             effective_from, created_at, created_by) VALUES (1, 1, 2, 13, {since}, {since}, 'before'), \
             (1, 2, 1, 12, {shorter}, {shorter}, 'before')",
            since = time("2020-01-01 00:00:00"),
            shorter = time("2024-04-01 12:00:00")
        ),
        format!(
            "INSERT INTO tenant_run (tenant_id, id, period, state, due_at, policy_version, \
             anonymize_cutoff, purge_cutoff, attempts, started_at) \
             VALUES (1, {id}, '2024-04', 'running', {}, 1, {}, {}, 1, {})",
            time("2024-03-31 22:00:00"),
            time(ANONYMIZE_CUTOFF),
            time(PURGE_CUTOFF),
            time("2024-03-31 22:00:05")
        ),
        format!("INSERT INTO run_lease (tenant_id, run_id, slice) VALUES (1, {id}, 0)"),
    ] {
        db.execute_unprepared(&statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

on_every_database! {
    async fn an_open_run_of_the_version_before_ends_with_its_pinned_cutoffs(scratch: Scratch) {
        left_behind(&scratch).await;
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = TenantId(1);
        let person = |added_at| Person {
            added_at,
            email: Some("ann@example.org"),
            unsubscribed_at: None,
        };
        let deleted = world.person(tenant, person("2023-02-28T22:59:59Z")).await;
        let anonymized = world.person(tenant, person("2024-01-31T22:59:59Z")).await;
        // By the policy of today they would be anonymized, or deleted; by what is pinned they are not.
        let kept = world.person(tenant, person("2024-02-15T00:00:00Z")).await;
        let only_anonymized = world.person(tenant, person("2023-03-15T00:00:00Z")).await;
        let entries = world.run().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert_eq!(entries[0].report.anonymize_cutoff, Some(at("2024-01-31T23:00:00Z")));
        assert_eq!(entries[0].report.purge_cutoff, Some(at("2023-02-28T23:00:00Z")));
        assert!(world.find(tenant, deleted).await.is_none());
        for id in [anonymized, only_anonymized] {
            assert!(world.find(tenant, id).await.expect("kept").anonymized_at.is_some());
        }
        assert!(world.find(tenant, kept).await.expect("kept").email.is_some());
        let record = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((record.id, record.attempts), (Uuid::from_u128(7), 2));
        assert_eq!(record.tzdata_release, None, "it was pinned before releases were recorded");
        assert!(world.verify(None).await[0].ok);
        let shown = world.binary().run(&["runs", "show", &record.id.to_string()]).expect_code(0);
        assert!(shown.stdout.contains("completed"), "{}", shown.stdout);
        assert!(world.run().await.iter().all(|entry| entry.report.purged == 0));
    }
}
