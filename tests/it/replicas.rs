//! S5 from outside: four `serve` on one database, killed and started again at random instants, and
//! one of them paused past its leases. Every tenant-run happens once: none is done twice, none is
//! missed, none comes early.
//!
//! The instants are random, from a seed that a failed test prints; `RETENTIOND_TEST_SEED` sets it.
//! (The interleaving of the processes is the operating system's, so a seed makes a failure likelier
//! to come back, and not certain.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use entity::{run_lease, tenant_run};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::support::campaign::{report, seed_or};
use crate::support::{Backend, Binary, Crowd, Scratch, Serving, Snapshot, holds_within, scratch};

const REPLICAS: usize = 4;
const TENANTS: usize = 200;

/// Of the kills, so many must hit a process that has runs in hand.
const HITS_MIN: usize = 15;

/// After so many, the work may end in peace.
const HITS_MAX: usize = 25;

/// So many hits come before one process is paused.
const HITS_BEFORE_PAUSE: usize = 8;

/// For anything that only a hanging process or a very busy machine makes longer.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_four_replicas_killed_at_random_do_every_run_once_postgres() {
    killed_at_random(scratch(Backend::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_four_replicas_killed_at_random_do_every_run_once_mariadb() {
    killed_at_random(scratch(Backend::MariaDb).await).await;
}

async fn killed_at_random(scratch: Scratch) {
    let mut random = seeded();
    let crowd = Crowd::new(scratch, TENANTS).await;
    let before = Snapshot::take(&crowd.world.db).await;
    let binary = short_of_breath(&crowd);
    let mut replicas: Vec<Serving> = (0..REPLICAS).map(|_| binary.serve()).collect();

    let (mut kills, mut hits, mut is_paused) = (0, 0, false);
    let end = Instant::now() + PATIENCE;
    while unfinished(&crowd).await > 0 {
        assert!(Instant::now() < end, "still unfinished after {PATIENCE:?}");
        nap(&mut random, 50..500).await;
        if hits >= HITS_BEFORE_PAUSE && !is_paused {
            is_paused = pause_past_the_leases(&crowd, &replicas).await;
        } else if hits < HITS_MAX {
            let victim = replicas.swap_remove(random.random_range(0..replicas.len()));
            let pid = victim.pid();
            victim.kill();
            kills += 1;
            hits += usize::from(!held_by(&crowd, pid).await.is_empty());
            nap(&mut random, 0..200).await;
            replicas.push(binary.serve());
        }
    }
    assert!(
        hits >= HITS_MIN && is_paused,
        "the work was over too soon: {hits} of {kills} kills hit a run in hand; paused: {is_paused}"
    );
    // Somebody else took up what the killed had in hand.
    let taken_over = tenant_run::Entity::find()
        .filter(tenant_run::Column::Attempts.gt(1))
        .count(&crowd.world.db)
        .await
        .expect("a count");
    assert!(taken_over >= HITS_MIN as u64, "{taken_over} taken over");

    for replica in replicas {
        let (status, log) = replica.terminate(PATIENCE).await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
    prove(&crowd, &before, &binary).await;
}

/// Small batches at a slow pace, so that kills come in the middle of runs; short leases, so that
/// nobody waits for long. The sweep is left as it is: it is not what finds abandoned runs.
fn short_of_breath(crowd: &Crowd) -> Binary {
    crowd
        .world
        .binary()
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "2")
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "100")
        .env("RETENTIOND__ENGINE__WORKERS", "2")
        // Of 200 tenants, four processes with 32 each in hand would soon have all.
        .env("RETENTIOND__ENGINE__TENANTS_AT_A_TIME", "4")
        .env("RETENTIOND__ENGINE__LEASE_DURATION", "2s")
        .env("RETENTIOND__DATABASE__MAX_CONNECTIONS", "4")
}

/// Every tenant done exactly once; the real `verify` agrees; another `run` changes nothing.
pub async fn prove(crowd: &Crowd, before: &Snapshot, binary: &Binary) {
    let after = crowd.prove(before).await;
    let left = run_lease::Entity::find()
        .filter(run_lease::Column::Token.is_not_null())
        .count(&crowd.world.db)
        .await
        .expect("a count");
    assert_eq!(left, 0, "leases that were not given back");
    binary.run(&["verify"]).expect_code(0);
    binary.run(&["run"]).expect_code(0);
    let again = Snapshot::take(&crowd.world.db).await;
    let differences = after.differences(&again);
    assert!(
        differences.is_empty(),
        "S6: changed by another run: {differences:?}"
    );
}

/// S5: stops a process in the middle of its runs until others have taken and finished them, and
/// wakes it. It must commit nothing. False = none had a run in hand.
async fn pause_past_the_leases(crowd: &Crowd, replicas: &[Serving]) -> bool {
    for replica in replicas {
        replica.pause();
        // What the database had been asked before is answered by then.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let held = held_by(crowd, replica.pid()).await;
        if held.is_empty() {
            replica.wake();
            continue;
        }
        let runs: BTreeSet<Uuid> = held.values().copied().collect();
        let tenants: BTreeSet<i64> = held.keys().copied().collect();
        let attempts = attempts_of(crowd, &runs).await;
        let finished = holds_within(PATIENCE, async || {
            let done = tenant_run::Entity::find()
                .filter(tenant_run::Column::Id.is_in(runs.clone()))
                .filter(tenant_run::Column::State.eq("completed"))
                .count(&crowd.world.db)
                .await
                .expect("a count");
            done == runs.len() as u64
        })
        .await;
        assert!(finished, "nobody took over what a paused process held");
        for (run, later) in attempts_of(crowd, &runs).await {
            assert!(
                later > attempts[&run],
                "completed, and not by another process"
            );
        }
        let before = Snapshot::take(&crowd.world.db).await.of(&tenants);
        let seen = replica.log().len();
        replica.wake();
        let gave_up = holds_within(PATIENCE, async || {
            let log = replica.log().split_off(seen);
            runs.iter().all(|run| {
                let id = run.to_string();
                log.lines()
                    .any(|line| line.contains(&id) && line.contains("lease_lost"))
            })
        })
        .await;
        assert!(
            gave_up,
            "it did not notice: {}",
            replica.log().split_off(seen)
        );
        let after = Snapshot::take(&crowd.world.db).await.of(&tenants);
        let differences = before.differences(&after);
        assert!(
            differences.is_empty(),
            "the paused process wrote {differences:?}"
        );
        return true;
    }
    false
}

async fn attempts_of(crowd: &Crowd, runs: &BTreeSet<Uuid>) -> BTreeMap<Uuid, i32> {
    tenant_run::Entity::find()
        .filter(tenant_run::Column::Id.is_in(runs.clone()))
        .all(&crowd.world.db)
        .await
        .expect("runs")
        .into_iter()
        .map(|run| (run.id, run.attempts))
        .collect()
}

/// The runs whose leases a process holds, by tenant.
pub async fn held_by(crowd: &Crowd, pid: u32) -> BTreeMap<i64, Uuid> {
    run_lease::Entity::find()
        .filter(run_lease::Column::Holder.ends_with(format!(":{pid}")))
        .filter(run_lease::Column::Token.is_not_null())
        .all(&crowd.world.db)
        .await
        .expect("leases")
        .into_iter()
        .map(|lease| (lease.tenant_id, lease.run_id))
        .collect()
}

/// How many tenants have no completed run yet.
pub async fn unfinished(crowd: &Crowd) -> usize {
    let done = tenant_run::Entity::find()
        .filter(tenant_run::Column::State.eq("completed"))
        .count(&crowd.world.db)
        .await
        .expect("a count");
    crowd.size() - usize::try_from(done).expect("few")
}

async fn nap(random: &mut StdRng, milliseconds: std::ops::Range<u64>) {
    let milliseconds = random.random_range(milliseconds);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn seeded() -> StdRng {
    let seed = seed_or(rand::random());
    report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
    StdRng::seed_from_u64(seed)
}
