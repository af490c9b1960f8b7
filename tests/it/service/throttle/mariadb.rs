//! `engine.replica_lag_max` on MariaDB, with a replica that cannot apply anything, and then dies.

use sea_orm::sqlx::mysql::MySqlConnection;
use sea_orm::sqlx::{self, Connection};

use crate::support::database::scratch_on;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, holds_within};

use super::super::{LONG, tenant, wait_completed, wait_event, world};
use super::{PEOPLE, events, it_pauses, it_was_told, slow, wait_batches};

const GRANT: &str = include_str!("../../../../deploy/sql/mariadb-replica-lag.sql");

/// A statement on a connection that stays open.
async fn execute(connection: &mut MySqlConnection, statement: &'static str) {
    sqlx::raw_sql(statement)
        .execute(connection)
        .await
        .expect("the replica answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_wait_for_a_replica_that_is_behind_and_not_for_one_that_is_gone() {
    let primary = OwnMariadb::start_with(&["--server-id=1", "--log-bin=binlog"]).await;
    let mut replica = OwnMariadb::start_with(&["--server-id=2"]).await;
    let follow = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', \
         MASTER_LOG_FILE = 'binlog.000001', MASTER_LOG_POS = 4",
        primary.port()
    );
    replica.execute(&[&follow, "START SLAVE"]).await;
    primary
        .execute(&[
            "CREATE USER retentiond_lag@'%' IDENTIFIED BY 'secret'",
            GRANT,
        ])
        .await;
    let is_there = "SELECT COUNT(*) FROM mysql.user WHERE User = 'retentiond_lag'";
    let follows = holds_within(LONG, async || replica.number(is_there).await == Some(1));
    assert!(follows.await, "it does not follow: {}", replica.log());

    let world = world(scratch_on(Backend::MariaDb, primary.url()).await).await;
    let replica_url = format!("mysql://retentiond_lag:secret@127.0.0.1:{}", replica.port());
    let behind = tenant(&world, "behind", PEOPLE, 0, 0).await;
    let serving = slow(&world, 20)
        .env("RETENTIOND__DATABASE__REPLICA_URLS", &replica_url)
        .env("RETENTIOND__ENGINE__REPLICA_LAG_MAX", "2s")
        .serve();
    wait_batches(&world, behind, 5, &serving).await;
    let mut lock = MySqlConnection::connect(&replica.url())
        .await
        .expect("a connection to the replica");
    execute(&mut lock, "FLUSH TABLES WITH READ LOCK").await;
    it_pauses(&world, behind, &serving, "replica_lag").await;
    execute(&mut lock, "UNLOCK TABLES").await;
    wait_completed(&world, behind, &serving).await;
    wait_event(&serving, "throttle_ended", 1).await;
    it_was_told(&serving, "replica_lag");
    assert_eq!(serving.events("limit_not_measured"), 0, "{}", serving.log());

    // Its lag is not known any more. The law does not wait for it.
    drop(lock);
    replica.kill().await;
    let dead = tenant(&world, "dead", 10, 0, 0).await;
    serving.signal("HUP");
    wait_completed(&world, dead, &serving).await;
    let log = serving.log();
    assert_eq!(
        events(&log, "limit_not_measured", "replica_lag"),
        1,
        "{log}"
    );
    let named = format!("\"replica\":\"mysql://127.0.0.1:{}\"", replica.port());
    assert!(log.contains(&named), "{log}");
    assert!(!log.contains("secret"), "{log}");
    let unmeasured = "retention_limits_unmeasured{reason=\"replica_lag\"}";
    assert_eq!(serving.metric(unmeasured), Some(1.0), "{log}");
    world.binary().run(&["verify"]).expect_code(0);
}

/// A replica whose replication was stopped does not know how far it is behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_does_not_follow_keeps_nobody() {
    let world = world(crate::support::scratch(Backend::MariaDb).await).await;
    let replica = OwnMariadb::start_with(&["--server-id=2"]).await;
    replica
        .execute(&["CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1"])
        .await;
    let acme = tenant(&world, "acme", 5, 0, 0).await;
    let serving = slow(&world, 20)
        .env("RETENTIOND__DATABASE__REPLICA_URLS", &replica.url())
        .env("RETENTIOND__ENGINE__REPLICA_LAG_MAX", "1s")
        .serve();
    wait_completed(&world, acme, &serving).await;
    let log = serving.log();
    assert_eq!(
        events(&log, "limit_not_measured", "replica_lag"),
        1,
        "{log}"
    );
    assert!(log.contains("follows no server"), "{log}");
}
