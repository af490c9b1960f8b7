//! Crash at every step: the real binary is killed before each of its requests to the server, while
//! the server is at it, and when the answer is there.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::campaign::{choose, go_through};
use super::through_proxy;
use super::tiny::{PERIOD, Tiny};
use crate::support::Backend;
use crate::support::campaign::report;
use crate::support::proxy::{Fault, Proxy, Trigger};

struct Point {
    number: usize,
    fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}/{}", self.fault, self.number)
    }
}

#[test]
fn a_process_killed_at_any_request_leaves_a_run_that_the_next_one_finishes_postgres() {
    kill_at_every_request(Backend::Postgres);
}

#[test]
fn a_process_killed_at_any_request_leaves_a_run_that_the_next_one_finishes_mariadb() {
    kill_at_every_request(Backend::MariaDb);
}

fn kill_at_every_request(backend: Backend) {
    let requests = AtomicUsize::new(0);
    go_through(backend, vec!["undisturbed"], async |tiny, _| {
        let proxy = run(tiny, &[]).await;
        tiny.check_finished("through the proxy", &tiny.state().await);
        requests.store(proxy.seen().len(), Ordering::Relaxed);
    });
    let requests = requests.into_inner();
    let points: Vec<Point> = (1..=requests)
        .flat_map(|number| {
            [Fault::KillBefore, Fault::KillInFlight, Fault::KillAfter]
                .map(|fault| Point { number, fault })
        })
        .collect();
    let (points, kills_min) = choose(points);
    let kills = AtomicUsize::new(0);
    go_through(backend, points, async |tiny, point| {
        let trigger = Trigger::Number(point.number);
        let proxy = run(tiny, &[(trigger, point.fault)]).await;
        kills.fetch_add(proxy.struck().len(), Ordering::Relaxed);
        let at = proxy.seen().last().map(|seen| seen.text.clone());
        tiny.prove(&format!("{point} {at:?}")).await;
    });
    let kills = kills.into_inner();
    report(&format!(
        "{backend:?}: {requests} requests in a run, {kills} kills"
    ));
    assert!(kills >= kills_min, "of at least {kills_min}");
}

async fn run(tiny: &Tiny, faults: &[(Trigger, Fault)]) -> Proxy {
    let command = tiny.binary.command(&["run", "--period", PERIOD]);
    through_proxy(tiny, command, faults).await.proxy
}
