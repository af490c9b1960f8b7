//! Nothing to do: every tenant's period is done. Whoever looks finds that out by as many statements for
//! a thousand tenants as for ten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, Utc};
use entity::{policy, tenant, tenant_run};
use retentiond::clock::FixedClock;
use retentiond::config::DatabaseConfig;
use retentiond::domain::period::{Months, Period};
use retentiond::engine::due::Scope;
use retentiond::engine::report::{Outcome, PassEntry};
use retentiond::engine::survey::{Survey, survey};
use retentiond::engine::{Engine, pass};
use retentiond::ids::TenantId;
use retentiond::store::requirements::Requirement;
use retentiond::store::{self, keys, schema};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use crate::support::crowd::store as insert;
use crate::support::proxy::{Proxy, Victim};
use crate::support::world::database_config_at;
use crate::support::{Backend, Scratch, World, at, scratch};

/// In the middle of a month, so that every zone is in the same period.
const NOW: &str = "2026-04-15T00:00:00Z";
const PERIODS: [&str; 2] = ["2026-03", "2026-04"];
const ZONES: [&str; 4] = [
    "Pacific/Kiritimati",
    "Europe/Brussels",
    "UTC",
    "America/New_York",
];

/// Every so many tenants one has no policy, and its runs say so: each of these is claimed.
const UNRULED: usize = 100;

/// Of no tenant.
const NONE: usize = usize::MAX;

/// For a debug build on a machine that is busy with other tests, where a pass takes a tenth of a
/// second. One that claims each of a thousand runs takes longer than this. What the release build
/// takes is measured by `.ci/idle`.
const PASS_MAX: Duration = Duration::from_secs(5);

fn year() -> Months {
    Months::try_from(12).expect("months")
}

fn cutoff(period: &str, months: Months) -> DateTime<Utc> {
    let period: Period = period.parse().expect("a period");
    let midnight = period.minus(months).nominal_date().and_time(NaiveTime::MIN);
    midnight.and_utc()
}

/// A platform whose tenants 1 to `tenants` have nothing to do, every `unruled`th for want of a policy.
async fn idle(scratch: Scratch, tenants: usize, unruled: usize) -> World {
    let world = World::new(scratch, NOW).await;
    let since = at("2020-01-01T00:00:00Z");
    let ids = || 1..=i64::try_from(tenants).expect("few");
    let is_unruled = |id: i64| usize::try_from(id).expect("positive") % unruled == 0;
    let rows = ids().zip(ZONES.into_iter().cycle());
    let rows = rows.map(|(id, zone)| tenant::ActiveModel {
        id: Set(id),
        slug: Set(format!("tenant-{id}")),
        name: Set(format!("Tenant {id}")),
        time_zone: Set(zone.to_owned()),
        created_at: Set(since),
        unsubscribe_count: Set(0),
    });
    insert::<tenant::Entity, _>(&world, rows.collect()).await;
    let rows = ids().filter(|id| !is_unruled(*id));
    let rows = rows.map(|id| policy::ActiveModel {
        tenant_id: Set(id),
        version: Set(1),
        anonymize_after_months: Set(Some(1)),
        retain_months: Set(Some(12)),
        quarantine_days: Set(None),
        long_quarantine_accepted: Set(false),
        effective_from: Set(since),
        created_at: Set(since),
        created_by: Set("test".to_owned()),
        reason: Set(String::new()),
    });
    insert::<policy::Entity, _>(&world, rows.collect()).await;
    let rows = ids().flat_map(|id| PERIODS.map(|period| (id, period)));
    let rows = rows.map(|(id, period)| {
        let state = if is_unruled(id) {
            "no_policy"
        } else {
            "completed"
        };
        tenant_run::ActiveModel {
            tenant_id: Set(id),
            id: Set(Uuid::now_v7()),
            period: Set(period.to_owned()),
            state: Set(state.to_owned()),
            due_at: Set(at(&format!("{period}-01T00:00:00Z"))),
            policy_version: Set((!is_unruled(id)).then_some(1)),
            // What the calendar gives in UTC; other zones are not far from it.
            anonymize_cutoff: Set((!is_unruled(id)).then(|| cutoff(period, Months::MIN))),
            purge_cutoff: Set((!is_unruled(id)).then(|| cutoff(period, year()))),
            attempts: Set(1),
            started_at: Set((!is_unruled(id)).then(|| at(&format!("{period}-01T01:00:00Z")))),
            finished_at: Set((!is_unruled(id)).then(|| at(&format!("{period}-01T01:00:00Z")))),
            ..Default::default()
        }
    });
    insert::<tenant_run::Entity, _>(&world, rows.collect()).await;
    world
}

async fn run_pass(engine: &Engine) -> Vec<PassEntry> {
    let pass = pass::run(engine, &Scope::default()).await;
    pass.expect("the pass begins").expect("no unknown tenant")
}

