//! SQLite: the database's file, and what stands beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sea_orm::ConnectionTrait;

use super::files::{ERASED, Found, KEPT};
use super::people::{PERIOD, Size, expected, populate};
use crate::support::campaign::{is_long, report, seed_or};
use crate::support::{Backend, World, scratch};

/// Enough to meet a copy that is left behind in a few of them.
const TRIALS: u64 = 17;

const NOW: &str = "2024-04-02T00:00:00Z";

/// The files that are there.
fn files(url: &str) -> Vec<PathBuf> {
    let file = url.trim_start_matches("sqlite://");
    let file = file.split('?').next().expect("a path");
    ["", "-wal", "-shm", "-journal"]
        .iter()
        .map(|suffix| PathBuf::from(format!("{file}{suffix}")))
        .filter(|file| file.exists())
        .collect()
}

/// Through another process: when one of ours closes a file, all locks are gone that SQLite in this
/// process holds on it, and the next process to leave removes the write-ahead log under us.
fn search(world: &World, fate: &str) -> Found {
    let read = Command::new("cat")
        .args(files(world.scratch.url()))
        .output()
        .expect("cat");
    assert!(read.status.success(), "a file could not be read");
    Found::in_bytes(fate, &read.stdout)
}

fn run(world: &World, reclaim: &str) -> String {
    let binary = world.binary().env("RETENTIOND__DATABASE__RECLAIM", reclaim);
    let done = binary.run(&["run", "--period", PERIOD]).expect_code(0);
    assert!(!done.stderr.contains("reclaim_failed"), "{}", done.stderr);
    done.stderr
}

/// A run overwrites nearly everything; what `VACUUM` is for is the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_overwrites_nearly_everything_and_a_vacuum_the_rest() {
    let first = seed_or(1);
    let trials = if is_long() { 10 * TRIALS } else { TRIALS };
    let (mut in_all, mut left_in_all, mut trials_with_some) = (0, 0, 0);
    for seed in first..first + trials {
        let world = World::new(scratch(Backend::Sqlite).await, NOW).await;
        let size = Size {
            each: 20 + usize::try_from(seed % 7).expect("small") * 10,
            text_max: 500 * usize::try_from(seed % 11).expect("small"),
        };
        populate(&world, world.engine.database.pool(), size, seed).await;
        let (erased, kept) = expected(size);
        assert_eq!(search(&world, ERASED).total(), erased, "seed {seed}");
        run(&world, "none");
        let left = search(&world, ERASED);
        assert!(
            left.total() * 50 <= erased,
            "seed {seed}, {size:?}: more than a fiftieth: {left}"
        );
        in_all += erased;
        left_in_all += left.total();
        trials_with_some += u32::from(!left.is_empty());
        let tier = ["vacuum", "rewrite"][usize::try_from(seed % 2).expect("small")];
        let log = run(&world, tier);
        assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
        let left = search(&world, ERASED);
        assert!(left.is_empty(), "seed {seed}, {tier}, {size:?}: {left}");
        let found = search(&world, KEPT);
        assert_eq!(found.total(), kept, "seed {seed}, {size:?}: {found}");
    }
    report(&format!(
        "SQLite: {trials} trials from seed {first}: {left_in_all} of {in_all} values left, in \
         {trials_with_some} trials; after VACUUM none"
    ));
}

/// A program without `secure_delete` leaves much more behind, and a rewrite removes that too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrite_removes_what_another_program_left_in_sqlite() {
    let world = World::new(scratch(Backend::Sqlite).await, NOW).await;
    let size = Size {
        each: 100,
        text_max: 3_000,
    };
    populate(&world, &world.db, size, seed_or(1)).await;
    // A platform that moves its people about: what stood in the old place stays there.
    for statement in [
        "UPDATE participant SET phone = phone || '-moved', last_name = last_name || 'moved'",
        "CREATE TABLE aside AS SELECT * FROM conversation_message",
        "DELETE FROM conversation_message",
        "INSERT INTO conversation_message SELECT * FROM aside",
        "DROP TABLE aside",
    ] {
        world.db.execute_unprepared(statement).await.expect("moved");
    }
    run(&world, "none");
    let left = search(&world, ERASED);
    report(&format!("SQLite, stored by another program: {left}"));
    assert!(!left.is_empty(), "nothing to remove");
    let log = run(&world, "rewrite");
    assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
    let left = search(&world, ERASED);
    assert!(left.is_empty(), "{left}");
    assert_eq!(search(&world, KEPT).total(), expected(size).1);
    let again = run(&world, "rewrite");
    assert!(!again.contains("\"event\":\"reclaim"), "done once: {again}");
}

/// `VACUUM` copies all people. The copy stands beside the database, where nobody else may read, and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_that_a_vacuum_makes_stands_beside_the_database() {
    let world = World::new(scratch(Backend::Sqlite).await, NOW).await;
    let size = Size {
        each: 20,
        text_max: 5_000,
    };
    populate(&world, world.engine.database.pool(), size, seed_or(1)).await;
    let database = files(world.scratch.url()).swap_remove(0);
    let beside = database.parent().and_then(Path::to_str).expect("a folder");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_retentiond");
    let binary = world.binary();
    let done = binary
        .command_of(
            Path::new("strace"),
            &[
                "-f",
                "-qq",
                "-e",
                "trace=openat",
                "-o",
                "calls",
                program,
                "run",
                "--period",
                PERIOD,
            ],
        )
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", elsewhere.path())
        .env("SQLITE_TMPDIR", elsewhere.path())
        .env("RETENTIOND__DATABASE__RECLAIM", "vacuum")
        .output()
        .expect("strace; on Debian or Ubuntu: apt-get install strace");
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{log}");
    assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
    let calls = fs::read_to_string(binary.directory().join("calls")).expect("what it opened");
    let copies: Vec<&str> = calls
        .lines()
        .filter(|call| call.contains("etilqs_"))
        .collect();
    assert!(!copies.is_empty(), "no copy was seen: {calls}");
    for copy in copies {
        assert!(copy.contains(&format!("\"{beside}/etilqs_")), "{copy}");
        assert!(
            copy.contains("O_CREAT") && copy.contains(", 0600)"),
            "{copy}"
        );
    }
    let left = fs::read_dir(beside).expect("a folder");
    for name in left.map(|entry| entry.expect("an entry").file_name()) {
        assert!(!name.to_string_lossy().contains("etilqs"), "{name:?}");
    }
}
