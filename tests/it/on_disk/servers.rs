//! The servers: the files of the subject tables, and what stands around them.

use std::path::PathBuf;

use super::files::{ERASED, Found, KEPT};
use super::mariadb::MariaDb;
use super::people::{OTHERS, PERIOD, PERSONAL, Size, expected, populate};
use super::postgres::Postgres;
use crate::support::campaign::{report, seed_or};
use crate::support::{Backend, World, scratch};

const NOW: &str = "2024-04-02T00:00:00Z";

const SIZE: Size = Size {
    each: 200,
    text_max: 6_000,
};

/// How a server's files are found, with everything in them that is in its memory.
pub trait Files {
    /// Flushes, and hands the files of the subject tables to `look`: with their indexes, and whatever
    /// else belongs to them.
    async fn with_files<T>(&self, world: &World, look: impl FnOnce(Vec<PathBuf>) -> T) -> T;
}

pub struct Searched {
    pub erased: Found,
    pub kept: Found,
}

pub async fn search(server: &impl Files, world: &World) -> Searched {
    let look = |files: Vec<PathBuf>| {
        assert!(!files.is_empty());
        Searched {
            erased: Found::in_files(ERASED, &files),
            kept: Found::in_files(KEPT, &files),
        }
    };
    server.with_files(world, look).await
}

pub async fn world(backend: Backend) -> World {
    let world = World::new(scratch(backend).await, NOW).await;
    populate(&world, &world.db, SIZE, seed_or(1)).await;
    world
}

/// Runs the period with that tier; returns the log.
pub fn run(world: &World, tier: &str) -> String {
    let binary = world
        .binary()
        .env("RETENTIOND__DATABASE__RECLAIM", tier)
        // Other tests share the server, and their transactions are waited for.
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "60")
        .env("RETENTIOND__ENGINE__RETRY_BACKOFF_MAX", "1s");
    let done = binary.run(&["run", "--period", PERIOD]).expect_code(0);
    done.stderr
}

/// Before and after a run at `tier`; whether the values must be left, or gone.
async fn at_tier(server: &impl Files, world: &World, tier: &str, gone: bool) {
    let (erased, kept) = expected(SIZE);
    let before = search(server, world).await;
    assert_eq!(before.erased.total(), erased, "before: {}", before.erased);
    let log = run(world, tier);
    assert_eq!(
        log.contains("\"event\":\"reclaimed\""),
        tier != "none",
        "{log}"
    );
    let after = search(server, world).await;
    let backend = world.scratch.backend();
    report(&format!(
        "{backend:?}, {tier}: {} of {erased}",
        after.erased
    ));
    assert_eq!(after.kept.total(), kept, "what stays: {}", after.kept);
    if gone {
        assert!(after.erased.is_empty(), "{tier}: {}", after.erased);
        return;
    }
    for column in PERSONAL.iter().chain(&OTHERS) {
        assert!(
            after.erased.of(column) > 0,
            "{tier}: the page says that values of {column} are left: {}",
            after.erased
        );
    }
}

/// As if nothing had been configured when it was erased, and the setting came later.
async fn switched_on_later(server: &impl Files, world: &World) {
    let log = run(world, "rewrite");
    assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
    let after = search(server, world).await;
    assert!(after.erased.is_empty(), "{}", after.erased);
    assert_eq!(after.kept.total(), expected(SIZE).1);
    let again = run(world, "rewrite");
    assert!(!again.contains("\"event\":\"reclaim"), "done once: {again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_reclaiming_values_are_left_in_postgres_until_it_is_switched_on() {
    let world = world(Backend::Postgres).await;
    at_tier(&Postgres, &world, "none", false).await;
    switched_on_later(&Postgres, &world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_leaves_values_in_postgres_but_not_in_its_statistics() {
    let world = world(Backend::Postgres).await;
    Postgres::analyze(&world).await;
    assert!(!Postgres::statistics(&world).await.is_empty());
    at_tier(&Postgres, &world, "vacuum", false).await;
    let left = Postgres::statistics(&world).await;
    assert!(left.is_empty(), "pg_stats: {left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_leaves_nothing_in_postgres() {
    let world = world(Backend::Postgres).await;
    Postgres::analyze(&world).await;
    assert!(!Postgres::statistics(&world).await.is_empty());
    at_tier(&Postgres, &world, "rewrite", true).await;
    let left = Postgres::statistics(&world).await;
    assert!(left.is_empty(), "pg_stats: {left}");
    // The whole directory of the database, where the tables' files were before.
    let (elsewhere, found) = Postgres::everything_but_statistics(&world).await;
    assert!(elsewhere > 100, "files: {elsewhere}");
    assert!(found.is_empty(), "{found}");
}

/// ANALYZE of an empty table changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_of_a_table_that_is_left_empty_stay_in_postgres() {
    let world = world(Backend::Postgres).await;
    Postgres::analyze(&world).await;
    world.sql("DELETE FROM answer").await;
    run(&world, "rewrite");
    let left = Postgres::statistics(&world).await;
    assert!(left.of("question") > 0, "{left}");
    assert_eq!(left.total(), left.of("question") + left.of("answer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_reclaiming_values_are_left_in_mariadb_until_it_is_switched_on() {
    let world = world(Backend::MariaDb).await;
    at_tier(&MariaDb, &world, "none", false).await;
    switched_on_later(&MariaDb, &world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_leaves_values_in_mariadb() {
    at_tier(&MariaDb, &world(Backend::MariaDb).await, "vacuum", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_leaves_nothing_in_mariadb() {
    at_tier(&MariaDb, &world(Backend::MariaDb).await, "rewrite", true).await;
}
