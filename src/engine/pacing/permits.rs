//! Permits: who of the tenants in hand may work on the database now.
//!
//! Rows of many tenants share a page wherever a table is kept in the order in which its rows came, as
//! PostgreSQL keeps it. Whoever goes through one tenant after the other reads and writes each page once
//! for every tenant on it, which costs nothing while all pages fit into the cache, and up to a fifth of
//! the time when they do not (`docs/performance.md`). So more tenants are in hand than there are workers, and
//! after each batch the run that is furthest behind gets the permit: they walk through the table side by
//! side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::engine::stage::Stage;

/// Who comes first of those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Rank {
    /// What a tenant that is in hand begins and ends with: counts, and its empty uploads.
    First,
    /// A batch of participants.
    Batch {
        /// Everybody's stage before anybody's next one.
        stage: Stage,
        /// How far the tenant got; `None` = it is at the start.
        after: Option<DateTime<Utc>>,
    },
}

const HANDED: &str = "whoever leaves the line is handed a permit";

impl Rank {
    /// A claim: when whoever was claimed before has done a batch, and then before all that they have
    /// left. So processes that begin at the same time divide the tenants among themselves, and each
    /// has its own side by side from the start.
    pub(in crate::engine) const CLAIM: Self = Self::Batch {
        stage: Stage::Anonymize,
        after: Some(DateTime::<Utc>::MIN_UTC),
    };

    /// A batch of `stage`, of rows behind those of time `after`.
    pub(in crate::engine) fn of(stage: Stage, after: Option<DateTime<Utc>>) -> Self {
        match stage {
            Stage::Anonymize | Stage::Purge => Self::Batch { stage, after },
            Stage::Uploads => Self::First,
        }
    }
}

/// As many permits at a time as there are workers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Permits {
    workers: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: BTreeMap<(Rank, u64), oneshot::Sender<Permit>>,
    /// Numbers those who wait: of the same rank, whoever came first is first.
    arrivals: u64,
}

/// The right to work until it is dropped.
#[derive(Debug)]
pub(in crate::engine) struct Permit {
    /// `None` = was not taken, and is somebody else's.
    permits: Option<Permits>,
}

