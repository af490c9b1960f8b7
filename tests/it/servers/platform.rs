//! A platform whose server may die under it: many tenants, of each of whose people it is known what
//! must become of them, and that can be put back to the beginning.

use entity::{run_batch, run_lease, tenant_run};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::faults::expectation::Expectation;
use crate::faults::kept;
use crate::faults::people::{Fate, Known};
use crate::faults::state::State;
use crate::support::crowd::Member;
use crate::support::database::{connect, scratch_on};
use crate::support::{Backend, Binary, Crowd, Snapshot, World};

/// Short pauses, because servers come back in seconds here; and as many of them as it takes, because
/// a run that fails is left alone for a minute.
const SETTINGS: [(&str, &str); 8] = [
    ("ENGINE__LEASE_DURATION", "2s"),
    ("ENGINE__BATCH_ROWS", "1"),
    ("ENGINE__WORKERS", "2"),
    ("ENGINE__RETRY_ATTEMPTS", "100"),
    ("ENGINE__RETRY_BACKOFF_INITIAL", "20ms"),
    ("ENGINE__RETRY_BACKOFF_MAX", "300ms"),
    ("DATABASE__CONNECT_TIMEOUT", "2s"),
    ("DATABASE__MAX_CONNECTIONS", "4"),
];

/// The platform.
pub struct Platform {
    pub expectation: Expectation,
    /// In a directory with the keyring, in small batches, and without a database.
    binary: Binary,
    backend: Backend,
    /// The database on the server that it was made on.
    pub url: String,
}

impl Platform {
    /// Makes it, lets an undisturbed run show what must become of it, and puts it back.
    pub async fn new(backend: Backend, server: String, tenants: usize) -> Self {
        let crowd = Crowd::new(scratch_on(backend, server).await, tenants).await;
        let db = &crowd.world.db;
        kept::keep(db).await;
        let before = State::read(db, backend).await;
        let snapshot = Snapshot::take(db).await;
        crowd.world.binary().run(&["run"]).expect_code(0);
        crowd.prove(&snapshot).await;
        let reference = State::read(db, backend).await;
        kept::put_back(db).await;
        let binary = SETTINGS
            .into_iter()
            .fold(crowd.world.binary(), |binary, (name, value)| {
                binary.env(&format!("RETENTIOND__{name}"), value)
            });
        let platform = Self {
            expectation: Expectation {
                people: crowd
                    .members
                    .iter()
                    .flat_map(|member| people_of(&crowd.world, member))
                    .collect(),
                before,
                reference,
            },
            binary,
            backend,
            url: crowd.world.scratch.url().to_owned(),
        };
        platform.expectation.check_reference();
        platform
    }

    /// The service, on a server that has this platform, at most so many rows a second.
    pub fn binary(&self, url: &str, rows_per_second_max: u32) -> Binary {
        self.binary
            .beside()
            .env("RETENTIOND__DATABASE__URL", url)
            .env(
                "RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX",
                &rows_per_second_max.to_string(),
            )
    }

    /// Everything as it was before any run, on a server where nobody works.
    pub async fn put_back(&self, url: &str) {
        let db = connect(url).await;
        kept::put_back(&db).await;
        db.close().await.expect("closed");
    }

    /// What a server holds, at one instant.
    pub async fn state(&self, url: &str) -> State {
        let db = connect(url).await;
        let state = State::read(&db, self.backend).await;
        db.close().await.expect("closed");
        state
    }

    /// What holds at any instant holds now.
    pub async fn check(&self, when: &str, url: &str) {
        self.expectation.check(when, &self.state(url).await);
    }

    /// How far the work has come.
    pub async fn progress(&self, db: &DatabaseConnection) -> Progress {
        let held = run_lease::Entity::find().filter(run_lease::Column::Token.is_not_null());
        let runs_in = async |states: &[&str]| {
            let runs = tenant_run::Entity::find()
                .filter(tenant_run::Column::State.is_in(states.iter().copied()));
            runs.count(db).await.expect("a count")
        };
        let all = self.expectation.reference.runs.len() as u64;
        let ended = ["completed", "no_policy", "failed"];
        Progress {
            batches: run_batch::Entity::find().count(db).await.expect("a count"),
            in_hand: held.count(db).await.expect("a count") > 0,
            is_done: runs_in(&ended[..2]).await == all,
            is_at_rest: runs_in(&ended).await == all,
        }
    }
}

/// How far the work has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub batches: u64,
    /// Somebody holds a lease, or died with it.
    pub in_hand: bool,
    pub is_done: bool,
    /// A daemon has nothing left to do but runs that failed, and those it leaves alone for a minute or
    /// more.
    pub is_at_rest: bool,
}

fn people_of(world: &World, member: &Member) -> Vec<(Uuid, Known)> {
    let known = |id: &Uuid, fate| {
        let address = member.unsubscribed.get(id);
        let hashable = address.filter(|address| address.contains('@'));
        let known = Known {
            fate,
            hash: hashable.map(|email| (member.tenant.0, world.hash(member.tenant, email))),
            unhashable: address.is_some() && hashable.is_none(),
        };
        (*id, known)
    };
    let purged = member.purged.iter().map(|id| known(id, Fate::Gone));
    let anonymized = member
        .anonymized
        .iter()
        .map(|id| known(id, Fate::Anonymous));
    let kept = member.kept.iter().map(|id| known(id, Fate::Kept));
    purged.chain(anonymized).chain(kept).collect()
}
