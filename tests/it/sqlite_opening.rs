//! A new SQLite file that many open at the same moment: whoever turns it to write-ahead logging makes the
//! others wait, not fail.

use std::sync::Arc;
use std::time::Duration;

use retentiond::store::{self, schema};
use tokio::sync::Barrier;

use crate::support::world::database_config;
use crate::support::{Backend, Binary, scratch};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_is_opened_and_migrated_by_many_at_once() {
    const OPENERS: usize = 6;
    for _ in 0..50 {
        let scratch = scratch(Backend::Sqlite).await;
        let config = database_config(&scratch);
        let barrier = Arc::new(Barrier::new(OPENERS));
        let openers: Vec<_> = (0..OPENERS)
            .map(|_| {
                let (config, barrier) = (config.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let database = store::connect(&config, Duration::from_secs(60)).await?;
                    let migrated = schema::migrate_up(&database).await;
                    database.close().await;
                    migrated
                })
            })
            .collect();
        for opener in openers {
            opener
                .await
                .expect("no panic")
                .expect("it waits for the others");
        }
    }
}

#[test]
fn a_file_that_is_no_database_gets_one_sentence() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("people.db");
    std::fs::write(&file, "someone@example.org, and no database\n".repeat(99)).expect("a file");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let finished = Binary::new()
        .env("RETENTIOND__DATABASE__URL", &url)
        .run(&["tenant", "list"])
        .expect_code(2);
    assert_eq!(finished.stdout, "");
    assert!(
        finished.stderr.starts_with("error: "),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    assert!(!finished.stderr.contains("someone"));
}