impl Permits {
    /// So many at a time.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let state = State {
            free: workers,
            waiting: BTreeMap::new(),
            arrivals: 0,
        };
        Self {
            workers,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many may work at a time.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Waits for a permit. A future that is dropped gives up its place in line.
    pub(in crate::engine) async fn take(&self, rank: Rank) -> Permit {
        let granted = {
            let mut state = self.locked();
            if state.free > 0 {
                state.free -= 1;
                return self.granted();
            }
            state.join_line(rank)
        };
        granted.await.expect(HANDED)
    }

    /// Joins the line, unless that would be at its head.
    fn join_line_behind(&self, rank: Rank) -> Option<oneshot::Receiver<Permit>> {
        let mut state = self.locked();
        let ((first, _), _) = state.waiting.first_key_value()?;
        (*first <= rank).then(|| state.join_line(rank))
    }

    fn granted(&self) -> Permit {
        Permit {
            permits: Some(self.clone()),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while it held the lock left nothing half-done.
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl State {
    fn join_line(&mut self, rank: Rank) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert((rank, self.arrivals), sender);
        self.arrivals += 1;
        receiver
    }
}

impl Permit {
    /// Goes back in line, without letting anybody pass who comes later than `rank`: as whoever gives
    /// up a permit first and then waits for another one would.
    pub(in crate::engine) async fn yield_to(self, rank: Rank) -> Self {
        let behind = self
            .permits
            .as_ref()
            .and_then(|permits| permits.join_line_behind(rank));
        let Some(granted) = behind else {
            return self;
        };
        drop(self);
        granted.await.expect(HANDED)
    }
}

impl Drop for Permit {
    /// Hands the permit on to the first in line.
    fn drop(&mut self) {
        let Some(permits) = self.permits.take() else {
            return;
        };
        let mut state = permits.locked();
        while let Some((_, first)) = state.waiting.pop_first() {
            match first.send(permits.granted()) {
                Ok(()) => return,
                // Gave up waiting; the next one gets it.
                Err(mut refused) => refused.permits = None,
            }
        }
        state.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use futures_util::FutureExt;

    use super::*;

    fn batch(stage: Stage, after: Option<&str>) -> Rank {
        Rank::of(
            stage,
            after.map(|after| after.parse().expect("a valid time")),
        )
    }

    /// Whether the permit has come; asked twice, the line is joined once.
    fn poll(permit: Pin<&mut impl Future<Output = Permit>>) -> Option<Permit> {
        permit.now_or_never()
    }

    #[test]
    fn no_more_at_a_time_than_there_are_workers() {
        let permits = Permits::new(2);
        let (mut one, mut two) = (
            pin!(permits.take(Rank::First)),
            pin!(permits.take(Rank::First)),
        );
        let mut three = pin!(permits.take(Rank::First));
        let first = poll(one.as_mut()).expect("free");
        let second = poll(two.as_mut()).expect("free");
        assert!(poll(three.as_mut()).is_none());
        drop(first);
        let third = poll(three.as_mut()).expect("handed on");
        drop((second, third));
        let all = [(); 2].map(|()| {
            permits
                .take(Rank::First)
                .now_or_never()
                .expect("free again")
        });
        assert!(permits.take(Rank::First).now_or_never().is_none());
        drop(all);
    }

    #[test]
    fn whoever_is_furthest_behind_comes_first_and_the_first_to_come_of_equals() {
        let permits = Permits::new(1);
        let mut permit = permits.take(Rank::First).now_or_never();
        let in_line = [
            batch(Stage::Purge, None),
            batch(Stage::Anonymize, Some("2024-02-01T00:00:00Z")),
            batch(Stage::Anonymize, Some("2024-01-01T00:00:00Z")),
            Rank::First,
            batch(Stage::Anonymize, None),
            Rank::First,
            Rank::CLAIM,
            batch(Stage::Uploads, None),
        ];
        let mut waiting: Vec<_> = in_line
            .into_iter()
            .map(|rank| Some(Box::pin(permits.take(rank))))
            .collect();
        for waits in waiting.iter_mut().flatten() {
            assert!(poll(waits.as_mut()).is_none());
        }
        let mut order = Vec::new();
        while permit.take().is_some() {
            for (number, place) in waiting.iter_mut().enumerate() {
                if let Some(came) = place.as_mut().and_then(|waits| poll(waits.as_mut())) {
                    assert!(permit.is_none(), "one at a time");
                    permit = Some(came);
                    order.push(number);
                    *place = None;
                }
            }
        }
        assert_eq!(order, [3, 5, 7, 4, 6, 2, 1, 0]);
    }

    #[test]
    fn whoever_goes_back_in_line_lets_only_those_pass_who_are_further_behind() {
        let permits = Permits::new(1);
        let [early, late] = ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"]
            .map(|after| batch(Stage::Anonymize, Some(after)));
        let permit = permits.take(Rank::First).now_or_never().expect("free");
        let permit = permit.yield_to(late).now_or_never().expect("nobody waits");
        let mut other = pin!(permits.take(late));
        assert!(poll(other.as_mut()).is_none());
        let permit = permit
            .yield_to(early)
            .now_or_never()
            .expect("further behind");
        let mut back = pin!(permit.yield_to(late));
        assert!(poll(back.as_mut()).is_none(), "the other one came first");
        let permit = poll(other.as_mut()).expect("handed on");
        drop(permit);
        assert!(poll(back.as_mut()).is_some());
    }

    #[test]
    fn whoever_gives_up_holds_up_nobody() {
        let permits = Permits::new(1);
        let permit = permits.take(Rank::First).now_or_never().expect("free");
        let mut patient = pin!(permits.take(batch(Stage::Anonymize, None)));
        {
            let mut waits = pin!(permits.take(Rank::First));
            assert!(poll(waits.as_mut()).is_none());
            assert!(poll(patient.as_mut()).is_none());
        }
        let mut first = Box::pin(permits.take(Rank::First));
        assert!(poll(first.as_mut()).is_none());
        // Granted to the second one, who goes before it is seen.
        drop(permit);
        drop(first);
        let permit = poll(patient.as_mut()).expect("handed on");
        drop(permit);
        assert!(permits.take(Rank::First).now_or_never().is_some());
    }
}
