//! `engine.replica_lag_max` on PostgreSQL, with a standby that stops replaying.

use std::time::Duration;

use crate::support::database::{connect, scratch_on};
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, World, holds_within};

use super::super::{LONG, tenant, wait_completed, wait_event, world};
use super::{PEOPLE, events, it_pauses, it_was_told, slow, wait_batches};
use sea_orm::ConnectionTrait;

const GRANT: &str = include_str!("../../../../deploy/sql/postgres-replica-lag.sql");

/// What a standby replayed is told soon, also when nothing more comes.
const SETTINGS: [&str; 1] = ["wal_receiver_status_interval=1s"];

async fn on_standby(standby: &OwnPostgres, sql: &str) {
    let db = connect(&standby.url()).await;
    db.execute_unprepared(sql)
        .await
        .expect("the standby answers");
    db.close().await.expect("closed");
}

/// The standby has replayed what the primary had written when this was called.
async fn wait_caught_up(world: &World) {
    let sql = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_flush_lsn()";
    let follows = holds_within(LONG, async || {
        let rows = world.db.query_all_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            sql,
        ));
        !rows.await.expect("an answer").is_empty()
    });
    assert!(follows.await, "the standby does not follow");
}

/// A role that may do everything with the tables, and see nothing of the server.
const ROLE: &str = "CREATE ROLE retentiond_run LOGIN; \
     GRANT ALL ON ALL TABLES IN SCHEMA public TO retentiond_run; \
     GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO retentiond_run";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_wait_for_a_standby_that_replays_nothing_if_the_role_may_see_it() {
    let primary = OwnPostgres::start(&[], Vec::new()).await;
    let standby = OwnPostgres::standby_of(&primary, primary.address(), &SETTINGS).await;
    let world = world(scratch_on(Backend::Postgres, primary.url()).await).await;
    world.sql(ROLE).await;
    let url = world
        .scratch
        .url()
        .replacen("retentiond_test@", "retentiond_run@", 1);
    let binary = slow(&world, 20)
        .env("RETENTIOND__DATABASE__URL", &url)
        .env("RETENTIOND__ENGINE__REPLICA_LAG_MAX", "1s");
    tenant(&world, "hidden", 10, 0, 0).await;
    let seen = tenant(&world, "seen", PEOPLE, 0, 0).await;

    // Nothing is known of the standby: that is said, and nobody waits.
    wait_caught_up(&world).await;
    on_standby(&standby, "SELECT pg_wal_replay_pause()").await;
    let log = binary
        .run(&["run", "--tenant", "hidden"])
        .expect_code(0)
        .stderr;
    assert_eq!(
        events(&log, "limit_not_measured", "replica_lag"),
        1,
        "{log}"
    );
    assert!(
        log.contains("pg_read_all_stats") && !log.contains("throttle_"),
        "{log}"
    );

    // It follows, and stops in the middle of a run.
    on_standby(&standby, "SELECT pg_wal_replay_resume()").await;
    world.sql(GRANT).await;
    wait_caught_up(&world).await;
    let serving = binary.serve();
    wait_batches(&world, seen, 5, &serving).await;
    assert_eq!(serving.events("limit_not_measured"), 0, "{}", serving.log());
    on_standby(&standby, "SELECT pg_wal_replay_pause()").await;
    it_pauses(&world, seen, &serving, "replica_lag").await;
    on_standby(&standby, "SELECT pg_wal_replay_resume()").await;
    wait_completed(&world, seen, &serving).await;
    wait_event(&serving, "throttle_ended", 1).await;
    it_was_told(&serving, "replica_lag");
    world.binary().run(&["verify"]).expect_code(0);
}

/// Somebody who asks to stop does not wait for a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_heard_while_a_run_waits_for_a_standby() {
    let primary = OwnPostgres::start(&[], Vec::new()).await;
    let standby = OwnPostgres::standby_of(&primary, primary.address(), &SETTINGS).await;
    let world = world(scratch_on(Backend::Postgres, primary.url()).await).await;
    wait_caught_up(&world).await;
    on_standby(&standby, "SELECT pg_wal_replay_pause()").await;
    let acme = tenant(&world, "acme", PEOPLE, 0, 0).await;
    let serving = slow(&world, 20)
        .env("RETENTIOND__ENGINE__REPLICA_LAG_MAX", "1s")
        .serve();
    it_pauses(&world, acme, &serving, "replica_lag").await;
    let (status, log) = serving.terminate(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(super::lease(&world, acme).await, None, "{log}");
    assert_eq!(super::super::runs(&world, acme).await[0].state, "pending");
    assert_eq!(events(&log, "throttle_ended", "replica_lag"), 1, "{log}");
}
