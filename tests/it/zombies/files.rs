//! A `run` on SQLite that is stopped at a system call on the database's files, by `strace`.
//!
//! SQLite has nothing that ends the transaction of a stopped process, so there are two cases. A
//! zombie that holds no lock is like one on a server. One that holds the write lock keeps all writers
//! out while it is stopped (readers, too, if it was recovering the write-ahead log), and has lost
//! nothing; the takeover comes once the lock is free, because the zombie is killed, or because it is
//! woken and lets go of the lock between two batches.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use super::{
    LEASE, PATIENCE, claims, leases_to_expire, lost, require_finished, require_in_time, see,
    take_over,
};
use crate::faults::campaign::go_through;
use crate::faults::tiny::{PERIOD, Tiny};
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::serving::signal;
use crate::support::{Backend, holds_within};

/// Writes, and `fcntl`, which takes and gives back SQLite's locks.
const CALLS: [&str; 2] = ["pwrite64", "fcntl"];

const SAMPLE: usize = 36;
const STOPS_MIN: usize = 30;

struct Point {
    call: String,
    number: usize,
    /// What becomes of a zombie that holds the lock.
    is_killed: bool,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_killed { "killed" } else { "woken" };
        write!(formatter, "{}/{}/{end}", self.call, self.number)
    }
}

/// `strace` with a `run` below it; both end with it.
struct Traced {
    strace: Child,
    stopped: Option<(u32, DateTime<Utc>)>,
}

impl Traced {
    fn start(tiny: &Tiny, stop_at: Option<&Point>) -> Self {
        let mut arguments = vec!["-f", "-qq", "-o", "calls", "-e"];
        let trace = format!("trace={}", CALLS.join(","));
        arguments.push(&trace);
        let inject = stop_at.map(|at| format!("inject={}:signal=STOP:when={}", at.call, at.number));
        if let Some(inject) = &inject {
            arguments.extend(["-e", inject]);
        }
        arguments.extend([env!("CARGO_BIN_EXE_retentiond"), "run", "--period", PERIOD]);
        // What the last one's said would be taken for this one's.
        let _ = fs::remove_file(tiny.binary.directory().join("calls"));
        let file = fs::File::create(tiny.binary.directory().join("stderr")).expect("a file");
        let strace = tiny
            .binary
            .command_of(Path::new("strace"), &arguments)
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            // However long it stands still: what its own deadline says is another matter.
            .env("RETENTIOND__DATABASE__STATEMENT_TIMEOUT", "1h")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("strace; on Debian or Ubuntu: apt-get install strace");
        Self {
            strace,
            stopped: None,
        }
    }

