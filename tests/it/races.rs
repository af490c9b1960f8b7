//! Writers that work on the same rows while the real `retentiond run` does, at each isolation level
//! that an application may use.
//!
//! Each round makes a tenant with people of every age, and lets six writers loose on them:
//!
//! - four of the platform's, in SQL: they mark people as unsubscribed, change addresses, add answers,
//!   invitations and people, and move rows across the cutoffs by a new `added_at`, which no platform
//!   should do. Some keep their transaction open for several batches, some roll back, and each tries
//!   a transaction again that lost to another, as an application does;
//! - the real `unsubscribe`, and the real import, on addresses that they share.
//!
//! What each of them *committed* is known, row by row ([`known`]). A row's writers and the run meet
//! at the row's lock; so a write that matched the row came before its erasure, and what the writer
//! read of it in the same transaction is what the run found. Therefore the row that a batch erased is
//! known exactly, and with it whether it was right to erase it, and which hash must be there
//! ([`judge`]). Only for what was committed around the recount there are two legal ends: gone, or
//! still there and named by `verify`.

mod facts;
mod judge;
mod known;
mod platform;
mod residents;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use retentiond::ids::TenantId;
use sea_orm::IsolationLevel;
use serde_json::Value;

use crate::support::campaign::{is_long, report, seed_or};
use crate::support::{Backend, Binary, Snapshot, World, scratch};
use facts::Facts;
use judge::{Verdict, judge};
use known::{Level, Told};

/// The period of every run; its cutoffs are in [`known`].
const PERIOD: &str = "2024-04";

/// Tenants, one after the other, in each test.
const ROUNDS: u64 = 6;
const ROUNDS_LONG: u64 = 60;

