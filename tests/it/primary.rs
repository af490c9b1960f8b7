//! The server that answers is the one on which people must go: not a replica that takes writes, not the primary
//! of before, not one whose commits nobody confirms; and what the service was let in with may change.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use retentiond::engine::claim::{Claim, claim};
use retentiond::engine::conductor::drive;
use retentiond::engine::due::{Scope, find_due};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::Value;

use crate::support::database::{connect, scratch_on};
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::way::{Way, redirected};
use crate::support::{
    Backend, Binary, Person, Scratch, Serving, World, free_port, holds_within, scratch,
};

const LONG: Duration = Duration::from_secs(90);

/// A tenant and somebody who is due to go.
async fn somebody_due(world: &World, slug: &str) {
    let tenant = world.tenant(slug, "UTC").await;
    let person = Person {
        added_at: "2020-06-15T12:00:00Z",
        email: None,
        unsubscribed_at: None,
    };
    world.person(tenant, person).await;
    world
        .policy(tenant, None, Some(12), "2020-01-01T00:00:00Z")
        .await;
}

async fn platform(scratch: Scratch) -> World {
    let world = World::new(scratch, "2020-01-01T00:00:00Z").await;
    somebody_due(&world, "first").await;
    world
}

async fn people(world: &World) -> i64 {
    world.number("SELECT COUNT(*) FROM participant").await
}

/// Of a server that has no world.
async fn counted(db: &DatabaseConnection) -> i64 {
    let sql = "SELECT COUNT(*) AS n FROM participant";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql));
    let row = row.await.expect("an answer").expect("a row");
    row.try_get("", "n").expect("a number")
}

async fn wait_gone(world: &World, serving: &Serving) {
    let gone = holds_within(LONG, async || people(world).await == 0).await;
    assert!(gone, "{}", serving.log());
}

/// Not ready, by that class, and the alert on it holds.
async fn wait_refused(serving: &Serving, class: &str) {
    let refused = holds_within(LONG, async || {
        serving.log().contains(&format!("\"class\":\"{class}\"")) && !serving.is_ready()
    });
    assert!(refused.await, "{class}: {}", serving.log());
    assert_eq!(serving.metric("retention_ready"), Some(0.0));
}

