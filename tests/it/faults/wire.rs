//! Wire faults: the connection is cut, reset, delayed or goes silent at a chosen request, and the
//! process lives. It must find out what became of its batch, count nothing twice and wait for
//! nobody for longer than its deadline.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::campaign::{choose_of, go_through};
use super::tiny::{PERIOD, Tiny};
use super::{Ended, RECOUNT, through_proxy};
use crate::support::Backend;
use crate::support::campaign::report;
use crate::support::proxy::{Fault, Trigger};

/// Of the statements and scans of these runs.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What `store` allows for a reply on top, as docs/architecture.md says.
const REPLY_MARGIN: Duration = Duration::from_secs(5);

/// For a machine that is busy with other tests.
const SLACK: Duration = Duration::from_secs(4);

const BREAKS: [Fault; 3] = [Fault::CutRequest, Fault::CutReply, Fault::Reset];

struct Point(Vec<(Trigger, Fault)>);

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (trigger, fault)) in self.0.iter().enumerate() {
            let separator = if number > 0 { "+" } else { "" };
            match trigger {
                Trigger::Number(number) => write!(formatter, "{separator}{fault:?}/{number}")?,
                Trigger::Text(text, nth) | Trigger::Since(text, nth) => {
                    write!(formatter, "{separator}{fault:?}/{text}/{nth}")?;
                }
            }
        }
        Ok(())
    }
}

/// How many requests, and how many COMMITs, an undisturbed run makes: the least of three, because on
/// a busy machine one may be slow enough for a heartbeat that no other has.
fn count(backend: Backend) -> (usize, usize) {
    let (requests, commits) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX));
    let undisturbed = vec!["undisturbed 1", "undisturbed 2", "undisturbed 3"];
    go_through(backend, undisturbed, async |tiny, name| {
        let ended = run(tiny, &[]).await;
        check_report(tiny, name, &ended);
        let seen = ended.proxy.seen();
        requests.fetch_min(seen.len(), Ordering::Relaxed);
        let is_commit = seen.iter().filter(|seen| seen.text == "COMMIT");
        commits.fetch_min(is_commit.count(), Ordering::Relaxed);
    });
    (requests.into_inner(), commits.into_inner())
}

async fn run(tiny: &Tiny, faults: &[(Trigger, Fault)]) -> Ended {
    run_with(tiny, &[], faults).await
}

async fn run_with(tiny: &Tiny, settings: &[(&str, &str)], faults: &[(Trigger, Fault)]) -> Ended {
    let arguments = ["--output", "json", "run", "--period", PERIOD];
    let mut command = tiny.binary.command(&arguments);
    let timeout = format!("{}s", TIMEOUT.as_secs());
    for name in ["STATEMENT_TIMEOUT", "SCAN_TIMEOUT", "CONNECT_TIMEOUT"] {
        command.env(format!("RETENTIOND__DATABASE__{name}"), &timeout);
    }
    for (name, value) in settings {
        command.env(format!("RETENTIOND__{name}"), value);
    }
    through_proxy(tiny, command, faults).await
}

/// A run that says it is done reports each row once.
fn check_report(tiny: &Tiny, when: &str, ended: &Ended) {
    let document: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{when}: {}", ended.stderr));
    for tenant in document["tenants"].as_array().expect("tenants") {
        let slug = tenant["tenant"].as_str().expect("a slug");
        let expected = tiny.expected(slug);
        for (name, count) in expected.columns().into_iter().take(6) {
            assert_eq!(tenant[name], count, "{when}: {slug}: {name} in the report");
        }
    }
}

#[test]
fn a_connection_that_breaks_at_any_commit_leaves_no_doubt_postgres() {
    break_at_every_commit(Backend::Postgres);
}

#[test]
fn a_connection_that_breaks_at_any_commit_leaves_no_doubt_mariadb() {
    break_at_every_commit(Backend::MariaDb);
}

fn break_at_every_commit(backend: Backend) {
    let (_, commits) = count(backend);
    let points: Vec<Point> = (1..=commits)
        .flat_map(|nth| BREAKS.map(|fault| Point(vec![(Trigger::Text("COMMIT", nth), fault)])))
        .collect();
    break_at(backend, &choose_of(points, usize::MAX));
}

#[test]
fn a_connection_that_breaks_at_any_request_leaves_no_doubt_postgres() {
    break_at_any_request(Backend::Postgres);
}

#[test]
fn a_connection_that_breaks_at_any_request_leaves_no_doubt_mariadb() {
    break_at_any_request(Backend::MariaDb);
}