    fn code(&mut self) -> Option<i32> {
        let status = self.strace.try_wait().expect("a child of ours")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits until it stands still; false if it ended before.
    async fn stops(&mut self, tiny: &Tiny) -> bool {
        let decided = holds_within(PATIENCE, async || {
            if stops_of(tiny) > 0 {
                let pid = self.child();
                self.stopped = Some((pid, SystemClock.now()));
            }
            self.stopped.is_some() || self.code().is_some()
        });
        assert!(decided.await, "neither stopped nor ended");
        self.stopped.is_some()
    }

    fn child(&self) -> u32 {
        let strace = self.strace.id();
        let children = fs::read_to_string(format!("/proc/{strace}/task/{strace}/children"));
        let children = children.expect("the kernel lists children");
        children.trim().parse().expect("one child")
    }

    fn signal(&self, name: &str) {
        signal(self.stopped.expect("stopped").0, name);
    }

    /// Waits for its end; its exit code, and its log.
    async fn end(&mut self, tiny: &Tiny) -> (i32, String) {
        let (mut code, mut stops) = (None, 1);
        let ended = holds_within(PATIENCE, async || {
            code = self.code();
            // strace counts each thread's calls by themselves, so another one may come to its n-th.
            let stops_now = stops_of(tiny);
            if stops_now > stops
                && code.is_none()
                && let Some((pid, _)) = self.stopped
            {
                stops = stops_now;
                // It may have ended just now.
                let _ = Command::new("kill")
                    .args(["-CONT", &pid.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
            code.is_some()
        });
        let ended = ended.await;
        let log = fs::read_to_string(tiny.binary.directory().join("stderr")).expect("its log");
        assert!(ended, "it hangs: {log}");
        (code.expect("ended"), log)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let (Some((pid, _)), Ok(None)) = (self.stopped, self.strace.try_wait()) {
            let kill = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
            // A second panic while a failed test unwinds would hide the first.
            assert!(thread::panicking() || kill.is_ok_and(|status| status.success()));
        }
        // strace ends with its child; one that has ended already is no error.
        let _ = self.strace.wait();
    }
}

/// How many threads `strace` has seen stop.
fn stops_of(tiny: &Tiny) -> usize {
    let calls = tiny.binary.directory().join("calls");
    let traced = fs::read_to_string(calls).unwrap_or_default();
    traced.matches("stopped by SIGSTOP").count()
}

#[test]
fn s05_a_run_stopped_at_any_system_call_commits_nothing_when_woken_sqlite() {
    let counts = Mutex::new(BTreeMap::new());
    go_through(Backend::Sqlite, vec!["undisturbed"], async |tiny, _| {
        let (code, log) = Traced::start(tiny, None).end(tiny).await;
        assert_eq!(code, 0, "{log}");
        *counts.lock().expect("no panic") = calls_of_busiest_thread(tiny);
    });
    let counts = counts.into_inner().expect("no panic");
    let mut points: Vec<Point> = counts
        .iter()
        .flat_map(|(call, count)| (1..=*count).map(|number| (call.clone(), number)))
        .map(|(call, number)| Point {
            call,
            number,
            is_killed: number % 2 == 0,
        })
        .collect();
    if let Ok(wanted) = env::var("RETENTIOND_TEST_POINT") {
        points.retain(|point| point.to_string() == wanted);
    } else if !is_long() {
        points.shuffle(&mut StdRng::seed_from_u64(seed_or(1)));
        points.truncate(SAMPLE);
    }
    let ends = Mutex::new(BTreeMap::<&str, usize>::new());
    go_through(Backend::Sqlite, points, async |tiny, point| {
        let end = stop_at(tiny, point).await;
        *ends.lock().expect("no panic").entry(end).or_default() += 1;
    });
    let ends = ends.into_inner().expect("no panic");
    report(&format!("Sqlite: {counts:?} in a run; {ends:?}"));
    if env::var("RETENTIOND_TEST_POINT").is_err() {
        let stops: usize = ends.values().sum::<usize>() - ends.get(NEVER).copied().unwrap_or(0);
        assert!(stops >= STOPS_MIN, "only {stops} stops");
        for end in [LOST, LOCKED] {
            assert!(ends.contains_key(end), "no zombie {end}");
        }
    }
}

/// How it ended for the zombie, for the record.
const NEVER: &str = "had ended before its point";
const LOST: &str = "had lost a run";
const IDLE: &str = "had nothing to lose";
const LOCKED: &str = "had kept the write lock";
const LOCKED_ALL: &str = "had kept even readers out";

async fn stop_at(tiny: &Tiny, point: &Point) -> &'static str {
    let when = point.to_string();
    let mut zombie = Traced::start(tiny, Some(point));
    if !zombie.stops(tiny).await {
        require_finished(tiny, &when).await;
        return NEVER;
    }
    let (_, stopped_at) = zombie.stopped.expect("stopped");
    match lock(tiny).await {
        Lock::Free => {}
        Lock::Writers => {
            shut_out_writers(tiny, &when).await;
            free_the_lock(tiny, point, zombie).await;
            return LOCKED;
        }
        Lock::Everybody => {
            free_the_lock(tiny, point, zombie).await;
            return LOCKED_ALL;
        }
    }
    tiny.check(&when, &tiny.state().await);
    leases_to_expire(tiny, &when).await;
    let (code, log) = take_over(tiny, tiny.scratch.url(), &when).await;
    require_done(&when, code, &log);
    let taken = claims(&log);
    require_in_time(&when, &taken, stopped_at, LEASE);
    let before = see(tiny).await;
    tiny.check_finished(&when, &before.state);

    zombie.signal("CONT");
    let (code, log) = zombie.end(tiny).await;
    before.require_equal(&when, &see(tiny).await);
    require_finished(tiny, &when).await;
    let taken_over: Vec<_> = taken
        .iter()
        .filter(|(_, (attempt, _))| *attempt > 1)
        .collect();
    if taken_over.is_empty() {
        assert!(lost(&log).is_empty(), "{when}: {log}");
        require_done(&when, code, &log);
        return IDLE;
    }
    assert_eq!(code, 5, "{when}: {log}");
    let taken_over: Vec<&String> = taken_over.iter().map(|(run, _)| *run).collect();
    assert_eq!(lost(&log).iter().collect::<Vec<_>>(), taken_over, "{when}");
    LOST
}

/// While another process has the write-ahead log open at a page, it cannot be emptied; the run says
/// so, and has done everything else.
fn require_done(when: &str, code: i32, log: &str) {
    let is_log_in_use = code == 3 && log.contains("write_ahead_log_in_use");
    assert!(code == 0 || is_log_in_use, "{when}: {code}: {log}");
}

/// Nobody gets past the zombie, and nothing is half done.
async fn shut_out_writers(tiny: &Tiny, when: &str) {
    let before = see(tiny).await;
    tiny.check(when, &before.state);
    let shut_out = tiny
        .binary
        .command(&["run", "--period", PERIOD])
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "100ms")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "1")
        .output()
        .expect("the binary starts");
    assert_ne!(shut_out.status.code(), Some(0), "{when}: past the lock");
    tokio::time::sleep(LEASE).await;
    before.require_equal(when, &see(tiny).await);
}

async fn free_the_lock(tiny: &Tiny, point: &Point, mut zombie: Traced) {
    let when = point.to_string();
    let freed_at = SystemClock.now();
    zombie.signal(if point.is_killed { "KILL" } else { "CONT" });
    // Each of the two may come first now, and the other finds its lease gone, or the run done.
    let (code, log) = take_over(tiny, tiny.scratch.url(), &when).await;
    require_done(&when, code, &log);
    let (code, zombie_log) = zombie.end(tiny).await;
    if point.is_killed {
        require_in_time(&when, &claims(&log), freed_at, Duration::ZERO);
    } else {
        let lost = lost(&zombie_log);
        let taken = claims(&log);
        for run in &lost {
            assert!(taken.contains_key(run), "{when}: lost to nobody");
        }
        let is_log_in_use = code == 3 && zombie_log.contains("write_ahead_log_in_use");
        let is_done = code == 0 && lost.is_empty();
        // One that stood still while it opened the file may give up when it wakes.
        let is_refused = code == 1 && lost.is_empty() && zombie_log.contains("run_refused");
        let is_documented = is_done || is_log_in_use || is_refused || code == 5;
        assert!(is_documented, "{when}: {code}: {zombie_log}");
    }
    require_finished(tiny, &when).await;
}

/// Whom the stopped process keeps out.
enum Lock {
    Free,
    Writers,
    Everybody,
}

async fn lock(tiny: &Tiny) -> Lock {
    let mut options = ConnectOptions::new(tiny.scratch.url().to_owned());
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| options.busy_timeout(Duration::ZERO));
    let Ok(db) = Database::connect(options).await else {
        return Lock::Everybody;
    };
    let read = db.execute_unprepared("SELECT COUNT(*) FROM tenant").await;
    let write = db.execute_unprepared("BEGIN IMMEDIATE").await;
    db.close().await.expect("closed");
    match (read, write) {
        (Err(_), _) => Lock::Everybody,
        (Ok(_), Err(_)) => Lock::Writers,
        (Ok(_), Ok(_)) => Lock::Free,
    }
}

/// How often the thread that writes most made each call.
fn calls_of_busiest_thread(tiny: &Tiny) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(tiny.binary.directory().join("calls")).expect("strace's output");
    let mut threads = BTreeMap::<&str, BTreeMap<String, usize>>::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').expect("a thread's number");
        // Lines without a call's name continue an earlier one.
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        if CALLS.contains(&call) {
            let calls = threads.entry(thread).or_default();
            *calls.entry(call.to_owned()).or_default() += 1;
        }
    }
    let busiest = threads
        .into_values()
        .max_by_key(|calls| calls.values().sum::<usize>());
    busiest.unwrap_or_default()
}