fn on(binary: &Binary, url: &str) -> Binary {
    binary.beside().env("RETENTIOND__DATABASE__URL", url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_mariadb_replica_is_refused_unless_it_is_accepted() {
    let primary = OwnMariadb::start_with(&["--server-id=1", "--log-bin=binlog"]).await;
    let replica = OwnMariadb::start_with(&["--server-id=2"]).await;
    let follow = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', \
         MASTER_LOG_FILE = 'binlog.000001', MASTER_LOG_POS = 4",
        primary.port()
    );
    replica.execute(&[&follow, "START REPLICA"]).await;
    let world = platform(scratch_on(Backend::MariaDb, primary.url()).await).await;
    let name = world.scratch.name().to_owned();
    let query = format!("SELECT COUNT(*) FROM {name}.policy");
    let follows = holds_within(LONG, async || replica.number(&query).await == Some(1));
    assert!(follows.await, "it does not follow: {}", replica.log());
    let binary = world.binary();
    let there = replica.url().replace("/mysql", &format!("/{name}"));
    let on_replica = on(&binary, &there);

    let refused = on_replica.run(&["run"]).expect_code(4);
    assert!(
        refused.stderr.contains("copies its rows from another"),
        "{}",
        refused.stderr
    );
    let serving = on_replica.serve();
    wait_refused(&serving, "replication_source").await;
    serving.terminate(LONG).await;
    // One that was stopped is a replica all the same.
    replica.execute(&["STOP REPLICA"]).await;
    on_replica.run(&["run"]).expect_code(4);
    replica.execute(&["START REPLICA"]).await;

    // Without the right to ask, what runs is counted, and a warning says what is not seen.
    let grants = include_str!("../../deploy/sql/mariadb-grants.sql");
    replica
        .execute(&[
            "CREATE USER retentiond_run@'%'",
            &format!("USE {name}; {grants}"),
        ])
        .await;
    let unseen = on(&binary, &there.replace("root@", "retentiond_run@"));
    let refused = unseen.run(&["run"]).expect_code(4);
    assert!(
        refused.stderr.contains("replication_unseen"),
        "{}",
        refused.stderr
    );
    let people_there = format!("SELECT COUNT(*) FROM {name}.participant");
    assert_eq!(replica.number(&people_there).await, Some(1));

    let accepted = on_replica.env("RETENTIOND__DATABASE__REPLICATION_SOURCE", "accept");
    accepted.run(&["run"]).expect_code(0);
    assert_eq!(replica.number(&people_there).await, Some(0));
    assert_eq!(
        people(&world).await,
        1,
        "the primary keeps everybody: that is what is refused"
    );

    // The primary itself is none, and its name is on the record.
    binary.run(&["run"]).expect_code(0);
    let listed = binary
        .run(&["runs", "list", "--output", "json"])
        .expect_code(0);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let server = listed["runs"][0]["server"].as_str().expect("a server");
    assert!(
        server.ends_with(&format!(":{}/{name} (server_id 1)", primary.port())),
        "{server}"
    );
}

/// The roles of two servers may be swapped while a pass is under way: no claim and no end of a run believes in
/// what the start of the pass found.
#[tokio::test]
async fn a_server_that_becomes_a_replica_during_a_run_completes_none() {
    let server = OwnMariadb::start_with(&["--server-id=1"]).await;
    let mut world = platform(scratch_on(Backend::MariaDb, server.url()).await).await;
    somebody_due(&world, "second").await;
    world.set_clock("2024-04-02T00:00:00Z");
    let candidates = find_due(&world.engine, &Scope::default())
        .await
        .expect("a look")
        .expect("tenants");
    let Claim::Claimed(run) = claim(&world.engine, &candidates[0]).await.expect("a claim") else {
        panic!("not claimed");
    };
    let follow =
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1, MASTER_USER = 'root'";
    server.execute(&[follow]).await;

    let driven = drive(&run).await;
    let error = driven.error.expect("an error");
    assert_eq!(error.class(), "replication_source", "{error}");
    let states = "SELECT COUNT(*) FROM tenant_run WHERE state = 'completed'";
    assert_eq!(world.number(states).await, 0);
    let error = claim(&world.engine, &candidates[1])
        .await
        .expect_err("refused");
    assert_eq!(error.class(), "replication_source", "{error}");

    server.execute(&["RESET REPLICA ALL"]).await;
    let done = world
        .binary()
        .run(&["run", "--period", "2024-04"])
        .expect_code(0);
    assert!(
        !done.stderr.contains("replication_source"),
        "{}",
        done.stderr
    );
    assert_eq!(world.number(states).await, 2);
    assert_eq!(people(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_subscriber_is_refused() {
    let server = OwnPostgres::start(&["wal_level=logical"], Vec::new()).await;
    let world = platform(scratch_on(Backend::Postgres, server.url()).await).await;
    let copied = platform(scratch_on(Backend::Postgres, server.url()).await).await;
    let source = world.scratch.name().to_owned();
    world
        .sql("CREATE PUBLICATION everybody FOR TABLE participant")
        .await;
    world
        .sql("SELECT pg_create_logical_replication_slot('everybody', 'pgoutput')")
        .await;
    copied
        .sql(&format!(
            "CREATE SUBSCRIPTION everybody CONNECTION 'host=127.0.0.1 port={} user=retentiond_test \
             dbname={source}' PUBLICATION everybody \
             WITH (create_slot = false, slot_name = 'everybody', copy_data = false)",
            server.address().port()
        ))
        .await;
    let refused = copied.binary().run(&["run"]).expect_code(4);
    assert!(
        refused.stderr.contains("a subscription to participant"),
        "{}",
        refused.stderr
    );
    assert_eq!(people(&copied).await, 1);
    world.binary().run(&["run"]).expect_code(0);
    assert_eq!(people(&world).await, 0, "the source is refused nothing");
    copied.sql("ALTER SUBSCRIPTION everybody DISABLE").await;
    copied
        .sql("ALTER SUBSCRIPTION everybody SET (slot_name = NONE)")
        .await;
    copied.sql("DROP SUBSCRIPTION everybody").await;
    copied.binary().run(&["run"]).expect_code(0);
    assert_eq!(people(&copied).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_for_a_standby_that_is_gone_stop_the_runs_and_are_named() {
    let server = OwnPostgres::start(&[], Vec::new()).await;
    let world = platform(scratch_on(Backend::Postgres, server.url()).await).await;
    for number in 0..6 {
        somebody_due(&world, &format!("more-{number}")).await;
    }
    let binary = world
        .binary()
        .env("RETENTIOND__ENGINE__WORKERS", "2")
        .env("RETENTIOND__DATABASE__STATEMENT_TIMEOUT", "5s");
    world
        .sql("ALTER SYSTEM SET synchronous_standby_names = 'gone'")
        .await;
    world.sql("SELECT pg_reload_conf()").await;
    let serving = binary.serve();
    wait_refused(&serving, "commits_waiting").await;
    let (_, body) = serving.get("/readyz").expect("an answer");
    assert!(body.contains("waited for a synchronous standby"), "{body}");
    // Beyond those that were under way when it began, nobody is begun: no session more for each tenant.
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let before = world.number(waiting).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let after = world.number(waiting).await;
    assert!(
        after <= before.max(3),
        "{before}, then {after}: {}",
        serving.log()
    );
    world
        .sql("ALTER SYSTEM RESET synchronous_standby_names")
        .await;
    world.sql("SELECT pg_reload_conf()").await;
    wait_gone(&world, &serving).await;
    serving.wait_ready(LONG).await;
    binary.run(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_switchover_the_old_primary_is_left_for_the_new_one() {
    let old = OwnPostgres::start(&[], Vec::new()).await;
    let world = World::new(
        scratch_on(Backend::Postgres, old.url()).await,
        "2020-01-01T00:00:00Z",
    )
    .await;
    let new = OwnPostgres::standby_of(&old, old.address(), &[]).await;
    let front = free_port();
    let name = Way::open(front, old.address()).await;
    let binary = world.binary();
    let serving = on(&binary, &redirected(world.scratch.url(), front).1).serve();
    serving.wait_ready(LONG).await;
    let system = format!("127.0.0.1:{}/", old.address().port());
    assert!(
        serving.log().contains(&system),
        "which server it is: {}",
        serving.log()
    );

    // The standby must have all before it is promoted.
    somebody_due(&world, "first").await;
    let caught_up =
        "SELECT COUNT(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
    let in_time = holds_within(LONG, async || world.number(caught_up).await == 1);
    world
        .sql("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    world.sql("SELECT pg_reload_conf()").await;
    assert!(in_time.await, "the standby is behind");
    name.turn_to(Some(new.address()));
    new.promote();
    // By itself, and well before a connection's half hour is over.
    let there = new
        .url()
        .replace("/postgres", &format!("/{}", world.scratch.name()));
    let db = connect(&there).await;
    let gone = holds_within(LONG, async || counted(&db).await == 0);
    assert!(gone.await, "{}", serving.log());
    serving.wait_ready(LONG).await;
    assert_eq!(
        people(&world).await,
        1,
        "nothing was written on the old one"
    );
}

/// The password is changed in the database and in the file, and nobody tells the service.
async fn a_password_that_was_rotated_is_read_anew(scratch: Scratch) {
    let world = World::new(scratch, "2020-01-01T00:00:00Z").await;
    let backend = world.scratch.backend();
    let role = format!(
        "rotated_{}",
        &uuid::Uuid::new_v4().simple().to_string()[..12]
    );
    let (created, changed, kicked, dropped) = match backend {
        Backend::Postgres => (
            format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'old'"),
            format!("ALTER ROLE {role} PASSWORD 'new'"),
            format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
            ),
            format!("DROP ROLE {role}"),
        ),
        _ => (
            format!("CREATE USER {role}@'%' IDENTIFIED BY 'old'"),
            format!("ALTER USER {role}@'%' IDENTIFIED BY 'new'"),
            format!("KILL USER {role}@'%'"),
            format!("DROP USER {role}@'%'"),
        ),
    };
    world.sql(&created).await;
    if backend == Backend::MariaDb {
        world.sql(&format!("GRANT ALL ON *.* TO {role}@'%'")).await;
    }
    let (scheme, rest) = world.scratch.url().split_once("://").expect("a URL");
    let (_, place) = rest.rsplit_once('@').expect("a host");
    let url = |password: &str| format!("{scheme}://{role}:{password}@{place}");
    let keyring = world.binary();
    let binary = Binary::new();
    let file = binary.directory().join("database_url");
    let name = "retentiond.keyring";
    fs::copy(
        keyring.directory().join(name),
        binary.directory().join(name),
    )
    .expect("a keyring");
    fs::write(&file, url("old")).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    let serving = binary
        .env(
            "RETENTIOND__DATABASE__URL_FILE",
            file.to_str().expect("UTF-8"),
        )
        .serve();
    serving.wait_ready(LONG).await;

    world.sql(&changed).await;
    world.sql(&kicked).await;
    let refused = holds_within(LONG, async || !serving.is_ready()).await;
    assert!(refused, "{}", serving.log());
    fs::write(&file, url("new")).expect("a file");
    somebody_due(&world, "first").await;
    wait_gone(&world, &serving).await;
    serving.wait_ready(LONG).await;
    assert_eq!(serving.events("password_reread"), 1, "{}", serving.log());
    assert_eq!(serving.events("configuration_reloaded"), 0);
    let (_, log) = serving.terminate(LONG).await;
    assert!(!log.contains(":new@"), "{log}");
    world.sql(&dropped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_rotated_is_read_anew_postgres() {
    a_password_that_was_rotated_is_read_anew(scratch(Backend::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_rotated_is_read_anew_mariadb() {
    a_password_that_was_rotated_is_read_anew(scratch(Backend::MariaDb).await).await;
}

/// Whoever restores a backup beside the running service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_was_replaced_is_noticed() {
    let world = platform(scratch(Backend::Sqlite).await).await;
    let binary = world.binary();
    let url = world.scratch.url().to_owned();
    let file = url
        .trim_start_matches("sqlite://")
        .split('?')
        .next()
        .expect("a path")
        .to_owned();
    let restored = format!("{file}.restored");
    world.sql(&format!("VACUUM INTO '{restored}'")).await;
    let serving = binary.serve();
    wait_gone(&world, &serving).await;
    serving.wait_ready(LONG).await;

    fs::rename(&restored, &file).expect("renamed");
    wait_refused(&serving, "database_replaced").await;
    let (_, body) = serving.get("/readyz").expect("an answer");
    assert!(body.contains("was removed or replaced"), "{body}");
    serving.terminate(LONG).await;
    for left in ["-wal", "-shm"] {
        // Of the file of before.
        let _ = fs::remove_file(format!("{file}{left}"));
    }
    binary.run(&["run"]).expect_code(0);
    let db = connect(&url).await;
    assert_eq!(counted(&db).await, 0, "whoever was restored is due as well");
}