/// As the daemon does at each sweep.
async fn look(engine: &Engine) -> Survey {
    let database = &engine.database;
    let unmet = database
        .unmet_of(&Requirement::ALL)
        .await
        .expect("an answer");
    assert_eq!(unmet, None);
    schema::ensure_current(database).await.expect("the schema");
    keys::check(database, &engine.keyring)
        .await
        .expect("the keyring");
    survey(engine).await.expect("a look")
}

fn assert_nothing_done(entries: &[PassEntry], tenants: usize, unruled: usize) {
    assert_eq!(entries.len(), tenants);
    let without = entries
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::NoPolicy));
    assert_eq!(without.count(), tenants / unruled);
    let completed = entries
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::AlreadyCompleted));
    assert_eq!(completed.count(), tenants - tenants / unruled);
    assert!(entries.iter().all(|entry| entry.report.run_id.is_some()));
}

/// How many requests a pass and a look send.
async fn requests(backend: Backend, tenants: usize) -> [usize; 2] {
    let world = idle(scratch(backend).await, tenants, NONE).await;
    let proxy = Proxy::start(backend, world.scratch.url(), &[], Victim::default()).await;
    let config = DatabaseConfig {
        // A second one may be opened while the first is on its way back to the pool, and prepares
        // its statements anew.
        max_connections: 1,
        ..database_config_at(&proxy.url(world.scratch.url()))
    };
    let database = store::connect(&config, Duration::from_secs(60))
        .await
        .expect("the database opens");
    let engine = Engine {
        database,
        ..world.engine.clone()
    };
    let before = world.fingerprint().await;
    // Once before it counts: what is sent for the first time on a connection is prepared first.
    run_pass(&engine).await;
    look(&engine).await;
    let count = || proxy.seen().len();
    let since = count();
    assert_nothing_done(&run_pass(&engine).await, tenants, NONE);
    let between = count();
    let looked = look(&engine).await;
    let after = count();
    assert_eq!(looked.findings.owed.len(), 0);
    assert_eq!(looked.findings.states.values().sum::<u64>(), tenants as u64);
    assert_eq!(before, world.fingerprint().await);
    engine.database.close().await;
    [between - since, after - between]
}

async fn takes_as_many_statements_for_a_thousand_tenants(backend: Backend) {
    let [pass, look] = requests(backend, 10).await;
    assert!(pass > 0 && look > 0);
    assert_eq!([pass, look], requests(backend, 1_000).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_as_many_statements_for_a_thousand_tenants_postgres() {
    takes_as_many_statements_for_a_thousand_tenants(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_as_many_statements_for_a_thousand_tenants_mariadb() {
    takes_as_many_statements_for_a_thousand_tenants(Backend::MariaDb).await;
}

on_every_database! {
    async fn a_pass_over_a_thousand_tenants_is_quick_and_misses_nobody(scratch: Scratch) {
        let tenants = 1_000;
        let mut world = idle(scratch, tenants, UNRULED).await;
        let started = Instant::now();
        let entries = run_pass(&world.engine).await;
        let passed_in = started.elapsed();
        assert_nothing_done(&entries, tenants, UNRULED);
        assert!(passed_in < PASS_MAX, "{passed_in:?}");
        let started = Instant::now();
        look(&world.engine).await;
        let looked_in = started.elapsed();
        assert!(looked_in < PASS_MAX, "{looked_in:?}");

        // Of those who were left alone, each that is owed a run after all gets one: of a policy that
        // was dated back, of a failure, of a gap, and of a zone that reaches the next month first.
        world.policy(TenantId(100), Some(1), Some(12), "2020-01-01T00:00:00Z").await;
        world.rewrite("UPDATE tenant_run SET state = 'failed' WHERE tenant_id = 11 AND period = '2026-04'").await;
        world.sql("DELETE FROM tenant_run WHERE tenant_id = 12 AND period = '2026-04'").await;
        world.sql("UPDATE tenant SET time_zone = 'Europe/Nowhere' WHERE id = 15").await;
        let slugs = |entries: &[PassEntry], wanted: fn(&Outcome) -> bool| {
            let found = entries.iter().filter(|entry| wanted(&entry.outcome));
            found.map(|entry| entry.report.tenant.clone()).collect::<Vec<_>>()
        };
        let entries = run_pass(&world.engine).await;
        let done = slugs(&entries, |outcome| matches!(outcome, Outcome::Done));
        assert_eq!(done, ["tenant-100", "tenant-11", "tenant-12"]);
        let failed = slugs(&entries, |outcome| matches!(outcome, Outcome::Failed { .. }));
        assert_eq!(failed, ["tenant-15"]);
        world.sql("UPDATE tenant SET time_zone = 'UTC' WHERE id = 15").await;

        // The first zone is in May, the others are not.
        world.engine.clock = Arc::new(FixedClock(at("2026-04-30T12:00:00Z")));
        let owed = look(&world.engine).await.findings.owed;
        assert_eq!(owed.len(), tenants / ZONES.len());
        assert!(owed.iter().all(|candidate| candidate.period.to_string() == "2026-05"));
    }
}
