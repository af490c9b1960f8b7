//! The server is killed in mid-run, again and again: `kill -9` of all of its processes at once, at
//! random instants, and then it is started again on the same files.
//!
//! In the first round the daemon is at work and stays up all the time; in the second one `run` is
//! started again and again; and so on in turn, until enough kills have hit a run in hand. Each round
//! begins with the platform as it was, and ends with what an undisturbed run makes of it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::platform::Platform;
use crate::faults::expectation::wait_for_expiry;
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::database::connect;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Serving, holds_within};

const TENANTS: usize = 40;

/// So many kills must hit a run in hand, in each run of the tests.
const HITS: usize = 20;

/// Of them, so many come in one round at most.
const HITS_OF_ROUND: usize = 10;

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_mid_run_loses_nothing_and_doubles_nothing_postgres() {
    let server = OwnPostgres::start(&[], Vec::new()).await;
    killed_again_and_again(server, Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_mid_run_loses_nothing_and_doubles_nothing_mariadb() {
    let server = OwnMariadb::start().await;
    killed_again_and_again(server, Backend::MariaDb).await;
}

/// The scenario, for any server.
async fn killed_again_and_again(server: impl OwnServer, backend: Backend) {
    let seed = seed_or(1);
    report(&format!("to repeat: RETENTIOND_TEST_SEED={seed}"));
    let platform = Platform::new(backend, server.url(), TENANTS).await;
    let mut attack = Attack {
        server,
        platform,
        random: StdRng::seed_from_u64(seed),
        kills: 0,
        hits: 0,
        broken: 0,
    };
    let hits_wanted = if is_long() { HITS * 10 } else { HITS };
    let mut rounds = 0;
    while attack.hits < hits_wanted {
        assert!(
            rounds < hits_wanted,
            "the work is over too soon: {} hits in {rounds} rounds",
            attack.hits
        );
        let until = hits_wanted.min(attack.hits + HITS_OF_ROUND);
        attack.round(rounds % 2 == 0, until).await;
        rounds += 1;
    }
    let (kills, hits, broken) = (attack.kills, attack.hits, attack.broken);
    report(&format!(
        "{backend:?}: {kills} kills of the server in {rounds} rounds, {hits} of them while a run was \
         in hand, {broken} of them in the middle of a batch"
    ));
    assert!(2 * broken >= hits, "{broken} of {hits} broke a batch off");
}

struct Attack<S> {
    server: S,
    platform: Platform,
    random: StdRng,
    kills: usize,
    /// Kills while a run was in hand.
    hits: usize,
    /// Kills after which a process tried a batch again.
    broken: usize,
}

impl<S: OwnServer> Attack<S> {
    async fn round(&mut self, is_daemon: bool, hits_wanted: usize) {
        let url = self.platform.url.clone();
        let binary = self.platform.binary(&url, 200);
        let worker = if is_daemon {
            Worker::Daemon(binary.serve())
        } else {
            Worker::Runs(Runs::start(binary))
        };
        let (mut retried, started) = (0, Instant::now());
        loop {
            let is_at_rest = self.wait_progress(&worker).await;
            let retried_before = std::mem::replace(&mut retried, worker.batches_retried());
            self.broken += usize::from(retried > retried_before);
            if is_at_rest || self.hits == hits_wanted {
                break;
            }
            let pause = self.random.random_range(0..300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let db = connect(&url).await;
            let in_hand = self.platform.progress(&db).await.in_hand;
            self.server.kill().await;
            self.kills += 1;
            self.hits += usize::from(in_hand);
            self.server.start_again().await;
            let when = format!("kill {}, {pause} ms after a batch", self.kills);
            self.platform.check(&when, &url).await;
        }
        let when = format!("after {} kills", self.kills);
        let in_peace = Instant::now();
        worker.finish(&self.platform, &when).await;
        report(&format!(
            "{when}: {} s under attack, {} s to the end",
            (in_peace - started).as_secs(),
            in_peace.elapsed().as_secs()
        ));
        self.platform.put_back(&url).await;
    }

    /// Waits until another batch is there, or nobody has anything left to do; whether that is so.
    async fn wait_progress(&self, worker: &Worker) -> bool {
        let db = connect(&self.platform.url).await;
        let before = self.platform.progress(&db).await;
        let mut now = before;
        let went_on = holds_within(LONG, async || {
            now = self.platform.progress(&db).await;
            now.is_at_rest || now.batches > before.batches
        });
        assert!(went_on.await, "nobody goes on: {}", worker.log());
        db.close().await.expect("closed");
        now.is_at_rest
    }
}

/// Who is at work.
enum Worker {
    Daemon(Serving),
    Runs(Runs),
}

impl Worker {
    fn log(&self) -> String {
        match self {
            Self::Daemon(serving) => serving.log(),
            Self::Runs(runs) => runs.log(),
        }
    }

    fn batches_retried(&self) -> usize {
        self.log().matches("\"event\":\"batch_retried\"").count()
    }

    /// Lets it go on until nothing is left to do; what failed in a claim is left to the next `run`,
    /// which takes it up at once. Then everything is as it must be.
    async fn finish(self, platform: &Platform, when: &str) {
        let url = &platform.url;
        let db = connect(url).await;
        let done = holds_within(LONG, async || {
            let progress = platform.progress(&db).await;
            progress.is_at_rest && !progress.in_hand
        });
        assert!(done.await, "{when}: not done: {}", self.log());
        db.close().await.expect("closed");
        match self {
            Self::Daemon(serving) => {
                let (status, log) = serving.terminate(LONG).await;
                assert_eq!(status.code(), Some(0), "{when}: {log}");
            }
            Self::Runs(runs) => runs.stop(),
        }
        let binary = platform.binary(url, 1_000);
        let state = async || platform.state(url).await;
        platform
            .expectation
            .prove(when, &binary, &[], state, wait_for_expiry)
            .await;
    }
}

/// `run`, started again whenever it has ended, until this is dropped.
struct Runs {
    is_over: Arc<AtomicBool>,
    log_file: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Runs {
    fn start(binary: Binary) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let log_file = binary.directory().join("runs.log");
        let log = File::create(&log_file).expect("a log file");
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let run = binary
                    .command(&["run"])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(log.try_clone().expect("a second handle"))
                    .status()
                    .expect("the binary starts");
                // Failed for want of a database, partly done, or held: the next one goes on. A
                // panic, a signal, a refusal or a wrong configuration is none of those.
                assert!(matches!(run.code(), Some(0 | 1 | 3 | 5)), "it ended: {run}");
                thread::sleep(Duration::from_millis(50));
            }
        });
        Self {
            is_over,
            log_file,
            thread: Some(thread),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log_file).expect("the log")
    }

    /// When the last one has ended, which nothing keeps from it.
    fn stop(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("started");
        thread.join().expect("every `run` ended as it should");
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
