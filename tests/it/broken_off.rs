//! Runs that end in the middle: by a defect, or because somebody asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use retentiond::engine::pass;
use retentiond::engine::report::{Outcome, PassEntry};
use retentiond::ids::{IdSource, RandomIds, TenantId};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Person, Scratch, World};

/// Ids, and what happens when the engine asks for one of them: each batch has one.
struct Interrupting<F> {
    asked: AtomicUsize,
    at: usize,
    interrupt: F,
}

impl<F> std::fmt::Debug for Interrupting<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Interrupting")
            .finish_non_exhaustive()
    }
}

impl<F: Fn() + Send + Sync> IdSource for Interrupting<F> {
    fn next(&self) -> Uuid {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.interrupt)();
        }
        RandomIds.next()
    }

    fn token(&self) -> Uuid {
        RandomIds.token()
    }
}

async fn people(scratch: Scratch) -> (World, TenantId) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("acme", "UTC").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    for _ in 0..10 {
        let person = Person {
            added_at: "2023-10-15T12:00:00Z",
            ..Person::default()
        };
        world.person(tenant, person).await;
    }
    (world, tenant)
}

/// Runs what is due, and lets `interrupt` happen when the engine asks for its `at`th id.
async fn interrupted(
    world: &World,
    at: usize,
    interrupt: impl Fn() + Send + Sync + 'static,
) -> PassEntry {
    let mut engine = world.engine.clone();
    engine.ids = Arc::new(Interrupting {
        asked: AtomicUsize::new(0),
        at,
        interrupt,
    });
    let entries = pass::run(&engine, &Default::default()).await;
    entries.expect("a pass").expect("known tenants").remove(0)
}

on_every_database! {
    async fn a_run_that_a_defect_ends_reports_what_it_did_before(scratch: Scratch) {
        let (world, tenant) = people(scratch).await;
        // The first id is the run's; two batches of three people follow.
        let entry = interrupted(&world, 4, || panic!("a defect")).await;
        assert!(matches!(entry.outcome, Outcome::Failed { failure_class: "panic", .. }), "{entry:?}");
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((run.state.as_str(), run.anonymized), ("failed", 6));
        assert_eq!((entry.report.anonymized, entry.report.counts_unknown), (6, false));
        // The next attempt reports its own work only, also if a defect ends it: one batch of three.
        let entry = interrupted(&world, 2, || panic!("a defect")).await;
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!((entry.report.anonymized, run.anonymized), (3, 9), "{entry:?}");
        // And the last person goes as if nothing had happened.
        let done = world.run().await.remove(0);
        assert!(matches!(done.outcome, Outcome::Done), "{done:?}");
        assert_eq!(done.report.anonymized, 1);
    }

    async fn a_run_that_was_stopped_has_neither_an_end_nor_a_duration(scratch: Scratch) {
        let (world, tenant) = people(scratch).await;
        let stop = world.engine.stop.child_token();
        let mut stoppable = world.engine.clone();
        stoppable.stop = stop.clone();
        stoppable.ids = Arc::new(Interrupting {
            asked: AtomicUsize::new(0),
            at: 3,
            interrupt: move || stop.cancel(),
        });
        let entries = pass::run(&stoppable, &Default::default()).await;
        let entry = entries.expect("a pass").expect("known tenants").remove(0);
        assert!(matches!(entry.outcome, Outcome::Stopped), "{entry:?}");
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(run.state, "pending");

        let binary = world.binary();
        let id = run.id.to_string();
        let shown = binary.run(&["runs", "show", &id, "--output", "json"]).expect_code(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        assert!(shown["finished_at"].is_null() && shown["duration_seconds"].is_null(), "{shown}");
        assert!(!shown["started_at"].is_null(), "{shown}");
        let table = binary.run(&["runs", "show", &id]).expect_code(0).stdout;
        for fact in ["finished", "took"] {
            let line = table.lines().find(|line| line.starts_with(fact)).expect(fact);
            assert!(line.ends_with('-'), "{line}");
        }
        let listed = binary.run(&["runs", "list", "--output", "json"]).expect_code(0);
        let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        assert!(listed["runs"][0]["finished_at"].is_null(), "{listed}");

        // Once it is done it has both.
        let done = world.run().await.remove(0);
        assert!(matches!(done.outcome, Outcome::Done), "{done:?}");
        let shown = binary.run(&["runs", "show", &id, "--output", "json"]).expect_code(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        assert!(!shown["finished_at"].is_null() && !shown["duration_seconds"].is_null(), "{shown}");
    }
}
