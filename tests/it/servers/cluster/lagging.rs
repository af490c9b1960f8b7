//! A node of a cluster that is behind: it has certified what another node committed, and has yet to
//! apply it. Reads on it are stale, and rows that others hold locked look free.
//!
//! It is held up by a trigger that only this node has, on a table that is there for nothing else. How
//! long the machine takes for the rest cannot make these tests fail: a node that has caught up too
//! early merely makes them easier.

use entity::{invitation, participant, run_batch};
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter,
};

use super::{PATIENCE, at_node, caught_up, retries};
use crate::support::database::scratch_on;
use crate::support::galera::Galera;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Person, World, holds_within};

/// How far behind the second node is.
const LAG_SECONDS: u32 = 10;

/// Two nodes, of which the second can be made to lag, and a platform that is looked at through the
/// first.
struct Lagging {
    world: World,
    // Dropped last: the databases go with it.
    galera: Galera,
}

impl Lagging {
    async fn start() -> Self {
        let galera = Galera::start(2).await;
        let scratch = scratch_on(Backend::MariaDb, galera.nodes[0].url()).await;
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        world
            .sql("CREATE TABLE delay (seconds INT PRIMARY KEY)")
            .await;
        let lagging = Self { world, galera };
        let behind = caught_up(&lagging.url_behind()).await;
        // Of this node alone. Only what is replicated fires it.
        for statement in [
            "SET GLOBAL slave_run_triggers_for_rbr = YES",
            "SET SESSION wsrep_on = OFF",
            "CREATE TRIGGER delay AFTER INSERT ON delay FOR EACH ROW DO SLEEP(NEW.seconds)",
        ] {
            behind
                .execute_unprepared(statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        behind.close().await.expect("closed");
        lagging
    }

    fn behind(&self) -> &OwnMariadb {
        &self.galera.nodes[1]
    }

    fn url_behind(&self) -> String {
        at_node(&self.world.scratch, &self.behind().url())
    }

    /// From now on, what is committed on the first node is not seen on the second for a while.
    async fn hold_up(&self) {
        self.world
            .sql(&format!("INSERT INTO delay VALUES ({LAG_SECONDS})"))
            .await;
    }

    /// The first node, by way of which everything is looked at, may be behind the second in turn.
    async fn first_catches_up(&self) {
        let first = caught_up(self.world.scratch.url()).await;
        first.close().await.expect("closed");
    }

    /// A transaction that holds rows locked on the second node, until it is rolled back.
    async fn lock_behind(&self, select: &str) -> DatabaseConnection {
        let behind = caught_up(&self.url_behind()).await;
        for statement in ["BEGIN", select] {
            behind.execute_unprepared(statement).await.expect(statement);
        }
        behind
    }

    /// Waits until somebody waits for them.
    async fn somebody_waits_behind(&self) {
        let waits = holds_within(PATIENCE, async || {
            let waiting = self.behind().counter("Innodb_row_lock_current_waits");
            waiting.await > 0
        });
        assert!(waits.await, "nobody comes to the rows that are locked");
    }

    fn binary_behind(&self) -> Binary {
        let binary = self.world.binary();
        binary.env("RETENTIOND__DATABASE__URL", &self.url_behind())
    }
}

/// P10: from the next batch on, the older of pinned and current policy, on whichever node it was set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_a_policy_that_was_set_on_another_node_holds_for_the_next_batch_on_one_that_is_behind()
{
    const PEOPLE: u64 = 20;
    let cluster = Lagging::start().await;
    let world = &cluster.world;
    let tenant = world.tenant("acme", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), None, "2020-01-01T00:00:00Z")
        .await;
    for _ in 0..PEOPLE {
        let person = Person {
            added_at: "2024-01-15T12:00:00Z",
            email: Some("ann@example.org"),
            ..Person::default()
        };
        world.person(tenant, person).await;
    }
    // A few seconds between two batches, in which the policy is to be set.
    let binary = cluster
        .binary_behind()
        .env("RETENTIOND__ENGINE__BATCH_ROWS", "2")
        .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "1");
    let running = tokio::task::spawn_blocking(move || binary.run(&["run", "--period", "2024-04"]));
    let anonymous =
        participant::Entity::find().filter(participant::Column::AnonymizedAt.is_not_null());
    let has_begun = holds_within(PATIENCE, async || {
        let count = anonymous.clone().count(&world.db).await;
        count.expect("a count") > 0
    });
    assert!(has_begun.await, "no batch was committed");

