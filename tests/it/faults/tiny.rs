//! A platform of two tenants and two dozen people, of each of whom it is known what must become of
//! them, that can be put back to its beginning in no time.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use retentiond::domain::counts::Counts;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

use super::people::{Fate, Known, populate};
use super::state::State;
use crate::support::{Backend, Binary, Finished, Scratch, World, scratch};

/// The period of every run here; the cutoffs are those of April 2024.
pub const PERIOD: &str = "2024-04";

/// Parents before children.
const TABLES: [&str; 10] = [
    "upload",
    "participant",
    "participant_metadata",
    "answer",
    "conversation_message",
    "invitation",
    "suppression",
    "tenant_run",
    "run_batch",
    "run_lease",
];

pub struct Tiny {
    pub binary: Binary,
    /// Kept open on the servers only: a SQLite file that nobody has open is recovered by whoever
    /// opens it next, and that is part of the test.
    connection: Option<DatabaseConnection>,
    people: HashMap<Uuid, Known>,
    before: State,
    reference: State,
    // Dropped last: the database goes with it.
    pub scratch: Scratch,
}

impl Tiny {
    pub async fn new(backend: Backend) -> Self {
        let world = World::new(scratch(backend).await, "2024-04-02T00:00:00Z").await;
        let people = populate(&world).await;
        let binary = [
            ("ENGINE__LEASE_DURATION", "1s"),
            ("ENGINE__BATCH_ROWS", "3"),
            // One after the other, so that the same request has the same number in each run.
            ("ENGINE__WORKERS", "1"),
            ("DATABASE__MAX_CONNECTIONS", "1"),
            ("ENGINE__RETRY_BACKOFF_INITIAL", "5ms"),
            ("ENGINE__RETRY_BACKOFF_MAX", "200ms"),
        ]
        .into_iter()
        .fold(world.binary(), |binary, (name, value)| {
            binary.env(&format!("RETENTIOND__{name}"), value)
        });
        let World {
            engine,
            db,
            scratch,
        } = world;
        engine.database.close().await;
        for table in TABLES {
            let keep = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
            db.execute_unprepared(&keep).await.expect("a copy");
        }
        let before = State::read(&db, backend).await;
        let connection = match backend {
            Backend::Sqlite => {
                db.close().await.expect("the last connection");
                None
            }
            _ => Some(db),
        };
        let mut tiny = Self {
            binary,
            connection,
            people,
            reference: State::read(&scratch.connect().await, backend).await,
            before,
            scratch,
        };
        if let Some(file) = tiny.file() {
            fs::copy(&file, format!("{file}.kept")).expect("a copy");
        }
        tiny.run().expect_code(0);
        tiny.reference = tiny.state().await;
        tiny.check_reference();
        tiny.restore().await;
        tiny
    }

    /// What an undisturbed run does is what is known to be right.
    fn check_reference(&self) {
        self.check("an undisturbed run", &self.reference);
        for (id, known) in &self.people {
            let row = self
                .reference
                .rows
                .values()
                .find(|row| row.person == Some(*id) && row.table == "participant");
            let fate = match row {
                None => Fate::Gone,
                Some(row) if row.anonymized => Fate::Anonymous,
                Some(_) => Fate::Kept,
            };
            assert_eq!(fate, known.fate);
            if fate == Fate::Kept {
                assert_eq!(self.before.about(*id), self.reference.about(*id));
            }
        }
        assert!(
            self.reference
                .runs
                .values()
                .all(|run| run.state == "completed")
        );
        assert!(!self.reference.in_hand);
    }

    /// What a run of the tenant does, from the beginning.
    pub fn expected(&self, slug: &str) -> Counts {
        let run = self.reference.runs.values().find(|run| run.slug == slug);
        run.expect("a run of the tenant").counts
    }

    /// A run to its end, without a proxy.
    pub fn run(&self) -> Finished {
        self.binary.run(&["run", "--period", PERIOD])
    }

    fn file(&self) -> Option<String> {
        let path = self.scratch.url().strip_prefix("sqlite://")?;
        Some(path.split('?').next().expect("a path").to_owned())
    }

    /// Everything as it was before any run.
    pub async fn restore(&self) {
        if let Some(file) = self.file() {
            for beside in ["-wal", "-shm"] {
                // There is none unless the last process was killed.
                let _ = fs::remove_file(format!("{file}{beside}"));
            }
            fs::copy(format!("{file}.kept"), &file).expect("the copy");
            return;
        }
        let db = self.connection.as_ref().expect("a server");
        for table in TABLES.iter().rev() {
            let clear = format!("DELETE FROM {table}");
            db.execute_unprepared(&clear).await.expect("an empty table");
        }
        for table in TABLES {
            let fill = format!("INSERT INTO {table} SELECT * FROM kept_{table}");
            db.execute_unprepared(&fill).await.expect("the copy");
        }
    }

    pub async fn state(&self) -> State {
        self.look(async |db| State::read(db, self.scratch.backend()).await)
            .await
    }

    /// Looks at the database, on a connection that is closed again on SQLite.
    pub async fn look<T>(&self, look: impl AsyncFnOnce(&DatabaseConnection) -> T) -> T {
        if let Some(db) = &self.connection {
            return look(db).await;
        }
        let db = self.scratch.connect().await;
        let seen = look(&db).await;
        db.close().await.expect("closed");
        seen
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
        for (id, known) in &self.people {
            let (before, now) = (self.before.about(*id), state.about(*id));
            if now == before {
                continue;
            }
            let after = self.reference.about(*id);
            assert_eq!(now, after, "{when}: half of what belongs to {id} was done");
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
            assert_eq!(
                run.counts, run.batches,
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

    /// After a fault: what holds at any instant holds now; another process finishes; the result is
    /// that of an undisturbed run; `verify` agrees; and a third run changes nothing.
    pub async fn prove(&self, when: &str) {
        let state = self.state().await;
        self.check(when, &state);
        if state.in_hand {
            // The lease of the dead runs out by the database's clock.
            tokio::time::sleep(Duration::from_millis(1_050)).await;
        }
        let finished = loop {
            let finished = self.run();
            if finished.code != 5 {
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
        let state = self.state().await;
        self.check_finished(when, &state);
        let verified = self.binary.run(&["verify", "--period", PERIOD]);
        assert_eq!(verified.code, 0, "{when}: verify: {}", verified.stdout);
        let again = self.run();
        assert_eq!(again.code, 0, "{when}: a third run: {}", again.stderr);
        let unchanged = self.state().await;
        self.check_finished(when, &unchanged);
        assert_eq!(state.records, unchanged.records, "{when}: a third run");
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
}