fn break_at_any_request(backend: Backend) {
    let (requests, _) = count(backend);
    let points: Vec<Point> = (1..=requests)
        .flat_map(|number| BREAKS.map(|fault| Point(vec![(Trigger::Number(number), fault)])))
        .collect();
    break_at(backend, &choose_of(points, 60));
}

fn break_at(backend: Backend, points: &[Point]) {
    let done = AtomicUsize::new(0);
    go_through(backend, points.iter().collect(), async |tiny, point| {
        let ended = run(tiny, &point.0).await;
        let when = point.to_string();
        assert_eq!(ended.proxy.struck().len(), 1, "{when}");
        if ended.code == Some(0) {
            check_report(tiny, &when, &ended);
            done.fetch_add(1, Ordering::Relaxed);
        } else {
            // A refusal at the start, or a claim that did not come about, leaves the run to the
            // next process. Once claimed, the process itself gets over it.
            let early = ended.stderr.contains("ended early");
            assert!(!early, "{when}: {:?}: {}", ended.code, ended.stderr);
        }
        tiny.prove(&when).await;
    });
    let (points, done) = (points.len(), done.into_inner());
    report(&format!(
        "{backend:?}: {points} breaks, {done} of them got over by the process itself"
    ));
}

#[test]
fn a_connection_that_goes_silent_is_given_up_in_time_postgres() {
    go_silent(Backend::Postgres);
}

#[test]
fn a_connection_that_goes_silent_is_given_up_in_time_mariadb() {
    go_silent(Backend::MariaDb);
}

/// The pool has one connection: one that is not given up for good would be missed.
fn go_silent(backend: Backend) {
    let (requests, _) = count(backend);
    let commit = |nth| Trigger::Text("COMMIT", nth);
    let late = Fault::Delay(TIMEOUT + REPLY_MARGIN + Duration::from_secs(2));
    let mut points = vec![
        // The server waits for a COMMIT that never comes.
        vec![(commit(3), Fault::Silence)],
        // It has committed, and nobody knows.
        vec![(commit(3), Fault::SilenceReply)],
        // It commits when it has been given up.
        vec![(commit(4), late)],
        vec![(Trigger::Text("BEGIN", 10), late)],
        vec![(Trigger::Text("BEGIN", 10), Fault::Silence)],
        [3, 5, 7]
            .map(|nth| (commit(nth), Fault::SilenceReply))
            .to_vec(),
    ];
    points.extend(
        (1..=requests)
            .step_by(requests / 4)
            .map(|number| vec![(Trigger::Number(number), Fault::Silence)]),
    );
    let points = points.into_iter().map(Point).collect();
    let points = choose_of(points, usize::MAX);
    go_through(backend, points, async |tiny, point| {
        let ended = run(tiny, &point.0).await;
        let over = Instant::now();
        let when = point.to_string();
        let seen = ended.proxy.seen();
        for (_, struck) in ended.proxy.struck() {
            let next = seen.iter().map(|seen| seen.at).find(|at| *at > struck);
            let waited = next.unwrap_or(over).duration_since(struck);
            let longest = TIMEOUT + REPLY_MARGIN + SLACK;
            assert!(waited < longest, "{when}: waited {waited:?}");
        }
        // Nothing but a farewell goes into the silence: the connection is not used again.
        for seen in seen.iter().filter(|seen| seen.unheard) {
            assert_eq!(seen.text, "ROLLBACK", "{when}: on a connection given up");
        }
        if matches!(point.0[0].0, Trigger::Text(..)) {
            assert_eq!(ended.code, Some(0), "{when}: {}", ended.stderr);
            check_report(tiny, &when, &ended);
        }
        tiny.prove(&when).await;
    });
}

#[test]
fn a_slow_recount_and_its_heartbeat_share_one_connection_postgres() {
    delay_the_recount(Backend::Postgres);
}

#[test]
fn a_slow_recount_and_its_heartbeat_share_one_connection_mariadb() {
    delay_the_recount(Backend::MariaDb);
}

/// The pool has one connection, and the recount needs it for longer than from one heartbeat to the
/// next.
fn delay_the_recount(backend: Backend) {
    go_through(backend, vec!["recount"], async |tiny, _| {
        let undisturbed = run(tiny, &[]).await.proxy.seen();
        let recount = undisturbed
            .iter()
            .position(|seen| seen.text.starts_with(RECOUNT));
        let recount = recount.expect("a recount") + 1;
        tiny.restore().await;
        let delay = Fault::Delay(Duration::from_millis(700));
        let ended = run_with(
            tiny,
            &[("ENGINE__RETRY_ATTEMPTS", "0")],
            &[(Trigger::Number(recount), delay)],
        )
        .await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        tiny.prove("a slow recount").await;
    });
}
