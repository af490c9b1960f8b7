//! Passes that come to nothing: the process dies, a defect ends its runs, it is asked to stop, or its
//! clock jumps.
//!
//! How far such a pass came is not for the reference to know. It is told which people are gone; that
//! they were among those who had to go, and that everything else follows from it, hashes, counts,
//! uploads and records, is for the comparison.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::Poll;

use chrono::{DateTime, Utc};
use retentiond::clock::Clock;
use retentiond::engine::claim::{Claim, claim};
use retentiond::engine::conductor::drive;
use retentiond::engine::due::find_due;
use retentiond::engine::{Engine, pass};
use tokio_util::sync::CancellationToken;

use super::look::Look;
use super::reference::Reference;
use super::runs::{End, Gap, Taken};
use super::service::Service;
use super::transitions::Fault;

/// The host's clock, which does its mischief when it is looked at for the n-th time.
#[derive(Debug)]
struct Mischief {
    time: DateTime<Utc>,
    looks: AtomicU16,
    fault: Fault,
    stop: CancellationToken,
}

impl Clock for Mischief {
    fn now(&self) -> DateTime<Utc> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fault {
            // From now on nothing works any more. Not a panic that the test's output would tell of.
            Fault::Killed(at) | Fault::Panics(at) if looks >= at => {
                resume_unwind(Box::new("killed"))
            }
            Fault::Stopped(at) if looks == at => self.stop.cancel(),
            Fault::ClockJumps(at) if looks >= at => {
                return "2600-01-01T00:00:00Z".parse().expect("a time");
            }
            _ => {}
        }
        self.time
    }
}

/// A pass that the fault disturbs.
pub async fn disturbed_pass(service: &mut Service, now: DateTime<Utc>, fault: Fault) {
    service.after_what_was_stored().await;
    let stop = CancellationToken::new();
    let engine = Engine {
        clock: Arc::new(Mischief {
            time: now,
            looks: AtomicU16::new(0),
            fault,
            stop: stop.clone(),
        }),
        stop,
        // One at a time, so that the n-th look is the same one whenever the case is repeated.
        tenants_at_a_time: 1,
        ..service.world.engine.clone()
    };
    match fault {
        Fault::Dropped(polls) => drop_at(polls, work(&engine)).await,
        Fault::Killed(_) => {
            // Not by a pass, which would live on and record what ended the run. In a task: what dies
            // is not the test.
            let task = tokio::spawn(async move { work(&engine).await });
            let _ = task.await;
        }
        _ => {
            let scope = Default::default();
            // In a task: what dies is not the test.
            let task = tokio::spawn(async move { pass::run(&engine, &scope).await.map(|_| ()) });
            let _ = task.await;
        }
    }
    // Not after a panic, which a process outlives with the pool that it has.
    if matches!(fault, Fault::Killed(_) | Fault::Dropped(_)) {
        service.restart().await;
    }
}

/// What a pass does for one tenant after the other, in one future that can be dropped whole.
async fn work(engine: &Engine) {
    let owed = find_due(engine, &Default::default()).await;
    for candidate in owed.expect("a look").expect("known tenants") {
        if let Ok(Claim::Claimed(run)) = claim(engine, &candidate).await {
            let error = drive(&run).await.error;
            assert!(error.is_none(), "nothing disturbs it: {error:?}");
        }
    }
}

/// Drops the future when it waits for the n-th time.
async fn drop_at(mut polls: u16, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        future.as_mut().poll(context)
    })
    .await;
}

/// Tells the reference how far the pass came. Returns how many runs it left half done.
pub fn resolve(reference: &mut Reference, fault: Fault, look: &Look) -> Result<u64, String> {
    let event = reference.event();
    let now = reference.now;
    let mut half_done = 0;
    for place in 0..reference.tenants.len() {
        let gap = Gap {
            is_confirmed: false,
            newest: reference.newest_settled(),
        };
        let tenant = &mut reference.tenants[place];
        let seen = &look.tenants[&tenant.slug];
        let is_untouched = tenant.runs.len() == seen.runs.len()
            && tenant
                .runs
                .iter()
                .all(|(period, run)| seen.runs.get(&period.to_string()) == Some(&run.seen));
        if is_untouched {
            continue;
        }
        let (period, end) = tenant.claim(now, None, event, gap);
        if end != End::Claimed {
            continue;
        }
        let victims = tenant.victims(period, now);
        let mut taken = Taken::default();
        taken.people.extend(
            victims
                .purge
                .iter()
                .filter(|key| !seen.people.contains_key(*key)),
        );
        let is_anonymous = |person: &super::seen::Person| person.anonymized_at.is_some();
        let anonymized = victims.anonymize.iter();
        let anonymized = anonymized.filter(|key| seen.people.get(*key).is_some_and(is_anonymous));
        taken.people.extend(anonymized);
        let uploads = tenant.uploads.keys();
        taken
            .uploads
            .extend(uploads.filter(|number| !seen.uploads.contains_key(*number)));
        let counts = tenant.erase(period, now, Some(&taken));
        let is_done = tenant.victims(period, now) == Default::default()
            && tenant.uploads_left_empty().is_empty();
        if !is_done && counts != Default::default() {
            half_done += 1;
        }
        let Some(run) = seen.runs.get(&period.to_string()) else {
            return Err(format!("{}: the run of {period} is gone", tenant.slug));
        };
        match (run.state, fault) {
            ("completed", _) if is_done => tenant.complete(period, now),
            // Whoever held it has vanished.
            ("running", Fault::Killed(_) | Fault::Dropped(_)) => {}
            ("failed", Fault::Panics(_)) => tenant.end(period, "failed", Some("panic")),
            ("pending", Fault::Stopped(_)) => tenant.end(period, "pending", None),
            ("failed", Fault::ClockJumps(_)) => tenant.end(period, "failed", Some("clock_skew")),
            (state, _) => {
                return Err(format!(
                    "{}: the run of {period} is {state} after {fault:?}, with {:?} left to do",
                    tenant.slug,
                    tenant.victims(period, now)
                ));
            }
        }
    }
    Ok(half_done)
}
