//! System-call kill: the real binary dies on the way into its n-th call of a kind, by `strace`. For
//! SQLite, where no wire can be watched, that is every write, sync, truncation and lock of the
//! database's files; for the servers, whose every request `kills` goes through, a sample of what is
//! sent and received.
//!
//! `RETENTIOND_TEST_RELEASE_BINARY` names a release build to attack instead of the debug build.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::campaign::{choose, choose_of, go_through};
use super::tiny::{PERIOD, Tiny};
use crate::support::Backend;
use crate::support::campaign::report;

/// All that changes a file in SQLite's write-ahead mode, and `fcntl`, with which it takes and gives
/// back its locks: between two of those it writes the log's index, which is mapped memory.
const FILE_CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink,fcntl";

/// All that a server hears of us, and we of it.
const WIRE_CALLS: &str = "sendto,recvfrom";

/// So many points are tried on each server in each run of the tests.
const SERVER_SAMPLE: usize = 60;

/// So many of them must come about. Which thread makes the n-th call is chance, so some may not.
const SERVER_KILLS_MIN: usize = 20;

fn calls(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => FILE_CALLS,
        Backend::Postgres | Backend::MariaDb => WIRE_CALLS,
    }
}

/// The n-th call of its kind, as `strace` counts them, for each thread by itself. All of SQLite's
/// are made by the one thread of the one connection.
struct Point {
    call: String,
    number: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.call, self.number)
    }
}

#[test]
fn a_process_killed_at_any_write_leaves_a_run_that_the_next_one_finishes_sqlite() {
    kill_at_calls(Backend::Sqlite, choose);
}

#[test]
fn a_process_killed_at_any_call_leaves_a_run_that_the_next_one_finishes_postgres() {
    kill_at_calls(Backend::Postgres, choose_of_server);
}

#[test]
fn a_process_killed_at_any_call_leaves_a_run_that_the_next_one_finishes_mariadb() {
    kill_at_calls(Backend::MariaDb, choose_of_server);
}

fn choose_of_server(points: Vec<Point>) -> (Vec<Point>, usize) {
    let points = choose_of(points, SERVER_SAMPLE);
    let at_least = if points.len() < SERVER_SAMPLE {
        // One that was named.
        0
    } else {
        SERVER_KILLS_MIN
    };
    (points, at_least)
}

fn kill_at_calls(backend: Backend, choose: fn(Vec<Point>) -> (Vec<Point>, usize)) {
    let calls = Mutex::new(BTreeMap::new());
    go_through(backend, vec!["undisturbed"], async |tiny, _| {
        let undisturbed = traced_run(backend, tiny, None).await;
        assert!(!undisturbed, "nobody was to be killed");
        tiny.check_finished("under strace", &tiny.state().await);
        *calls.lock().expect("no panic") = calls_of_busiest_thread(backend, tiny);
    });
    let calls = calls.into_inner().expect("no panic");
    let points: Vec<Point> = calls
        .iter()
        .flat_map(|(call, count)| (1..=*count).map(|number| (call.clone(), number)))
        .map(|(call, number)| Point { call, number })
        .collect();
    let (points, kills_min) = choose(points);
    let kills = AtomicUsize::new(0);
    go_through(backend, points, async |tiny, point| {
        if traced_run(backend, tiny, Some(point)).await {
            kills.fetch_add(1, Ordering::Relaxed);
        }
        tiny.prove(&point.to_string()).await;
    });
    let kills = kills.into_inner();
    report(&format!("{backend:?}: {calls:?} in a run, {kills} kills"));
    assert!(kills >= kills_min, "{kills} of at least {kills_min} kills");
}

/// A run under `strace`, which kills it on the way into a call. Whether it was killed.
async fn traced_run(backend: Backend, tiny: &Tiny, kill_at: Option<&Point>) -> bool {
    let binary = match env::var("RETENTIOND_TEST_RELEASE_BINARY") {
        Ok(path) => fs::canonicalize(path).expect("the release build"),
        Err(_) => env!("CARGO_BIN_EXE_retentiond").into(),
    };
    let binary = binary.to_str().expect("a path in UTF-8");
    // Not with --seccomp-bpf: strace 6.1 then kills nobody.
    let mut arguments = vec!["-f", "-qq", "-o", "calls", "-e"];
    let trace = format!("trace={}", calls(backend));
    arguments.push(&trace);
    let inject = kill_at.map(|at| format!("inject={}:signal=KILL:when={}", at.call, at.number));
    if let Some(inject) = &inject {
        arguments.extend(["-e", inject]);
    }
    arguments.extend([binary, "run", "--period", PERIOD]);
    let status = tiny
        .binary
        .command_of(Path::new("strace"), &arguments)
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        // So that one thread makes most of the calls.
        .env("TOKIO_WORKER_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace; on Debian or Ubuntu: apt-get install strace");
    // strace ends the way its child ended.
    assert!(
        status.success() || (status.code().is_none() && kill_at.is_some()),
        "strace: {status}; may processes trace their children here?"
    );
    status.code().is_none()
}

/// How often the thread that writes most made each call.
fn calls_of_busiest_thread(backend: Backend, tiny: &Tiny) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(tiny.binary.directory().join("calls")).expect("strace's output");
    let mut threads = BTreeMap::<&str, BTreeMap<String, usize>>::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').expect("a thread's number");
        // Lines without a call's name continue an earlier one.
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        if calls(backend).split(',').any(|traced| traced == call) {
            let made = threads.entry(thread).or_default();
            *made.entry(call.to_owned()).or_default() += 1;
        }
    }
    let busiest = threads
        .into_values()
        .max_by_key(|calls| calls.values().sum::<usize>());
    busiest.unwrap_or_default()
}
