//! A `run` that is stopped at a request to the server: the request waits in the stopped process and
//! arrives when it is woken, or the server has it and its answer is not read before that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{
    LEASE, claims, leases_to_expire, lost, require_finished, require_in_time, run_command, see,
    take_over,
};
use crate::faults::campaign::go_through;
use crate::faults::tiny::Tiny;
use crate::faults::{self, Started};
use crate::support::Backend;
use crate::support::bouncer::Bouncer;
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::proxy::{Fault, Seen, Trigger};
use crate::support::{holds_within, scratch};

/// Points of the bounded campaign: those below that are in every sample, and others.
const SAMPLE: usize = 40;

/// So many must come about, and so many of them must have cost the zombie a run.
const STOPS_MIN: usize = 30;
const LOST_MIN: usize = 15;

/// The first statements of the steps that must be in every sample, besides the last COMMIT, with
/// which the last run is recorded as completed.
const STEPS: [(&str, &str); 3] = [
    ("the claim", "/* leases.acquire */"),
    ("the recount", faults::RECOUNT),
    ("the record of the end", "/* runs.end */"),
];

struct Point {
    number: usize,
    fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}/{}", self.fault, self.number)
    }
}

/// How the processes reach the server.
enum Way {
    Direct,
    Pooled(Bouncer),
}

impl Way {
    fn url(&self, tiny: &Tiny) -> String {
        match self {
            Self::Direct => tiny.scratch.url().to_owned(),
            Self::Pooled(bouncer) => bouncer.url(tiny.scratch.url()),
        }
    }
}

#[test]
fn s05_a_run_stopped_at_any_request_commits_nothing_when_woken_postgres() {
    stop_at_requests(Backend::Postgres, &Way::Direct);
}

#[test]
fn s05_a_run_stopped_at_any_request_commits_nothing_when_woken_mariadb() {
    stop_at_requests(Backend::MariaDb, &Way::Direct);
}

#[test]
fn s05_a_run_stopped_at_any_request_commits_nothing_when_woken_pgbouncer() {
    // Started on the test's own thread, because it ends with the thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bouncer = runtime.block_on(async {
        let database = scratch(Backend::Postgres).await;
        Bouncer::start(database.url()).await
    });
    stop_at_requests(Backend::Postgres, &Way::Pooled(bouncer));
}

fn stop_at_requests(backend: Backend, way: &Way) {
    let seen = Mutex::new(Vec::new());
    go_through(backend, vec!["undisturbed"], async |tiny, _| {
        let ended = start(tiny, way, &[]).await.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        tiny.check_finished("through the proxy", &tiny.state().await);
        *seen.lock().expect("no panic") = ended.proxy.seen();
    });
    let points = choose(&seen.into_inner().expect("no panic"));
    let tried = points.len();
    let ends = Mutex::new(BTreeMap::<&str, usize>::new());
    go_through(backend, points, async |tiny, point| {
        let end = stop_at(tiny, way, point).await;
        *ends.lock().expect("no panic").entry(end).or_default() += 1;
    });
    let ends = ends.into_inner().expect("no panic");
    report(&format!("{backend:?}: {ends:?}"));
    if std::env::var("RETENTIOND_TEST_POINT").is_err() {
        let stops = tried - ends.get(NEVER).copied().unwrap_or_default();
        assert!(stops >= STOPS_MIN, "only {stops} stops");
        let lost = ends.get(LOST).copied().unwrap_or_default();
        assert!(lost >= LOST_MIN, "only {lost} zombies lost a run");
    }
}

