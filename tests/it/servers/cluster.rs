//! S5 on a Galera cluster: replicas of the service on three nodes, one of which is killed, and one of
//! which is cut off from the others.
//!
//! Nodes do not know each other's locks. Two of them may let a transaction through the same fence;
//! what decides is certification, at COMMIT: of two transactions that wrote the same row, the one that
//! is ordered second fails (error 1213), and is tried again from its start. So the test makes them
//! meet: the replicas race for the same tenants, and on every node the platform writes to the very
//! people who are being erased. And a node may be behind: `lagging.rs` is about that.

mod lagging;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::replicas::{held_by, prove, unfinished};
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::database::scratch_on;
use crate::support::galera::Galera;
use crate::support::own_server::OwnServer;
use crate::support::proxy::{Fault, Proxy, Trigger, Victim};
use crate::support::{Backend, Binary, Crowd, Scratch, Serving, Snapshot, holds_within};

/// So many tenants for each of the two injuries.
const TENANTS: usize = 50;

/// Every so many COMMITs of the replica behind the balancer, the reply is lost.
const LOST_REPLY_EVERY: usize = 5;

/// Between two looks of the platform, on each node, for somebody to write to.
const WRITE_PAUSE: Duration = Duration::from_millis(5);

/// For anything that only a hanging process or a very busy machine makes longer.
const PATIENCE: Duration = Duration::from_secs(240);

/// What becomes of a node while its replica has runs in hand.
#[derive(Clone, Copy, Debug)]
enum Injury {
    Killed,
    CutOff,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_replicas_on_three_nodes_of_which_one_dies_and_one_is_cut_off_do_every_run_once() {
    let seed = seed_or(1);
    report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
    let mut galera = Galera::start(3).await;
    let rounds = if is_long() { 10 } else { 1 };
    for round in 0..rounds {
        // The first node stays well, because the test itself looks by way of it.
        work_through(&mut galera, Injury::Killed, 1, seed + round).await;
        work_through(&mut galera, Injury::CutOff, 2, seed + round).await;
    }
}

/// Replicas work through a crowd, one on each node and one by way of a balancer, while the platform
/// writes; the injured node comes back.
async fn work_through(galera: &mut Galera, injury: Injury, injured: usize, seed: u64) {
    let conflicts_before = conflicts(galera, injured).await;
    let scratch = scratch_on(Backend::MariaDb, galera.nodes[0].url()).await;
    let crowd = Crowd::new(scratch, TENANTS).await;
    let before = Snapshot::take(&crowd.world.db).await;
    let platform = Platform::begin(galera, &crowd, seed);
    let mut replicas: Vec<Serving> = Vec::new();
    for node in &galera.nodes {
        replicas.push(slowly(&crowd, &at_node(&crowd.world.scratch, &node.url())).serve());
    }
    let balancer = Proxy::balancing(
        Backend::MariaDb,
        galera.addresses(),
        &lost_replies(),
        Victim::default(),
    )
    .await;
    replicas.push(slowly(&crowd, &balancer.url(crowd.world.scratch.url())).serve());

    let pid = replicas[injured].pid();
    let at_work = async || !held_by(&crowd, pid).await.is_empty();
    assert!(
        holds_within(PATIENCE, at_work).await,
        "the replica on the node never had a run in hand: {}",
        replicas[injured].log()
    );
    injure(galera, injury, injured).await;
    let held: Vec<Uuid> = held_by(&crowd, pid).await.into_values().collect();
    let left = unfinished(&crowd).await;
    assert!(left > 0, "the work was over too soon");
    let gives_up = holds_within(PATIENCE, async || !replicas[injured].is_ready()).await;
    assert!(gives_up, "{injury:?}: {}", replicas[injured].log());
    let others_go_on = holds_within(PATIENCE, async || {
        let done = finished(&crowd, &held).await;
        done == held.len() && unfinished(&crowd).await < left
    });
    assert!(others_go_on.await, "{injury:?}: nobody took over {held:?}");
    heal(galera, injury, injured).await;
    replicas[injured].wait_ready(PATIENCE).await;
    let all_done = holds_within(PATIENCE, async || unfinished(&crowd).await == 0).await;
    assert!(all_done, "{injury:?}: {} left", unfinished(&crowd).await);

    let writes = platform.end().await;
    let lost = balancer.struck().len();
    let mut log = String::new();
    for replica in replicas {
        let (status, said) = replica.terminate(PATIENCE).await;
        assert_eq!(status.code(), Some(0), "{said}");
        log.push_str(&said);
    }
    check_log(&log);
    let first = at_node(&crowd.world.scratch, &galera.nodes[0].url());
    caught_up(&first).await.close().await.expect("closed");
    prove(&crowd, &before, &crowd.world.binary()).await;
    the_nodes_agree(galera, &crowd).await;

    let retried = retries(&log, "conflict");
    let conflicts = conflicts(galera, injured).await - conflicts_before;
    assert!(
        conflicts > 0 && lost > 0,
        "{conflicts} conflicts, {lost} lost replies"
    );
    report(&format!(
        "{injury:?}: {TENANTS} tenant-runs once; {} in hand at the node; {conflicts} conflicts \
         between nodes, {retried} batches retried for one, {} for a database that was away; {lost} \
         replies lost; {} writes of the platform",
        held.len(),
        retries(&log, "database_unavailable"),
        writes
    ));
}

/// At a pace at which the work lasts for some time, with leases that expire soon.
fn slowly(crowd: &Crowd, url: &str) -> Binary {
    crowd
        .world
        .binary()
        .env("RETENTIOND__DATABASE__URL", url)
        .env("RETENTIOND__DATABASE__MAX_CONNECTIONS", "4")
        .env("RETENTIOND__ENGINE__WORKERS", "3")
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "3")
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "8")
        .env("RETENTIOND__ENGINE__LEASE_DURATION", "4s")
}

