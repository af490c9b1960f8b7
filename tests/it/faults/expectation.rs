//! What an undisturbed run makes of a platform, and what must hold of it at every instant until then.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use retentiond::domain::counts::Counts;
use uuid::Uuid;

use super::people::{Fate, Known};
use super::state::State;
use crate::support::Binary;

/// Longer than any lease here: by then the next process has it.
const LEASE_MAX: Duration = Duration::from_secs(60);

/// Waits until a lease of the dead has run out by the database's clock, or nearly so.
pub async fn wait_for_expiry() {
    tokio::time::sleep(Duration::from_millis(1_050)).await;
}

/// The beginning, the end, and what is known about people.
pub struct Expectation {
    pub people: HashMap<Uuid, Known>,
    pub before: State,
    /// The end of an undisturbed run.
    pub reference: State,
}

impl Expectation {
    /// What an undisturbed run does is what is known to be right.
    pub fn check_reference(&self) {
        self.check("an undisturbed run", &self.reference);
        let [before, after] = [&self.before, &self.reference].map(State::by_person);
        for (id, known) in &self.people {
            let rows = after.get(id);
            let row = rows.and_then(|rows| rows.values().find(|row| row.table == "participant"));
            let fate = match row {
                None => Fate::Gone,
                Some(row) if row.anonymized => Fate::Anonymous,
                Some(_) => Fate::Kept,
            };
            assert_eq!(fate, known.fate);
            if fate == Fate::Kept {
                assert_eq!(before.get(id), rows);
            }
        }
        let mut runs = self.reference.runs.values();
        assert!(runs.all(|run| ["completed", "no_policy"].contains(&run.state.as_str())));
        assert!(!self.reference.in_hand);
    }

    /// What must hold at any instant, in the middle of a run too.
    pub fn check(&self, when: &str, state: &State) {
        for (key, row) in &state.rows {
            let (before, after) = (self.before.rows.get(key), self.reference.rows.get(key));
            assert!(
                Some(row) == before || Some(row) == after,
                "{when}: {key} is {row:?}, neither as before nor as it must become"
            );
        }
        for key in self.reference.rows.keys() {
            assert!(state.rows.contains_key(key), "{when}: {key} is gone");
        }
        let mut unhashable = HashMap::<i64, u64>::new();
        let [all_before, all_now, all_after] =
            [&self.before, state, &self.reference].map(State::by_person);
        for (id, known) in &self.people {
            let (before, now) = (&all_before[id], all_now.get(id));
            if now == Some(before) {
                continue;
            }
            assert_eq!(
                now,
                all_after.get(id),
                "{when}: half of what belongs to {id} was done"
            );
            if let Some(hash) = &known.hash {
                assert!(
                    state.hashes.contains(hash),
                    "{when}: the hash of {id} is lost"
                );
            }
            if known.unhashable {
                let tenant = before.values().next().expect("the row itself").tenant;
                *unhashable.entry(tenant).or_default() += 1;
            }
        }
        let mut erased = Counts::default();
        for run in state.runs.values() {
            let mut gone = state.gone_since(&self.before, run.tenant);
            gone.unhashable = unhashable.remove(&run.tenant).unwrap_or_default();
            assert_eq!(
                run.counts, gone,
                "{when}: the run's record and what is gone"
            );
            // Hashes are counted by the run alone (S15).
            gone.suppressions = 0;
            assert_eq!(
                gone, run.batches,
                "{when}: the run's record and its batches"
            );
            erased += gone;
        }
        assert_eq!(
            self.before.rows.len() as u64 - state.rows.len() as u64,
            erased.rows_purged().values().sum::<u64>(),
            "{when}: rows are gone that no run recorded"
        );
    }

    /// Equal to an undisturbed run's end.
    pub fn check_finished(&self, when: &str, state: &State) {
        self.check(when, state);
        let reference = &self.reference;
        assert_eq!(state.rows, reference.rows, "{when}: rows");
        assert_eq!(state.hashes, reference.hashes, "{when}: hashes");
        assert_eq!(state.purged_uploads, reference.purged_uploads, "{when}");
        assert_eq!(state.runs, reference.runs, "{when}: runs");
        assert!(!state.in_hand, "{when}: a lease or a cursor is left");
    }

    /// After a fault: what holds at any instant holds now; another process finishes; the result is
    /// that of an undisturbed run; `verify` agrees; and a third run changes nothing. `arguments` name
    /// the period, if it is not the newest. `end_leases` is called if a lease is left: it waits until
    /// leases have expired, or sees to it.
    pub async fn prove(
        &self,
        when: &str,
        binary: &Binary,
        arguments: &[&str],
        state: impl AsyncFn() -> State,
        end_leases: impl AsyncFn(),
    ) {
        let run = || binary.run(&[&["run"], arguments].concat());
        let stored = state().await;
        self.check(when, &stored);
        if stored.in_hand {
            end_leases().await;
        }
        let end = Instant::now() + LEASE_MAX;
        let finished = loop {
            let finished = run();
            if finished.code != 5 || Instant::now() > end {
                break finished;
            }
            // Held: the database's clock is not quite there.
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(
            finished.code, 0,
            "{when}: the next process did not finish: {}",
            finished.stderr
        );
        let stored = state().await;
        self.check_finished(when, &stored);
        let verified = binary.run(&[&["verify"], arguments].concat());
        assert_eq!(verified.code, 0, "{when}: verify: {}", verified.stdout);
        let again = run();
        assert_eq!(again.code, 0, "{when}: a third run: {}", again.stderr);
        let unchanged = state().await;
        self.check_finished(when, &unchanged);
        assert_eq!(stored.records, unchanged.records, "{when}: a third run");
    }
}
