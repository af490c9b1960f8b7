//! Runs make way: they pause between two batches while a limit is passed, keep their lease meanwhile,
//! and go on to the very end.

mod latency;
mod mariadb;
mod postgres;
mod wal_rate;
mod window;

use chrono::{DateTime, Utc};
use entity::{run_batch, run_lease};
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::support::{Binary, Serving, World, holds_within};

use super::{LONG, is_completed};

/// So many to be deleted: with one in each batch, a run lasts long enough to be interrupted.
const PEOPLE: usize = 60;

/// A daemon whose runs are slow: one participant a batch, and so many a second.
fn slow(world: &World, rows_per_second: usize) -> Binary {
    world
        .binary()
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
        .env("RETENTIOND__ENGINE__LEASE_DURATION", "1s")
        .env(
            "RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX",
            &rows_per_second.to_string(),
        )
}

async fn batches(world: &World, tenant: TenantId) -> u64 {
    run_batch::Entity::find()
        .filter(run_batch::Column::TenantId.eq(tenant.0))
        .count(&world.db)
        .await
        .expect("a count")
}

async fn wait_batches(world: &World, tenant: TenantId, at_least: u64, serving: &Serving) {
    let there = holds_within(LONG, async || batches(world, tenant).await >= at_least);
    assert!(there.await, "not {at_least} batches: {}", serving.log());
    assert!(!is_completed(world, tenant).await, "it was too fast");
}

/// Until when the lease of the tenant's run is held.
async fn lease(world: &World, tenant: TenantId) -> Option<DateTime<Utc>> {
    let lease = run_lease::Entity::find()
        .filter(run_lease::Column::TenantId.eq(tenant.0))
        .filter(run_lease::Column::Token.is_not_null())
        .one(&world.db)
        .await
        .expect("a lease");
    lease.and_then(|lease| lease.expires_at)
}

/// Waits until a run pauses for `reason`. It then keeps its lease for longer than that lasts, and
/// commits nothing.
async fn it_pauses(world: &World, tenant: TenantId, serving: &Serving, reason: &str) {
    let paused = format!("retention_runs_paused{{reason=\"{reason}\"}}");
    let pauses = holds_within(LONG, async || serving.metric(&paused) == Some(1.0));
    assert!(pauses.await, "no pause: {}", serving.log());
    let before = batches(world, tenant).await;
    let mut held_until = lease(world, tenant).await.expect("it holds its lease");
    for _ in 0..3 {
        let renewed = holds_within(LONG, async || {
            lease(world, tenant)
                .await
                .is_some_and(|until| until > held_until)
        });
        assert!(
            renewed.await,
            "the lease was not renewed: {}",
            serving.log()
        );
        held_until = lease(world, tenant).await.expect("it holds its lease");
    }
    assert_eq!(serving.metric(&paused), Some(1.0), "{}", serving.log());
    assert_eq!(batches(world, tenant).await, before, "{}", serving.log());
    assert!(!is_completed(world, tenant).await);
}

/// Lines of the log that are `event`'s and for `reason`.
fn events(log: &str, event: &str, reason: &str) -> usize {
    let (event, reason) = (
        format!("\"event\":\"{event}\""),
        format!("\"reason\":\"{reason}\""),
    );
    let is_one = |line: &&str| line.contains(&event) && line.contains(&reason);
    log.lines().filter(is_one).count()
}

/// What was paused for is told once at its beginning and once at its end, and counted.
fn it_was_told(serving: &Serving, reason: &str) {
    let log = serving.log();
    assert_eq!(events(&log, "throttle_began", reason), 1, "{log}");
    assert_eq!(events(&log, "throttle_ended", reason), 1, "{log}");
    let count = format!("retention_throttle_pause_seconds_count{{reason=\"{reason}\"}}");
    assert!(serving.metric(&count) >= Some(1.0), "{log}");
    let paused = format!("retention_runs_paused{{reason=\"{reason}\"}}");
    assert_eq!(serving.metric(&paused), Some(0.0), "{log}");
}
