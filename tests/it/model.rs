//! The service against a reference in memory.
//!
//! A case is a sequence of things that happen to a platform: people are inserted, imported, marked,
//! unsubscribed; they answer late; policies are set, lengthened, cleared, shortened and dated back;
//! tenants are added and moved to another zone; clocks are set forward and back; passes run, for what
//! is due or for a period that somebody names, and processes die in the middle of them.
//! `proptest-state-machine` draws the sequences and, when one fails, leaves out whatever it can.
//!
//! ```text
//! transitions ──┬─> reference   (semantics.md in memory: reference.rs, runs.rs, calendar.rs)
//!               │        │ equal after each transition? people field by field, what belongs to
//!               │        │ them, uploads, hashes, run records, leases, and verify's verdict
//!               └─> service     (the real engine and intake on a real database: service.rs)
//! ```
//!
//! The reference shares no rule with the service. What it cannot know is how far a pass came that a
//! fault ended: there it is told who is gone (`crash.rs`), and all else has to follow from that.
//!
//! The clock of the host is the reference's, and lies in the past, so that it is the one that counts
//! (S10); the database's is the real one.
//!
//! Each case is drawn from the seed and its own number, so a failure is repeated alone.

mod calendar;
mod crash;
mod look;
mod platform;
mod reference;
mod runs;
mod seen;
mod service;
mod steps;
mod transitions;

use std::cell::RefCell;
use std::env;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use crate::support::Backend;
use crate::support::campaign::{is_long, report, seed_or};
use reference::Reference;
use service::{Checked, Service};
use steps::Tally;
use transitions::{Platform, Start, Transition};

/// How many things happen in a case, apart from its end.
const TRANSITIONS: std::ops::RangeInclusive<usize> = 6..=18;

/// A failing case is run so many times more, to make it short.
const SHRINKS_MAX: u32 = 600;

/// A longer campaign has so many times as many cases.
const LONG: usize = 20;

#[test]
fn sqlite() {
    campaign(Backend::Sqlite, 860, 2);
}

#[test]
fn postgres() {
    campaign(Backend::Postgres, 70, 1);
}

#[test]
fn mariadb() {
    campaign(Backend::MariaDb, 70, 1);
}

/// Runs so many cases on a database, several at a time, each lane on a database of its own.
fn campaign(backend: Backend, cases: usize, lanes: usize) {
    let started = Instant::now();
    let cases = numbers(cases);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..lanes.min(cases.len()) {
            scope.spawn(|| {
                let lane = Lane::new(backend);
                while !failed.load(Ordering::Relaxed) {
                    let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    if let Err(failure) = lane.case(backend, *case) {
                        failed.store(true, Ordering::Relaxed);
                        failures.lock().expect("no panic").push(failure);
                    }
                }
                *tally.lock().expect("no panic") += lane.tally.into_inner();
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let tally = tally.into_inner().expect("no panic");
    report(&format!(
        "{backend:?}: {} cases in {} s: {tally:?}",
        cases.len(),
        started.elapsed().as_secs()
    ));
    // Not of a case that was named.
    if cases.len() > 1 {
        tally.assert_that_enough_happened();
    }
}

/// The numbers of the cases: all of them, or the one that was named.
fn numbers(cases: usize) -> Vec<usize> {
    match env::var("RETENTIOND_TEST_POINT") {
        // Another suite's point, perhaps: that is none here.
        Ok(point) => {
            let number = point.strip_prefix("Case/");
            number
                .and_then(|number| number.parse().ok())
                .into_iter()
                .collect()
        }
        Err(_) if is_long() => (0..cases * LONG).collect(),
        Err(_) => (0..cases).collect(),
    }
}

/// One thread with a service of its own.
struct Lane {
    runtime: tokio::runtime::Runtime,
    service: RefCell<Service>,
    tally: RefCell<Tally>,
}

impl Lane {
    fn new(backend: Backend) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let service = RefCell::new(runtime.block_on(Service::new(backend)));
        Self {
            runtime,
            service,
            tally: RefCell::default(),
        }
    }

    /// Draws the case of that number and runs it; if it fails, looks for the shortest that does.
    fn case(&self, backend: Backend, number: usize) -> Result<(), String> {
        let config = Config {
            cases: 1,
            failure_persistence: None,
            max_shrink_iters: SHRINKS_MAX,
            ..Config::default()
        };
        let seed = seed_or(1);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&(number as u64).to_le_bytes());
        bytes[16] = backend as u8;
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, random);
        let sequences = Platform::sequential_strategy(TRANSITIONS);
        let outcome = runner.run(&sequences, |(start, transitions, seen)| {
            let count = || {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            };
            self.sequence(&start, &transitions, count)
                .map_err(TestCaseError::fail)
        });
        outcome.map_err(|error| {
            let name = format!("{backend:?}").to_lowercase();
            let (reason, sequence) = match error {
                TestError::Abort(reason) => (reason, String::new()),
                TestError::Fail(reason, (start, transitions, _)) => {
                    (reason, readable(&start, &transitions))
                }
            };
            format!(
                "case {number} on {backend:?} fails: {reason}\n{sequence}to repeat: \
                 RETENTIOND_TEST_SEED={seed} RETENTIOND_TEST_POINT='Case/{number}' \
                 tests/run --test it model::{name}"
            )
        })
    }

    fn sequence(&self, start: &Start, transitions: &[Transition], count: impl Fn()) -> Checked {
        let mut service = self.service.borrow_mut();
        let mut tally = self.tally.borrow_mut();
        self.runtime.block_on(async {
            let mut reference = Reference::new(start);
            service.begin().await;
            service.start(&mut reference, start).await?;
            for (transition, number) in transitions.iter().zip(1..) {
                count();
                let done = service.step(&mut reference, transition, &mut tally).await;
                done.map_err(|reason| format!("after transition {number}: {reason}"))?;
            }
            let done = service.finish(&mut reference, &mut tally).await;
            done.map_err(|reason| format!("at the end: {reason}"))?;
            service.end();
            Ok(())
        })
    }
}

fn readable(start: &Start, transitions: &[Transition]) -> String {
    let mut text = format!("it began at {} with\n", start.now);
    for tenant in &start.tenants {
        writeln!(text, "  - {tenant:?}").expect("a string");
    }
    for (transition, number) in transitions.iter().zip(1..) {
        writeln!(text, "  {number}. {transition:?}").expect("a string");
    }
    text
}
