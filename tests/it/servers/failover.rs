//! A standby takes over, and does not have all that the primary had committed: replication is
//! asynchronous, and the tail of the log is lost.
//!
//! Erasure, hash and record are one transaction, so they are lost, or not, together. Whose erasure was
//! lost is there again, with everything that belongs to them, and has to be erased again; nobody's
//! record may say that it was done.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use entity::run_batch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use uuid::Uuid;

use super::platform::Platform;
use crate::faults::expectation::wait_for_expiry;
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::database::connect;
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::way::{Way, redirected};
use crate::support::{Backend, Serving, free_port, holds_within};

const TENANTS: usize = 20;

/// So slow that there is work left when the primary dies.
const ROWS_PER_SECOND_MAX: u32 = 60;

/// Failovers in each run of the tests.
const FAILOVERS: usize = 4;

/// So many batches are lost at least, each time.
const LOST_MIN: u64 = 5;

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(120);

/// Two servers, and the wire between them.
struct Pair {
    primary: OwnPostgres,
    standby: OwnPostgres,
    wire: Way,
}

impl Pair {
    async fn of(primary: OwnPostgres) -> Self {
        let end = free_port();
        let wire = Way::open(end, primary.address()).await;
        let standby = OwnPostgres::standby_of(&primary, end, &[]).await;
        let pair = Self {
            primary,
            standby,
            wire,
        };
        let (primary, standby) = (pair.primary.url(), pair.standby.url());
        let follows = holds_within(LONG, async || {
            let at = text(&primary, "SELECT pg_current_wal_lsn()::text").await;
            let there = text(&standby, "SELECT pg_last_wal_replay_lsn()::text").await;
            at == there
        });
        assert!(follows.await, "{}", pair.standby.log());
        pair
    }
}

/// The database of the platform on another server.
fn on(platform: &Platform, server: SocketAddr) -> String {
    redirected(&platform.url, server).1
}

async fn text(url: &str, sql: &str) -> Option<String> {
    let db = connect(url).await;
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    let row = db.query_one_raw(statement).await.expect("an answer");
    let value = row.expect("a row").try_get_by_index(0).expect("a text");
    db.close().await.expect("closed");
    value
}

