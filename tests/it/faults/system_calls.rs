//! System-call kill, for SQLite, where no wire can be watched: the real binary dies at its n-th
//! write, sync or truncation of the database's files, by `strace`.
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

use super::campaign::{choose, go_through};
use super::tiny::{PERIOD, Tiny};
use crate::support::Backend;
use crate::support::campaign::report;

/// All that changes a file in SQLite's write-ahead mode, and `fcntl`, with which it takes and gives
/// back its locks: between two of those it writes the log's index, which is mapped memory.
const CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink,fcntl";

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
    let calls = Mutex::new(BTreeMap::new());
    go_through(Backend::Sqlite, vec!["undisturbed"], async |tiny, _| {
        assert!(!traced_run(tiny, None).await, "nobody was to be killed");
        tiny.check_finished("under strace", &tiny.state().await);
        *calls.lock().expect("no panic") = calls_of_busiest_thread(tiny);
    });
    let calls = calls.into_inner().expect("no panic");
    let points: Vec<Point> = calls
        .iter()
        .flat_map(|(call, count)| (1..=*count).map(|number| (call.clone(), number)))
        .map(|(call, number)| Point { call, number })
        .collect();
    let (points, kills_min) = choose(points);
    let kills = AtomicUsize::new(0);
    go_through(Backend::Sqlite, points, async |tiny, point| {
        if traced_run(tiny, Some(point)).await {
            kills.fetch_add(1, Ordering::Relaxed);
        }
        tiny.prove(&point.to_string()).await;
    });
    let kills = kills.into_inner();
    report(&format!("Sqlite: {calls:?} in a run, {kills} kills"));
    assert!(kills >= kills_min, "of at least {kills_min}");
}

/// A run under `strace`, which kills it on the way into a call. Whether it was killed.
async fn traced_run(tiny: &Tiny, kill_at: Option<&Point>) -> bool {
    let binary = match env::var("RETENTIOND_TEST_RELEASE_BINARY") {
        Ok(path) => fs::canonicalize(path).expect("the release build"),
        Err(_) => env!("CARGO_BIN_EXE_retentiond").into(),
    };
    let binary = binary.to_str().expect("a path in UTF-8");
    // Not with --seccomp-bpf: strace 6.1 then kills nobody.
    let mut arguments = vec!["-f", "-qq", "-o", "calls", "-e"];
    let trace = format!("trace={CALLS}");
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
fn calls_of_busiest_thread(tiny: &Tiny) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(tiny.binary.directory().join("calls")).expect("strace's output");
    let mut threads = BTreeMap::<&str, BTreeMap<String, usize>>::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').expect("a thread's number");
        // Lines without a call's name continue an earlier one.
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        if CALLS.split(',').any(|traced| traced == call) {
            let calls = threads.entry(thread).or_default();
            *calls.entry(call.to_owned()).or_default() += 1;
        }
    }
    let busiest = threads
        .into_values()
        .max_by_key(|calls| calls.values().sum::<usize>());
    busiest.unwrap_or_default()
}
