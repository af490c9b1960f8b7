//! What "removed" means in SQLite's files, as the README claims. (The servers' files are the
//! operator's: see `docs/operating.md`.)

use std::path::Path;

use crate::support::{Backend, Person, World, scratch};

const MARKER: &str = "zq7ondisk";

/// How often the marker stands in the database file and in the files beside it.
fn hits(url: &str) -> usize {
    let file = url.trim_start_matches("sqlite://");
    let file = file.split('?').next().expect("a path");
    ["", "-wal", "-shm", "-journal"]
        .iter()
        .filter_map(|suffix| std::fs::read(Path::new(&format!("{file}{suffix}"))).ok())
        .map(|bytes| {
            bytes
                .windows(MARKER.len())
                .filter(|window| *window == MARKER.as_bytes())
                .count()
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_values_are_gone_from_the_files_of_sqlite() {
    let mut world = World::new(scratch(Backend::Sqlite).await, "2024-04-02T00:00:00Z").await;
    // People are stored as the service stores them. A connection without `secure_delete` leaves
    // copies of its own rows in pages that it splits, which no later run can reach.
    world.db = world.engine.database.pool().clone();
    let tenant = world.tenant("example", "UTC").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    for number in 0..200 {
        for added_at in ["2023-10-15T12:00:00Z", "2022-10-15T12:00:00Z"] {
            let email = format!("{MARKER}-{number}@example.org");
            let person = Person {
                added_at,
                email: Some(&email),
                unsubscribed_at: (number % 5 == 0).then_some("2024-01-01T00:00:00Z"),
            };
            world.person(tenant, person).await;
        }
    }
    assert!(
        hits(world.scratch.url()) >= 400,
        "the search finds what is there"
    );
    world
        .binary()
        .run(&["run", "--period", "2024-04"])
        .expect_code(0);
    assert_eq!(hits(world.scratch.url()), 0);
}
