//! How many children went with their participants: PostgreSQL says so where it counts, and otherwise they
//! are counted before they go. Both come to the same.

use retentiond::domain::subject::CHILD_TABLES;
use retentiond::store::delete_counters;
use sea_orm::ConnectionTrait;

use crate::support::{Backend, CHILDREN, Person, World, scratch};

/// More than two batches of a test's engine, one right after the other on the same connection.
const PEOPLE: u64 = 7;

/// People who are due to go, and whether the server counts what is deleted. `before` and `after` prepare
/// the database before and after it has its tables.
async fn to_purge(before: &str, after: &str) -> (World, bool) {
    let scratch = scratch(Backend::Postgres).await;
    let db = scratch.connect().await;
    db.execute_unprepared(before).await.expect("prepared");
    let mut world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    world.engine.tenants_at_a_time = 1;
    world.sql(after).await;
    for slug in ["example", "other"] {
        let tenant = world.tenant(slug, "Europe/Brussels").await;
        world
            .policy(tenant, None, Some(12), "2023-01-01T00:00:00Z")
            .await;
        for _ in 0..PEOPLE {
            let person = Person {
                added_at: "2022-06-15T12:00:00Z",
                email: None,
                unsubscribed_at: None,
            };
            world.person(tenant, person).await;
        }
    }
    let transaction = world.engine.database.begin_read("test").await;
    let transaction = transaction.expect("a transaction");
    let counted = delete_counters::rows(&transaction, CHILD_TABLES).await;
    transaction.rollback().await.expect("rolled back");
    let counts = counted.expect("an answer").is_some();
    (world, counts)
}

async fn every_child_is_counted_once(world: &World) {
    for entry in world.run_and_prove().await {
        for (table, each) in CHILD_TABLES.into_iter().zip(CHILDREN) {
            assert_eq!(
                entry.report.rows_purged[table],
                PEOPLE * each,
                "{table}: {entry:?}"
            );
        }
    }
}

#[tokio::test]
async fn by_the_server_where_it_counts() {
    let (world, counts) = to_purge("SELECT 1", "SELECT 1").await;
    assert!(counts);
    every_child_is_counted_once(&world).await;
}

#[tokio::test]
async fn beforehand_where_the_server_was_told_not_to_count() {
    let off = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_counts = off', \
               current_database()); END $$";
    let (world, counts) = to_purge(off, "SELECT 1").await;
    assert!(!counts);
    every_child_is_counted_once(&world).await;
}

#[tokio::test]
async fn beforehand_where_a_table_has_parts() {
    let (world, counts) =
        to_purge("SELECT 1", "CREATE TABLE old_answer () INHERITS (answer)").await;
    assert!(!counts);
    every_child_is_counted_once(&world).await;
}
