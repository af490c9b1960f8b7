//! How many points, which, and how they are gone through.

use std::collections::VecDeque;
use std::env;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::thread;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::tiny::Tiny;
use crate::support::Backend;
use crate::support::campaign::{is_long, report, seed_or};

/// Worlds that are attacked at the same time, by each of the tests that run at the same time.
const LANES: usize = 2;

/// So many points must come about on each database, in each run of the tests.
const POINTS_MIN: usize = 300;

/// So many are tried.
const SAMPLE: usize = 310;

fn seed() -> u64 {
    seed_or(1)
}

/// The points of this campaign, and how many of them must come about at least. All of them in a long
/// campaign, the one that was named, or else a random choice.
///
/// A few may not come about: on a slow machine a run takes a few steps more, a heartbeat say, so the
/// last steps of the run that was counted may not exist in another.
pub fn choose<P: Display>(points: Vec<P>) -> (Vec<P>, usize) {
    assert!(points.len() >= SAMPLE, "only {} points", points.len());
    let points = choose_of(points, SAMPLE);
    let at_least = POINTS_MIN.min(points.len());
    (points, at_least)
}

/// As [`choose`], with a sample of another size.
pub fn choose_of<P: Display>(mut points: Vec<P>, sample: usize) -> Vec<P> {
    if let Ok(named) = env::var("RETENTIOND_TEST_POINT") {
        // Another suite's point, perhaps: that is none here.
        points.retain(|point| point.to_string() == named);
    } else if !is_long() {
        points.shuffle(&mut StdRng::seed_from_u64(seed()));
        points.truncate(sample);
    }
    points
}

/// Attacks at each point, each time from the beginning of a tiny world.
pub fn go_through<P>(backend: Backend, points: Vec<P>, attack: impl AsyncFn(&Tiny, &P) + Sync)
where
    P: Display + Send,
{
    let lanes = LANES.min(points.len());
    let queue = Mutex::new(VecDeque::from(points));
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    };
    let lane = || {
        // A runtime of its own: a lane blocks while a process runs, and its proxy must not.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let tiny = Tiny::new(backend).await;
            while let Some(point) = next() {
                let name = point.to_string();
                let repeat = Repeat(&name);
                attack(&tiny, &point).await;
                drop(repeat);
                tiny.restore().await;
            }
        });
    };
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(lane);
        }
    });
}

/// Says, when a point fails, how to repeat it.
struct Repeat<'a>(&'a str);

impl Drop for Repeat<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, point) = (seed(), self.0);
            report(&format!(
                "to repeat: RETENTIOND_TEST_SEED={seed} RETENTIOND_TEST_POINT='{point}'"
            ));
        }
    }
}
