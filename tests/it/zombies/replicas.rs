//! Real `serve`s that divide the work of a crowd of tenants; one of them is stopped at a random
//! instant, in the middle of several runs. (`replicas.rs` beside this has one that is stopped among
//! four that are killed, on servers that are reached directly.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use entity::{run_lease, tenant_run};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{PATIENCE, TAKEOVER_MARGIN};
use crate::replicas::{held_by, prove, unfinished};
use crate::support::bouncer::Bouncer;
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::{Backend, Binary, Crowd, Serving, Snapshot, holds_within, scratch};

/// As many as a replica has workers, so that nothing has to wait in line for its takeover.
const TENANTS: usize = 8;

const LEASE: Duration = Duration::from_secs(2);

const ROUNDS: u64 = 3;
const ROUNDS_LONG: u64 = 30;

/// A replica that has nothing in hand just then is woken again, and stopped a little later.
const STOPS_MAX: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_stopped_replica_is_taken_over_in_time_mariadb() {
    rounds(Backend::MariaDb, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_stopped_replica_is_taken_over_in_time_pgbouncer() {
    rounds(Backend::Postgres, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_stopped_replica_is_taken_over_in_time_sqlite() {
    rounds(Backend::Sqlite, false).await;
}

async fn rounds(backend: Backend, is_pooled: bool) {
    let rounds = if is_long() { ROUNDS_LONG } else { ROUNDS };
    for round in 0..rounds {
        let seed = seed_or(1).wrapping_add(round);
        report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
        let crowd = Crowd::new(scratch(backend).await, TENANTS).await;
        let binary = short_of_breath(&crowd);
        if is_pooled {
            let bouncer = Bouncer::start(crowd.world.scratch.url()).await;
            let url = bouncer.url(crowd.world.scratch.url());
            let binary = binary.env("RETENTIOND__DATABASE__URL", &url);
            stop_one(&crowd, &binary, StdRng::seed_from_u64(seed)).await;
        } else {
            stop_one(&crowd, &binary, StdRng::seed_from_u64(seed)).await;
        }
    }
}

/// Small batches at a slow pace, so that stops come in the middle of runs.
fn short_of_breath(crowd: &Crowd) -> Binary {
    [
        ("ENGINE__BATCH_ROWS", "1".to_owned()),
        ("ENGINE__ROWS_PER_SECOND_MAX", "16".to_owned()),
        ("ENGINE__WORKERS", TENANTS.to_string()),
        ("ENGINE__LEASE_DURATION", format!("{}s", LEASE.as_secs())),
        // As many as workers, and no more than the server lets three replicas have.
        ("DATABASE__MAX_CONNECTIONS", TENANTS.to_string()),
    ]
    .into_iter()
    .fold(crowd.world.binary(), |binary, (name, value)| {
        binary.env(&format!("RETENTIOND__{name}"), &value)
    })
}

async fn stop_one(crowd: &Crowd, binary: &Binary, mut random: StdRng) {
    let before = Snapshot::take(&crowd.world.db).await;
    let mut replicas = vec![binary.serve(), binary.serve()];
    let (victim, held, stopped) = stop_in_hand(crowd, &replicas, &mut random).await;
    let zombie = replicas.swap_remove(victim);
    let other = replicas.remove(0);
    let runs: BTreeSet<Uuid> = held.values().copied().collect();
    let tenants: BTreeSet<i64> = held.keys().copied().collect();

    let taken = holds_within(PATIENCE, async || {
        let left = held_by(crowd, zombie.pid()).await;
        left.is_empty()
    });
    assert!(taken.await, "nobody took over: {}", other.log());
    let taken_after = stopped.elapsed();
    assert!(
        taken_after <= LEASE + TAKEOVER_MARGIN,
        "taken over after {taken_after:?}: {}",
        other.log()
    );
    let finished = holds_within(PATIENCE, async || {
        let states = runs_of(crowd, &runs).await;
        states.iter().all(|run| run.state == "completed")
    });
    assert!(finished.await, "not finished: {}", other.log());

    let seen = Snapshot::take(&crowd.world.db).await.of(&tenants);
    let leases = leases_of(crowd, &runs).await;
    let said = zombie.log().len();
    zombie.wake();
    let gave_up = holds_within(PATIENCE, async || {
        let log = zombie.log().split_off(said);
        let lost = super::lost(&log);
        runs.iter().all(|run| lost.contains(&run.to_string()))
    });
    assert!(gave_up.await, "it did not notice: {}", zombie.log());
    let now = Snapshot::take(&crowd.world.db).await.of(&tenants);
    let differences = seen.differences(&now);
    assert!(
        differences.is_empty(),
        "the zombie wrote {differences:?}: {}",
        zombie.log()
    );
    assert_eq!(leases, leases_of(crowd, &runs).await, "leases");

    let done = holds_within(PATIENCE, async || unfinished(crowd).await == 0);
    assert!(done.await, "{}{}", zombie.log(), other.log());
    for replica in [zombie, other] {
        let (status, log) = replica.terminate(PATIENCE).await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
    // What the zombie did before it was stopped, and the other after that, is each run once.
    prove(crowd, &before, binary).await;
    let count = runs.len();
    report(&format!("{count} runs taken over within {taken_after:?}"));
}

/// Stops a replica while it has runs in hand and, on SQLite, does not keep everybody out; which it
/// is, its runs by their tenants, and since when it stands still.
async fn stop_in_hand(
    crowd: &Crowd,
    replicas: &[Serving],
    random: &mut StdRng,
) -> (usize, BTreeMap<i64, Uuid>, Instant) {
    for _ in 0..STOPS_MAX {
        let pause = random.random_range(20..200);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        // Either may have been the faster one.
        let victim = random.random_range(0..replicas.len());
        let replica = &replicas[victim];
        if held_by(crowd, replica.pid()).await.is_empty() {
            continue;
        }
        let stopped = Instant::now();
        replica.pause();
        // What the database had been asked before is answered by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let held = held_by(crowd, replica.pid()).await;
        if !held.is_empty() && !is_locked(crowd).await {
            return (victim, held, stopped);
        }
        replica.wake();
    }
    let logs: Vec<String> = replicas.iter().map(Serving::log).collect();
    panic!("nobody had anything in hand, {STOPS_MAX} times: {logs:?}");
}

/// Whether the stopped replica keeps SQLite's write lock: `zombies::files` is about those.
async fn is_locked(crowd: &Crowd) -> bool {
    if crowd.world.scratch.backend() != Backend::Sqlite {
        return false;
    }
    // The other replica lets go of it in time.
    let touch = "UPDATE tenant SET name = name WHERE id = 0";
    crowd.world.db.execute_unprepared(touch).await.is_err()
}

async fn runs_of(crowd: &Crowd, runs: &BTreeSet<Uuid>) -> Vec<tenant_run::Model> {
    tenant_run::Entity::find()
        .filter(tenant_run::Column::Id.is_in(runs.clone()))
        .all(&crowd.world.db)
        .await
        .expect("runs")
}

async fn leases_of(crowd: &Crowd, runs: &BTreeSet<Uuid>) -> Vec<String> {
    let leases = run_lease::Entity::find()
        .filter(run_lease::Column::RunId.is_in(runs.clone()))
        .all(&crowd.world.db)
        .await
        .expect("leases");
    let mut leases: Vec<String> = leases.iter().map(|lease| format!("{lease:?}")).collect();
    leases.sort();
    leases
}
