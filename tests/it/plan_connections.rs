//! `plan` counts several tenants at a time, each on a connection of its own: no more of them than the
//! pool has connections, for whoever waits for one waits no longer than for a connect.

use std::time::Duration;

use retentiond::config::DatabaseConfig;
use retentiond::engine::due::Scope;
use retentiond::engine::permits::Permits;
use retentiond::engine::{Engine, plan};
use retentiond::store;

use crate::support::proxy::{Fault, Proxy, Trigger, Victim};
use crate::support::world::database_config_at;
use crate::support::{Backend, World, scratch};

/// Of the pool.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// For one count.
const COUNT: Duration = Duration::from_secs(2);

const TENANTS: usize = 4;

/// The world's engine, by way of a proxy with these faults, with one connection and many workers.
async fn slow(world: &World, faults: &[(Trigger, Fault)]) -> (Engine, Proxy) {
    let url = world.scratch.url();
    let proxy = Proxy::start(Backend::Postgres, url, faults, Victim::default()).await;
    let config = DatabaseConfig {
        max_connections: 1,
        connect_timeout: WAIT_MAX,
        ..database_config_at(&proxy.url(url))
    };
    let database = store::connect(&config, Duration::from_secs(60)).await;
    let engine = Engine {
        database: database.expect("the database opens"),
        permits: Permits::new(TENANTS),
        ..world.engine.clone()
    };
    (engine, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_in_vain_for_a_connection_while_another_tenant_is_counted() {
    let world = World::new(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    for number in 0..TENANTS {
        let tenant = world.tenant(&format!("tenant-{number}"), "UTC").await;
        world
            .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
            .await;
    }
    let (engine, proxy) = slow(&world, &[]).await;
    let planned = plan::plan(&engine, &Scope::default()).await;
    planned.expect("a plan").expect("known tenants");
    let is_count = "/* recount.eligible */";
    let seen = proxy.seen();
    let count = seen.iter().position(|seen| seen.text.starts_with(is_count));
    let count = count.expect("a count of participants") + 1;

    let delay = (Trigger::Number(count), Fault::Delay(COUNT));
    let (engine, _proxy) = slow(&world, &[delay]).await;
    let planned = plan::plan(&engine, &Scope::default()).await;
    let planned = planned.expect("a plan").expect("known tenants");
    assert_eq!(planned.len(), TENANTS);
    for entry in planned {
        entry.report.expect("each tenant is counted");
    }
}