    cluster.hold_up().await;
    world
        .policy(tenant, Some(120), None, "2024-04-02T00:00:00Z")
        .await;
    let set_at = SystemClock.now();
    running.await.expect("the run ends").expect_code(0);
    cluster.first_catches_up().await;
    let later = run_batch::Entity::find()
        .filter(run_batch::Column::WrittenAt.gt(set_at))
        .all(&world.db)
        .await
        .expect("batches");
    assert!(
        later.is_empty(),
        "by a policy that was no longer in force: {later:?}"
    );
    let erased = anonymous.count(&world.db).await.expect("a count");
    assert!(
        (1..PEOPLE).contains(&erased),
        "{erased}: the policy came too late to matter"
    );
    world
        .binary()
        .run(&["verify", "--period", "2024-04"])
        .expect_code(0);
}

/// U11: the platform marks somebody on one node, while a batch on another is about to erase that
/// person without a hash. The batch must fail at its COMMIT, and be done again from its start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u11_somebody_who_is_marked_on_another_node_in_the_middle_of_a_batch_leaves_a_hash() {
    const ADDRESS: &str = "ann@example.org";
    let cluster = Lagging::start().await;
    let world = &cluster.world;
    let tenant = world.tenant("acme", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), None, "2020-01-01T00:00:00Z")
        .await;
    let person = Person {
        added_at: "2024-01-15T12:00:00Z",
        email: Some(ADDRESS),
        ..Person::default()
    };
    world.person(tenant, person).await;
    // The batch has selected and locked the person when it comes to the invitations.
    let lock = cluster
        .lock_behind("SELECT id FROM invitation FOR UPDATE")
        .await;
    let binary = cluster
        .binary_behind()
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "120s");
    let running = tokio::task::spawn_blocking(move || binary.run(&["run", "--period", "2024-04"]));
    cluster.somebody_waits_behind().await;

    cluster.hold_up().await;
    world
        .sql("UPDATE participant SET unsubscribed_at = '2024-02-01 00:00:00'")
        .await;
    // If the node has caught up by now, it has taken the lock away.
    let _ = lock.execute_unprepared("ROLLBACK").await;
    let done = running.await.expect("the run ends").expect_code(0);
    cluster.first_catches_up().await;
    assert_eq!(retries(&done.stderr, "conflict"), 1, "{}", done.stderr);
    let hashes = world.suppressions(tenant).await;
    assert_eq!(hashes.len(), 1, "erased without a hash");
    assert_eq!(hashes[0].email_hmac, world.hash(tenant, ADDRESS));
    world
        .binary()
        .run(&["verify", "--period", "2024-04"])
        .expect_code(0);
}

/// E9: an import and an `unsubscribe` on different nodes, at the same time. They cannot wait for each
/// other; the second to commit must begin again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e09_somebody_who_unsubscribes_on_another_node_during_an_import_is_recognised() {
    let cluster = Lagging::start().await;
    let world = &cluster.world;
    let tenant = world.tenant("acme", "Europe/Brussels").await;
    // The import gets as far as the tenant's row.
    let lock = cluster
        .lock_behind("SELECT id FROM tenant FOR UPDATE")
        .await;
    let binary = cluster
        .binary_behind()
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "120s");
    let file = binary.directory().join("people.csv");
    std::fs::write(&file, "email\nann@example.org\nbob@example.org\n").expect("a file");
    let importing = tokio::task::spawn_blocking(move || {
        binary.run(&["import", "people.csv", "--tenant", "acme"])
    });
    cluster.somebody_waits_behind().await;

    cluster.hold_up().await;
    let unsubscribe = ["unsubscribe", "--tenant", "acme"];
    world
        .binary()
        .run_with_stdin(&unsubscribe, b"ann@example.org\n")
        .expect_code(0);
    // If the node has caught up by now, it has taken the lock away.
    let _ = lock.execute_unprepared("ROLLBACK").await;
    importing.await.expect("the import ends").expect_code(0);

    for node in &cluster.galera.nodes {
        let db = caught_up(&at_node(&world.scratch, &node.url())).await;
        let people = participant::Entity::find().all(&db).await.expect("people");
        assert_eq!(people.len(), 2);
        for person in people {
            let is_ann = person.email.as_deref() == Some("ann@example.org");
            assert_eq!(person.unsubscribed_at.is_some(), is_ann, "{person:?}");
        }
        let invitations = invitation::Entity::find()
            .all(&db)
            .await
            .expect("invitations");
        let queued = invitations
            .iter()
            .filter(|row| row.state == "queued")
            .count();
        assert_eq!(queued, 1, "{invitations:?}");
        db.close().await.expect("closed");
    }
    assert_eq!(world.suppressions(tenant).await.len(), 1);
}