/// Rows keep coming into reach while the run recounts; a run that gives up for that reason is taken
/// up again, as by the next tick.
const RUNS_MAX: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_read_committed_postgres() {
    race(
        Backend::Postgres,
        Level::Isolation(IsolationLevel::ReadCommitted),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_repeatable_read_postgres() {
    race(
        Backend::Postgres,
        Level::Isolation(IsolationLevel::RepeatableRead),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_serializable_postgres() {
    race(
        Backend::Postgres,
        Level::Isolation(IsolationLevel::Serializable),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_read_uncommitted_mariadb() {
    race(
        Backend::MariaDb,
        Level::Isolation(IsolationLevel::ReadUncommitted),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_read_committed_mariadb() {
    race(
        Backend::MariaDb,
        Level::Isolation(IsolationLevel::ReadCommitted),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_repeatable_read_mariadb() {
    race(
        Backend::MariaDb,
        Level::Isolation(IsolationLevel::RepeatableRead),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_serializable_mariadb() {
    race(
        Backend::MariaDb,
        Level::Isolation(IsolationLevel::Serializable),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_immediate_transactions_sqlite() {
    race(Backend::Sqlite, Level::Immediate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_deferred_transactions_sqlite() {
    race(Backend::Sqlite, Level::Deferred).await;
}

async fn race(backend: Backend, level: Level) {
    let world = World::new(scratch(backend).await, "2024-04-02T00:00:00Z").await;
    let binary = short_of_breath(&world);
    let rounds = if is_long() { ROUNDS_LONG } else { ROUNDS };
    let mut verdict = Verdict::default();
    for round in 0..rounds {
        // Each round by a seed of its own, so that the next one repeats it alone.
        let seed = seed_or(1).wrapping_add(round);
        report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
        verdict += one_round(&world, &binary, level, round, seed).await;
    }
    report(&format!("{backend:?}, {level:?}: {verdict:?}"));
    verdict.require_races(rounds);
}

/// Tiny batches at a slow pace, so that writers come between them.
fn short_of_breath(world: &World) -> Arc<Binary> {
    let binary = world
        .binary()
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "3")
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "60")
        .env("RETENTIOND__ENGINE__RETRY_BACKOFF_INITIAL", "10ms");
    Arc::new(binary)
}

async fn one_round(
    world: &World,
    binary: &Arc<Binary>,
    level: Level,
    round: u64,
    seed: u64,
) -> Verdict {
    let mut random = StdRng::seed_from_u64(seed);
    let slug = format!("tenant-{round}");
    let tenant = world.tenant(&slug, "Europe/Brussels").await;
    let since = "2023-01-01T00:00:00Z";
    world.policy(tenant, Some(1), Some(12), since).await;
    let (platform, residents) = known::populate(world, tenant, &mut random).await;

    let is_over = Arc::new(AtomicBool::new(false));
    let retries = Arc::new(AtomicUsize::new(0));
    let mut writers = Vec::new();
    for people in platform {
        let writer = platform::Writer {
            db: world.scratch.connect().await,
            tenant,
            level,
            random: StdRng::seed_from_u64(random.random()),
            retries: Arc::clone(&retries),
            people,
        };
        writers.push(tokio::spawn(writer.work(Arc::clone(&is_over))));
    }
    let residents = residents::Residents::new(world, tenant, &slug, residents, &mut random);
    let run = async {
        let before = random.random_range(0..150);
        tokio::time::sleep(Duration::from_millis(before)).await;
        let (binary, slug) = (Arc::clone(binary), slug.clone());
        let told = tokio::task::spawn_blocking(move || run_to_the_end(&binary, &slug)).await;
        is_over.store(true, Ordering::Relaxed);
        told.expect("a run to its end")
    };
    let (residents, told) = tokio::join!(residents.work(Arc::clone(&is_over)), run);
    let mut platform = Vec::new();
    for writer in writers {
        platform.push(writer.await.expect("a writer's end"));
    }

    let facts = Facts::read(world, tenant, told).await;
    let mut verdict = judge(world, tenant, &platform, &residents, &facts);
    verdict.retries = retries.load(Ordering::Relaxed);
    require_verified(world, binary, tenant, &slug, &facts).await;
    require_no_second_run(world, binary, tenant, &slug).await;
    verdict
}

/// Runs the tenant's period until it is completed; when it recounted, and when it was completed.
fn run_to_the_end(binary: &Binary, slug: &str) -> Told {
    for _ in 0..RUNS_MAX {
        let finished = binary.run(&["run", "--period", PERIOD, "--tenant", slug]);
        let log = finished.stderr;
        // A reader that held SQLite's write-ahead log at the end is told of; all the rest is done.
        let is_log_in_use = finished.code == 3 && log.contains("write_ahead_log_in_use");
        if finished.code == 0 || is_log_in_use {
            let recount = time_of_last(&log, "\"event\":\"stage_completed\"");
            let completed = time_of_last(&log, "\"event\":\"tenant_run_completed\"");
            return Told {
                recounted_after: recount.expect("a stage"),
                completed_before: completed.expect("an end"),
                retried: log.matches("\"event\":\"batch_retried\"").count(),
            };
        }
        assert!(
            finished.code == 1 && log.contains("\"class\":\"leftover\""),
            "exit code {}: {log}",
            finished.code
        );
    }
    panic!("rows kept coming into reach through {RUNS_MAX} runs");
}

fn time_of_last(log: &str, event: &str) -> Option<DateTime<Utc>> {
    let line = log.lines().rev().find(|line| line.contains(event))?;
    let line: Value = serde_json::from_str(line).expect("JSON");
    Some(line["timestamp"].as_str()?.parse().expect("a time"))
}

/// `verify` names what was moved into reach around the recount, and what came late, and nothing else.
async fn require_verified(
    world: &World,
    binary: &Binary,
    tenant: TenantId,
    slug: &str,
    facts: &Facts,
) {
    let arguments = ["verify", "--period", PERIOD, "--tenant", slug];
    let verified = binary.run(&[&arguments[..], &["--output", "json"]].concat());
    let document: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    let found = &document["tenants"][0];
    let left = facts.left();
    for (name, count) in [
        ("late", left.late),
        ("overdue_anonymize", left.anonymize),
        ("overdue_purge", left.purge),
        ("orphans", 0),
        ("empty_uploads", 0),
        ("queued_invitations", 0),
        ("unrecorded", 0),
        ("record_mismatches", 0),
    ] {
        assert_eq!(found[name], count, "verify: {name}: {found}");
    }
    // The writers add invitations for whomever they meet.
    let queued = "SELECT COUNT(*) FROM invitation JOIN participant ON participant.id = invitation.participant_id \
                  WHERE state = 'queued' AND unsubscribed_at IS NOT NULL AND anonymized_at IS NULL \
                  AND participant.tenant_id = ";
    let queued = world.number(&format!("{queued}{}", tenant.0)).await;
    assert_eq!(found["queued_for_unsubscribed"], queued, "{found}");
    let is_clean = left.anonymize + left.purge == 0 && queued == 0;
    assert_eq!(verified.code, i32::from(!is_clean), "{}", verified.stdout);
}

/// S6.
async fn require_no_second_run(world: &World, binary: &Binary, tenant: TenantId, slug: &str) {
    let of_tenant = [tenant.0].into();
    let before = Snapshot::take(&world.db).await.of(&of_tenant);
    binary
        .run(&["run", "--period", PERIOD, "--tenant", slug])
        .expect_code(0);
    let after = Snapshot::take(&world.db).await.of(&of_tenant);
    let differences = before.differences(&after);
    assert!(
        differences.is_empty(),
        "S6: changed by a second run: {differences:?}"
    );
}
