//! The real daemon, as a service manager, an SRE and the platform see it.

mod http;
mod life;
mod log;
mod metrics;
mod outages;
mod pace;
mod reload;
mod state;
mod throttle;
mod tzdata;
mod work;

use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use entity::tenant_run;
use retentiond::clock::{Clock, SystemClock};
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::support::{Binary, Person, Scratch, Serving, World, holds_within};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

/// A platform at the real time: what is due today is due in these tests.
async fn world(scratch: Scratch) -> World {
    World::new(scratch, "2020-01-01T00:00:00Z").await
}

/// A tenant with a policy of 1 month and 1 year and these numbers of participants: to be deleted, to be
/// anonymized, and too young for either. The policy comes last: a daemon that is up would take the
/// first of them while the rest are still being stored.
async fn tenant(world: &World, slug: &str, old: usize, middling: usize, young: usize) -> TenantId {
    let tenant = world.tenant(slug, "Europe/Brussels").await;
    people(world, tenant, old, &days_ago(1_000)).await;
    people(world, tenant, middling, &days_ago(180)).await;
    people(world, tenant, young, &days_ago(2)).await;
    world
        .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
        .await;
    tenant
}

fn days_ago(days: i64) -> String {
    (SystemClock.now() - TimeDelta::days(days)).to_rfc3339()
}

async fn people(world: &World, tenant: TenantId, number: usize, added_at: &str) {
    for _ in 0..number {
        let person = Person {
            added_at,
            email: Some("ann@example.org"),
            unsubscribed_at: None,
        };
        world.person(tenant, person).await;
    }
}

async fn runs(world: &World, tenant: TenantId) -> Vec<tenant_run::Model> {
    tenant_run::Entity::find()
        .filter(tenant_run::Column::TenantId.eq(tenant.0))
        .all(&world.db)
        .await
        .expect("the runs of a tenant")
}

async fn is_completed(world: &World, tenant: TenantId) -> bool {
    runs(world, tenant)
        .await
        .iter()
        .any(|run| run.state == "completed")
}

async fn wait_completed(world: &World, tenant: TenantId, serving: &Serving) {
    let in_time = holds_within(LONG, async || is_completed(world, tenant).await).await;
    assert!(in_time, "the run was not completed: {}", serving.log());
}

/// Waits for an event to be logged at least so many times.
async fn wait_event(serving: &Serving, event: &str, times: usize) {
    let in_time = holds_within(LONG, async || serving.events(event) >= times).await;
    assert!(in_time, "no {event}: {}", serving.log());
}

/// A binary with a keyring that the world's database knows, and without a URL in its environment.
fn unconfigured(from: &Binary) -> Binary {
    let binary = Binary::new();
    let name = "retentiond.keyring";
    fs::copy(from.directory().join(name), binary.directory().join(name)).expect("a keyring");
    binary
}