async fn batches(url: &str) -> HashSet<Uuid> {
    let db = connect(url).await;
    let rows = run_batch::Entity::find().all(&db).await.expect("batches");
    db.close().await.expect("closed");
    rows.into_iter().map(|batch| batch.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_without_the_tail_of_the_log_is_finished_and_nothing_is_halved() {
    let seed = seed_or(1);
    report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
    let mut random = StdRng::seed_from_u64(seed);
    let mut primary = OwnPostgres::start(&[], Vec::new()).await;
    let platform = Platform::new(Backend::Postgres, primary.url(), TENANTS).await;
    let failovers = if is_long() { FAILOVERS * 10 } else { FAILOVERS };
    for number in 1..=failovers {
        let pair = Pair::of(primary).await;
        let stays_up = number % 2 == 1;
        // The promoted one is the next one's primary.
        primary = fail_over(&platform, pair, &mut random, stays_up, number).await;
    }
}

/// One failover in mid-run. Returns the promoted server, with the platform as it was before any run.
async fn fail_over(
    platform: &Platform,
    pair: Pair,
    random: &mut StdRng,
    stays_up: bool,
    number: usize,
) -> OwnPostgres {
    let Pair {
        mut primary,
        standby,
        wire,
    } = pair;
    let (old, new) = (
        on(platform, primary.address()),
        on(platform, standby.address()),
    );
    // What the daemon knows is a name that leads to whichever server is the primary.
    let front = free_port();
    let way = Way::open(front, primary.address()).await;
    let daemon = platform
        .binary(&on(platform, front), ROWS_PER_SECOND_MAX)
        .serve();

    let shipped = random.random_range(1..40);
    wait_batches(platform, &old, shipped, &daemon).await;
    // From now on nothing reaches the standby; the primary does not know, and goes on.
    drop(wire);
    let at_cut = batches(&old).await.len() as u64;
    let unshipped = LOST_MIN + random.random_range(0..15);
    wait_batches(platform, &old, at_cut + unshipped, &daemon).await;
    let committed = batches(&old).await;
    primary.kill().await;
    way.close().await;

    let survivor = if stays_up {
        // It meets the standby first, which takes no writes.
        let way = Way::open(front, standby.address()).await;
        wait_read_only(&daemon).await;
        way.close().await;
        Some(daemon)
    } else {
        daemon.kill();
        None
    };
    standby.promote();

    // Nobody can be at work yet.
    let arrived = batches(&new).await;
    let when = format!(
        "failover {number}: {} of {} batches had arrived",
        arrived.len(),
        committed.len()
    );
    report(&when);
    assert!(arrived.is_subset(&committed), "{when}");
    let lost = (committed.len() - arrived.len()) as u64;
    assert!(lost >= unshipped, "{when}");
    let state = platform.state(&new).await;
    platform.expectation.check(&when, &state);
    assert!(state.in_hand, "{when}: nothing was in hand");

    if let Some(daemon) = survivor {
        let _way = Way::open(front, standby.address()).await;
        finish(platform, &new, daemon, &when).await;
    }
    let binary = platform.binary(&new, 1_000);
    let state = async || platform.state(&new).await;
    platform
        .expectation
        .prove(&when, &binary, &[], state, wait_for_expiry)
        .await;
    platform.put_back(&new).await;
    standby
}

/// Waits until there are so many batches, and work is left.
async fn wait_batches(platform: &Platform, url: &str, count: u64, daemon: &Serving) {
    let db = connect(url).await;
    let mut is_done = false;
    let there = holds_within(LONG, async || {
        let progress = platform.progress(&db).await;
        is_done = progress.is_done;
        progress.batches >= count
    });
    assert!(there.await, "not {count} batches: {}", daemon.log());
    assert!(!is_done, "everything was done before the primary could die");
    db.close().await.expect("closed");
}

/// Waits until the daemon says that the server takes no writes. It is alive, and not ready.
async fn wait_read_only(daemon: &Serving) {
    let told = holds_within(LONG, async || {
        let (status, body) = daemon.get("/readyz").expect("an answer");
        status == 503 && body.contains("database: the server is a standby")
    });
    assert!(told.await, "it never met the standby: {}", daemon.log());
    assert_eq!(daemon.get("/livez").map(|(status, _)| status), Some(200));
}

/// Waits until the daemon has done everything, and ends it.
async fn finish(platform: &Platform, url: &str, daemon: Serving, when: &str) {
    let db = connect(url).await;
    let done = holds_within(LONG, async || {
        let progress = platform.progress(&db).await;
        progress.is_done && !progress.in_hand
    });
    assert!(done.await, "{when}: not done: {}", daemon.log());
    db.close().await.expect("closed");
    daemon.wait_ready(LONG).await;
    let (status, log) = daemon.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{when}: {log}");
    let state = platform.state(url).await;
    platform.expectation.check_finished(when, &state);
}

/// The daemon is pointed at a standby, and that is promoted only later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_on_a_standby_waits_for_its_promotion() {
    let primary = OwnPostgres::start(&[], Vec::new()).await;
    let platform = Platform::new(Backend::Postgres, primary.url(), TENANTS).await;
    let Pair {
        mut primary,
        standby,
        wire,
    } = Pair::of(primary).await;
    let url = on(&platform, standby.address());
    let daemon = platform.binary(&url, 1_000).serve();
    wait_read_only(&daemon).await;
    let class = "\"class\":\"database_read_only\"";
    assert!(daemon.log().contains(class), "{}", daemon.log());
    for server in [&platform.url, &url] {
        let state = platform.state(server).await;
        assert!(state.runs.is_empty(), "a run was claimed on a standby");
        platform.expectation.check("on a standby", &state);
    }
    drop(wire);
    primary.kill().await;
    standby.promote();
    finish(&platform, &url, daemon, "promoted").await;
    let binary = platform.binary(&url, 1_000);
    let state = async || platform.state(&url).await;
    platform
        .expectation
        .prove("promoted", &binary, &[], state, wait_for_expiry)
        .await;
}