/// The steps that every sample has, half of the others at a COMMIT or a BEGIN, and any.
fn choose(seen: &[Seen]) -> Vec<Point> {
    let with_text = |text: &'static str| {
        let numbers = seen.iter().enumerate();
        let numbers = numbers.filter(move |(_, seen)| seen.text.starts_with(text));
        numbers.map(|(index, _)| index + 1)
    };
    let mut numbers: Vec<usize> = STEPS
        .iter()
        .map(|(step, text)| {
            with_text(text)
                .next()
                .unwrap_or_else(|| panic!("no {step}"))
        })
        .collect();
    numbers.extend(with_text("COMMIT").next_back());
    let named = numbers.len();
    let mut random = StdRng::seed_from_u64(seed_or(1));
    let mut edges: Vec<usize> = with_text("COMMIT").chain(with_text("BEGIN")).collect();
    edges.shuffle(&mut random);
    edges.truncate(SAMPLE / 4);
    numbers.extend(edges);
    let mut others: Vec<usize> = (1..=seen.len()).collect();
    others.shuffle(&mut random);
    numbers.extend(others);
    let mut known = BTreeSet::new();
    numbers.retain(|number| known.insert(*number));
    let points = numbers.iter().enumerate().flat_map(|(place, number)| {
        let both = [Fault::StopBefore, Fault::StopInFlight];
        // Of the chosen steps both; of the others one, or the sample would be half as wide.
        let faults = if place < named || is_long() {
            both.to_vec()
        } else {
            vec![both[place % 2]]
        };
        let number = *number;
        faults.into_iter().map(move |fault| Point { number, fault })
    });
    let mut points: Vec<Point> = points.collect();
    if let Ok(wanted) = std::env::var("RETENTIOND_TEST_POINT") {
        points.retain(|point| point.to_string() == wanted);
    } else if !is_long() {
        points.truncate(SAMPLE);
    }
    points
}

async fn start(tiny: &Tiny, way: &Way, faults: &[(Trigger, Fault)]) -> Started {
    faults::start(tiny, &way.url(tiny), run_command(tiny), faults).await
}

/// How it ended for the zombie, for the record.
const NEVER: &str = "had ended before its point";
const LOST: &str = "had lost a run";
const IDLE: &str = "had nothing to lose";
const FAILED: &str = "had not got as far as a claim";

async fn stop_at(tiny: &Tiny, way: &Way, point: &Point) -> &'static str {
    let zombie = start(tiny, way, &[(Trigger::Number(point.number), point.fault)]).await;
    let mut stopped_at = None;
    let decided = holds_within(super::PATIENCE, async || {
        stopped_at = zombie.proxy.stopped_at();
        stopped_at.is_some() || zombie.status().is_some()
    });
    assert!(decided.await, "{point}: neither stopped nor ended");
    let at = zombie.proxy.seen().last().map(|seen| seen.text.clone());
    let when = format!("{point} {at:?}");
    let Some(stopped_at) = stopped_at else {
        require_finished(tiny, &when).await;
        return NEVER;
    };

    tiny.check(&when, &tiny.state().await);
    leases_to_expire(tiny, &when).await;
    let (code, log) = take_over(tiny, &way.url(tiny), &when).await;
    assert_eq!(code, 0, "{when}: the other did not finish: {log}");
    let taken = claims(&log);
    require_in_time(&when, &taken, stopped_at, LEASE);
    let before = see(tiny).await;
    tiny.check_finished(&when, &before.state);

    zombie.proxy.wake();
    let ended = zombie.end().await;
    let after = see(tiny).await;
    before.require_equal(&when, &after);
    require_finished(tiny, &when).await;

    let taken_over = taken.iter().filter(|(_, (attempt, _))| *attempt > 1);
    let taken_over: Vec<&String> = taken_over.map(|(run, _)| run).collect();
    let log = &ended.stderr;
    if !taken_over.is_empty() {
        // It had claimed them, and was not done.
        assert_eq!(ended.code, Some(5), "{when}: {log}");
        assert_eq!(lost(log).iter().collect::<Vec<_>>(), taken_over, "{when}");
        return LOST;
    }
    assert!(lost(log).is_empty(), "{when}: {log}");
    if ended.code == Some(0) {
        return IDLE;
    }
    // Its connection was closed over the claim, or before; it says so and leaves the run alone.
    assert!(matches!(ended.code, Some(1 | 3)), "{when}: {log}");
    assert!(log.contains("database"), "{when}: {log}");
    FAILED
}