/// The scratch database, by way of the node whose superuser's URL this is.
fn at_node(scratch: &Scratch, node: &str) -> String {
    let (server, _) = node
        .rsplit_once('/')
        .expect("a server's URL ends in a database");
    let (_, name) = scratch.url().rsplit_once('/').expect("so does this");
    format!("{server}/{name}")
}

fn lost_replies() -> Vec<(Trigger, Fault)> {
    (1..=100)
        .map(|nth| Trigger::Text("COMMIT", nth * LOST_REPLY_EVERY))
        .map(|trigger| (trigger, Fault::CutReply))
        .collect()
}

async fn injure(galera: &mut Galera, injury: Injury, number: usize) {
    let node = &mut galera.nodes[number];
    match injury {
        Injury::Killed => node.kill().await,
        Injury::CutOff => {
            node.set_isolated(true).await;
            let alone = holds_within(PATIENCE, async || !node.is_primary().await).await;
            assert!(alone, "{}", node.log());
        }
    }
}

async fn heal(galera: &mut Galera, injury: Injury, number: usize) {
    let node = &mut galera.nodes[number];
    match injury {
        Injury::Killed => node.start_again().await,
        Injury::CutOff => {
            node.set_isolated(false).await;
            let back = holds_within(PATIENCE, async || node.is_ready().await).await;
            assert!(back, "{}", node.log());
        }
    }
}

/// How many of these runs are completed.
async fn finished(crowd: &Crowd, runs: &[Uuid]) -> usize {
    use entity::tenant_run;
    use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
    let done = tenant_run::Entity::find()
        .filter(tenant_run::Column::Id.is_in(runs.to_vec()))
        .filter(tenant_run::Column::State.eq("completed"))
        .count(&crowd.world.db)
        .await
        .expect("a count");
    usize::try_from(done).expect("few")
}

/// Transactions that lost to one of another node, at their COMMIT or before it. Those at the injured
/// node do not count, which forgets how many there were.
async fn conflicts(galera: &Galera, injured: usize) -> u64 {
    let mut sum = 0;
    for (number, node) in galera.nodes.iter().enumerate() {
        if number != injured {
            sum += node.counter("wsrep_local_cert_failures").await;
            sum += node.counter("wsrep_local_bf_aborts").await;
        }
    }
    sum
}

fn retries(log: &str, reason: &str) -> usize {
    let reason = format!("\"reason\":\"{reason}\"");
    log.lines()
        .filter(|line| line.contains("\"event\":\"batch_retried\"") && line.contains(&reason))
        .count()
}

/// Whatever a node answers is something that the service knows how to take.
fn check_log(log: &str) {
    for class in ["internal", "schema", "constraint", "orphans", "leftover"] {
        let class = format!("\"class\":\"{class}\"");
        let line = log.lines().find(|line| line.contains(&class));
        assert!(line.is_none(), "{line:?}");
    }
}

/// All nodes are of one cluster, and hold the same.
async fn the_nodes_agree(galera: &Galera, crowd: &Crowd) {
    let size = galera.nodes.len().to_string();
    let expected = Snapshot::take(&crowd.world.db).await;
    for node in &galera.nodes {
        let whole = holds_within(PATIENCE, async || {
            node.is_ready().await && node.status("wsrep_cluster_size").await.as_ref() == Some(&size)
        });
        assert!(whole.await, "{}", node.log());
        let url = at_node(&crowd.world.scratch, &node.url());
        let db = caught_up(&url).await;
        let differences = expected.differences(&Snapshot::take(&db).await);
        assert!(differences.is_empty(), "nodes differ: {differences:?}");
        db.close().await.expect("closed");
        crowd
            .world
            .binary()
            .env("RETENTIOND__DATABASE__URL", &url)
            .run(&["verify"])
            .expect_code(0);
    }
}

