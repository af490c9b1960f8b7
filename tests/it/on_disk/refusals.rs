//! What keeps the space from being reclaimed is said, and done later; the erasure stands.

use std::time::Duration;

use retentiond::domain::subject::SUBJECT_TABLES;
use sea_orm::{ConnectionTrait, TransactionTrait};
use uuid::Uuid;

use super::people::PERIOD;
use super::servers::{search, world};
use crate::on_disk::mariadb::MariaDb;
use crate::on_disk::postgres::Postgres;
use crate::support::{Backend, Binary, World, holds_within};

/// Generous: the machine may be busy.
const LONG: Duration = Duration::from_secs(60);

/// Reclaims, and gives up soon.
fn impatient(world: &World, tier: &str) -> Binary {
    world
        .binary()
        .env("RETENTIOND__DATABASE__RECLAIM", tier)
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "1s")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "1")
}

/// The erasure is done and the record says so; the space is not reclaimed, and the log says why.
fn is_refused(binary: &Binary, class: &str) {
    let done = binary.run(&["run", "--period", PERIOD]).expect_code(3);
    assert!(done.stdout.contains("completed"), "{}", done.stdout);
    let failed = done
        .stderr
        .lines()
        .find(|line| line.contains("\"event\":\"reclaim_failed\""))
        .unwrap_or_else(|| panic!("{}", done.stderr));
    assert!(
        failed.contains(&format!("\"class\":\"{class}\"")),
        "{failed}"
    );
    binary.run(&["verify", "--period", PERIOD]).expect_code(0);
}

/// PostgreSQL would only warn, in a message that nobody sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_does_not_own_the_tables_is_told_so_by_postgres() {
    let world = world(Backend::Postgres).await;
    let (role, password) = (
        format!(
            "retentiond_disk_{}",
            &Uuid::new_v4().simple().to_string()[..8]
        ),
        Uuid::new_v4().simple().to_string(),
    );
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"),
    ] {
        world.sql(&statement).await;
    }
    let (scheme, rest) = world.scratch.url().split_once("://").expect("a URL");
    let (_, place) = rest.rsplit_once('@').expect("a URL with a user");
    let url = format!("{scheme}://{role}:{password}@{place}");
    for tier in ["vacuum", "rewrite"] {
        let binary = impatient(&world, tier).env("RETENTIOND__DATABASE__URL", &url);
        is_refused(&binary, "permission");
    }
    let left = search(&Postgres, &world).await.erased;
    assert!(!left.is_empty(), "it said that they are left");
    for statement in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        world.sql(&statement).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_of_mariadb_needs_to_select_and_insert_and_nothing_more() {
    let world = world(Backend::MariaDb).await;
    let user = format!("leaks_{}", &Uuid::new_v4().simple().to_string()[..8]);
    let password = Uuid::new_v4().simple().to_string();
    let (address, name) = world.scratch.url().rsplit_once('/').expect("a URL");
    world
        .sql(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY '{password}'"
        ))
        .await;
    for rights in [
        "SELECT, UPDATE, DELETE ON *",
        "INSERT ON tenant_run",
        "INSERT ON run_lease",
        "INSERT ON run_batch",
        "INSERT ON suppression",
        "INSERT ON suppression_key",
    ] {
        world.sql(&format!("GRANT {rights} TO {user}@'%'")).await;
    }
    let (scheme, rest) = address.split_once("://").expect("a URL");
    let (_, place) = rest.rsplit_once('@').expect("a URL with a user");
    let url = format!("{scheme}://{user}:{password}@{place}/{name}");
    let binary = impatient(&world, "rewrite").env("RETENTIOND__DATABASE__URL", &url);
    is_refused(&binary, "permission");
    for table in SUBJECT_TABLES {
        world
            .sql(&format!("GRANT INSERT ON {table} TO {user}@'%'"))
            .await;
    }
    let done = binary.run(&["run", "--period", PERIOD]).expect_code(0);
    assert!(
        done.stderr.contains("\"event\":\"reclaimed\""),
        "{}",
        done.stderr
    );
    let left = search(&MariaDb, &world).await.erased;
    assert!(left.is_empty(), "{left}");
    world.sql(&format!("DROP USER {user}@'%'")).await;
}

/// `VACUUM FULL` copies what a transaction might still look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_from_before_keeps_erased_values_alive_in_postgres() {
    let world = world(Backend::Postgres).await;
    let reader = world.db.begin().await.expect("a transaction");
    for statement in [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        // Of a table that is none of the subject's: there is no lock in the way, only the snapshot.
        "SELECT count(*) FROM tenant",
    ] {
        reader.execute_unprepared(statement).await.expect("a read");
    }
    is_refused(&impatient(&world, "rewrite"), "lock_timeout");
    assert!(!search(&Postgres, &world).await.erased.is_empty());
    reader.rollback().await.expect("the end of the snapshot");
    let log = super::servers::run(&world, "rewrite");
    assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
    let left = search(&Postgres, &world).await.erased;
    assert!(left.is_empty(), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_waited_for_only_so_long_and_the_rest_is_done_later() {
    for backend in [Backend::Postgres, Backend::MariaDb] {
        let world = world(backend).await;
        let reader = world.db.begin().await.expect("a transaction");
        // On MariaDB, the table's definition cannot change until the transaction ends.
        let read = "SELECT count(*) FROM conversation_message";
        reader.execute_unprepared(read).await.expect("a read");
        is_refused(&impatient(&world, "rewrite"), "lock_timeout");
        reader.rollback().await.expect("the end of the lock");
        let log = super::servers::run(&world, "rewrite");
        assert!(log.contains("\"event\":\"reclaimed\""), "{log}");
        let left = match backend {
            Backend::Postgres => search(&Postgres, &world).await.erased,
            _ => search(&MariaDb, &world).await.erased,
        };
        assert!(left.is_empty(), "{backend:?}: {left}");
    }
}

/// Whatever the process before it left behind is reclaimed at the start, and a run's own at its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_reclaims_what_is_owed() {
    let world = world(Backend::Postgres).await;
    super::servers::run(&world, "none");
    let serving = world
        .binary()
        .env("RETENTIOND__DATABASE__RECLAIM", "rewrite")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "60")
        .env("RETENTIOND__ENGINE__RETRY_BACKOFF_MAX", "1s")
        // The run before was of a month long ago (S13).
        .env("RETENTIOND__SAFETY__GAP_MAX", "none")
        .serve();
    let done = holds_within(LONG, async || serving.events("reclaimed") > 0).await;
    assert!(done, "{}", serving.log());
    // Its own run, of the newest period, takes who was younger in the one before.
    let done = holds_within(LONG, async || serving.events("tenant_run_completed") > 0).await;
    assert!(done, "{}", serving.log());
    let clean = holds_within(LONG, async || {
        search(&Postgres, &world).await.erased.is_empty()
    });
    assert!(clean.await, "{}", serving.log());
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("reclaim_failed"), "{log}");
}
