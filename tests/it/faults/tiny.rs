//! A platform of two tenants and two dozen people, of each of whom it is known what must become of
//! them, that can be put back to its beginning in no time.

use std::fs;

use chrono::TimeDelta;
use entity::run_lease;
use retentiond::domain::counts::Counts;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait,
    IntoActiveModel, QueryFilter,
};

use super::expectation::{Expectation, wait_for_expiry};
use super::kept;
use super::people::populate;
use super::state::State;
use crate::support::{Backend, Binary, Finished, Scratch, World, scratch};

/// The period of every run here; the cutoffs are those of April 2024.
pub const PERIOD: &str = "2024-04";

/// At one point in so many, which the point's name decides, the lease that a dead process left runs
/// out by itself. At the others it is as if the time had passed already: waiting at each of some 1,300
/// points would show nothing more.
const WAITED_OUT_EVERY: u32 = 10;

pub struct Tiny {
    pub binary: Binary,
    /// Kept open on the servers only: a SQLite file that nobody has open is recovered by whoever
    /// opens it next, and that is part of the test.
    connection: Option<DatabaseConnection>,
    expectation: Expectation,
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
            ("ENGINE__TENANTS_AT_A_TIME", "1"),
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
        kept::keep(&db).await;
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
            expectation: Expectation {
                people,
                reference: State::read(&scratch.connect().await, backend).await,
                before,
            },
            scratch,
        };
        if let Some(file) = tiny.file() {
            fs::copy(&file, format!("{file}.kept")).expect("a copy");
        }
        tiny.run().expect_code(0);
        tiny.expectation.reference = tiny.state().await;
        tiny.expectation.check_reference();
        tiny.restore().await;
        tiny
    }

    /// What a run of the tenant does, from the beginning.
    pub fn expected(&self, slug: &str) -> Counts {
        let runs = &self.expectation.reference.runs;
        let run = runs.values().find(|run| run.slug == slug);
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
        kept::put_back(db).await;
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

    /// After a fault: see [`Expectation::prove`].
    pub async fn prove(&self, when: &str) {
        let period = ["--period", PERIOD];
        let state = async || self.state().await;
        let end_leases = async || {
            if when.bytes().map(u32::from).sum::<u32>() % WAITED_OUT_EVERY == 0 {
                wait_for_expiry().await;
            } else {
                self.look(expire_leases).await;
            }
        };
        self.expectation
            .prove(when, &self.binary, &period, state, end_leases)
            .await;
    }

    /// What must hold at any instant.
    pub fn check(&self, when: &str, state: &State) {
        self.expectation.check(when, state);
    }

    /// Equal to an undisturbed run's end.
    pub fn check_finished(&self, when: &str, state: &State) {
        self.expectation.check_finished(when, state);
    }
}

/// Every lease that is held expired a moment ago.
async fn expire_leases(db: &DatabaseConnection) {
    let held = run_lease::Entity::find()
        .filter(run_lease::Column::Token.is_not_null())
        .all(db)
        .await
        .expect("leases");
    for lease in held {
        let until = lease
            .expires_at
            .expect("who holds a lease holds it until then");
        let mut lease = lease.into_active_model();
        // As long as leases last here.
        lease.expires_at = Set(Some(until - TimeDelta::seconds(1)));
        lease.update(db).await.expect("an expired lease");
    }
}