/// One connection to a node that has applied whatever was committed before, on any node.
async fn caught_up(url: &str) -> DatabaseConnection {
    let db = open(url).await.expect("the node answers");
    for statement in ["SET SESSION wsrep_sync_wait = 1", "SELECT id FROM tenant"] {
        db.execute_unprepared(statement).await.expect(statement);
    }
    db
}

/// One connection to a node.
async fn open(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .sqlx_logging(false);
    Database::connect(options).await
}

/// The platform, which writes on every node to people who are to be erased: a new telephone number,
/// which goes with the others, and new scores of answers that go with their participant. It changes
/// nothing of what must be there in the end.
struct Platform {
    stop: CancellationToken,
    writers: Vec<tokio::task::JoinHandle<u64>>,
}

/// Whom it writes to, and whether they are to be purged: then their answers go too.
type Doomed = BTreeMap<(i64, Uuid), bool>;

impl Platform {
    fn begin(galera: &Galera, crowd: &Crowd, seed: u64) -> Self {
        let stop = CancellationToken::new();
        let mut doomed = Doomed::new();
        for member in &crowd.members {
            let key = |id: &Uuid| (member.tenant.0, *id);
            doomed.extend(member.purged.iter().map(|id| (key(id), true)));
            doomed.extend(member.anonymized.iter().map(|id| (key(id), false)));
        }
        let doomed = Arc::new(doomed);
        let writers = galera.nodes.iter().zip(seed..).map(|(node, seed)| {
            let url = at_node(&crowd.world.scratch, &node.url());
            let (doomed, stop) = (Arc::clone(&doomed), stop.clone());
            tokio::spawn(async move { write(&url, &doomed, seed, &stop).await })
        });
        Self {
            writers: writers.collect(),
            stop,
        }
    }

    /// Ends the writers; how many of their writes were committed.
    async fn end(self) -> u64 {
        self.stop.cancel();
        let mut writes = 0;
        for writer in self.writers {
            writes += writer.await.expect("the platform");
        }
        writes
    }
}

/// Writes until it is told to stop. A node that is away, or that let somebody else win, is the
/// platform's daily life.
async fn write(url: &str, doomed: &Doomed, seed: u64, stop: &CancellationToken) -> u64 {
    let mut random = StdRng::seed_from_u64(seed);
    let mut writes = 0;
    while !stop.is_cancelled() {
        if let Ok(db) = open(url).await {
            while !stop.is_cancelled() {
                match write_some(&db, doomed, &mut random).await {
                    Ok(done) => writes += done,
                    Err(_) if db.ping().await.is_ok() => {}
                    Err(_) => break,
                }
                tokio::time::sleep(WRITE_PAUSE).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    writes
}

/// A few writes to people who are next in the runs that are in hand.
async fn write_some(
    db: &DatabaseConnection,
    doomed: &Doomed,
    random: &mut StdRng,
) -> Result<u64, DbErr> {
    let backend = db.get_database_backend();
    let next = "SELECT participant.tenant_id, participant.id FROM participant \
                JOIN tenant_run ON tenant_run.tenant_id = participant.tenant_id \
                AND tenant_run.state = 'running' \
                WHERE anonymized_at IS NULL ORDER BY added_at LIMIT 20";
    let rows = db
        .query_all_raw(Statement::from_string(backend, next))
        .await?;
    let mut near = Vec::new();
    for row in rows {
        let key: (i64, Uuid) = (row.try_get("", "tenant_id")?, row.try_get("", "id")?);
        near.extend(doomed.get(&key).map(|is_purged| (key, *is_purged)));
    }
    let mut writes = 0;
    for ((tenant, id), is_purged) in near.choose_multiple(random, 4) {
        let number: u16 = random.random();
        let key = [(*tenant).into(), (*id).into()];
        let sql = if *is_purged && random.random() {
            format!(
                "UPDATE answer SET score = {number} % 10 WHERE tenant_id = ? AND participant_id = ?"
            )
        } else {
            format!(
                "UPDATE participant SET phone = '+32 2 {number}' WHERE tenant_id = ? AND id = ? \
                 AND anonymized_at IS NULL"
            )
        };
        let statement = Statement::from_sql_and_values(backend, sql, key);
        writes += db.execute_raw(statement).await?.rows_affected();
    }
    Ok(writes)
}
