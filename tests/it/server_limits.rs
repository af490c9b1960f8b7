//! C10: limits and settings of a server, of a user, or of a pooler that refuse the service: each has a
//! sentence with its remedy, nothing is changed, and once it is set right the run does its work.

use std::fs;
use std::time::Duration;

use crate::support::bouncer::Bouncer;
use crate::support::database::scratch_on;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Person, World, holds_within, scratch};

const PASSWORD: &str = "hunter2-is-secret";

/// A platform on which somebody is due.
async fn platform(backend: Backend, server: Option<&OwnMariadb>) -> World {
    let scratch = match server {
        Some(server) => scratch_on(backend, server.url()).await,
        None => scratch(backend).await,
    };
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
        .await;
    let person = Person {
        added_at: "2022-06-15T12:00:00Z",
        email: Some("ann@example.org"),
        unsubscribed_at: Some("2022-07-01T00:00:00Z"),
    };
    world.person(tenant, person).await;
    world
}

/// The commands end with `code` and the sentence, in no words of the server's.
fn refused(binary: &Binary, commands: &[&[&str]], code: i32, remedy: &str) {
    for command in commands {
        let ended = binary.run(command);
        assert_eq!(ended.code, code, "{command:?}, {remedy}: {ended:?}");
        assert!(ended.stderr.contains(remedy), "{command:?}: {ended:?}");
        for words in [PASSWORD, "please report", "SqlxError", "DbErr", "exceeded"] {
            assert!(!ended.stderr.contains(words), "{command:?}: {ended:?}");
        }
    }
}

async fn unchanged(world: &World, before: &str, what: &str) {
    assert_eq!(world.fingerprint().await, before, "{what}");
}

/// It was this and nothing else.
async fn works_again(world: &World, binary: &Binary, what: &str) {
    binary.run(&["run"]).expect_code(0);
    binary.run(&["verify"]).expect_code(0);
    let left = world.number("SELECT COUNT(*) FROM participant").await;
    assert_eq!(left, 0, "{what}");
}

const ALL: &[&[&str]] = &[&["migrate", "status"], &["verify"], &["run"]];

/// A user of a server of the test's own, to which all of the limits may be given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_a_limit_is_told_which_and_how_to_raise_it() {
    let server = OwnMariadb::start().await;
    let world = platform(Backend::MariaDb, Some(&server)).await;
    let name = world.scratch.name();
    let create = format!("CREATE USER limited@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'");
    let grant = format!("GRANT ALL ON {name}.* TO limited@'127.0.0.1'");
    server.execute(&[&create, &grant]).await;
    let url = format!(
        "mysql://limited:{PASSWORD}@127.0.0.1:{}/{name}",
        server.port()
    );
    let binary = world.binary().env("RETENTIOND__DATABASE__URL", &url);
    let before = world.fingerprint().await;
    let renewed = format!("IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE NEVER");
    for (limit, lifted, remedy) in [
        ("PASSWORD EXPIRE", renewed.as_str(), "PASSWORD EXPIRE NEVER"),
        ("ACCOUNT LOCK", "ACCOUNT UNLOCK", "ACCOUNT UNLOCK"),
        (
            "WITH MAX_QUERIES_PER_HOUR 1",
            "WITH MAX_QUERIES_PER_HOUR 0",
            "MAX_QUERIES_PER_HOUR 0",
        ),
        (
            "WITH MAX_QUERIES_PER_HOUR 5",
            "WITH MAX_QUERIES_PER_HOUR 0",
            "MAX_QUERIES_PER_HOUR 0",
        ),
        (
            "WITH MAX_CONNECTIONS_PER_HOUR 1",
            "WITH MAX_CONNECTIONS_PER_HOUR 0",
            "MAX_CONNECTIONS_PER_HOUR 0",
        ),
    ] {
        let alter = |what: &str| format!("ALTER USER limited@'127.0.0.1' {what}");
        server
            .execute(&[&alter(limit), "FLUSH USER_RESOURCES"])
            .await;
        if limit.contains("CONNECTIONS") {
            // Opens the one that is allowed.
            binary.run(&["migrate", "status"]);
        }
        refused(&binary, ALL, 1, remedy);
        unchanged(&world, &before, limit).await;
        server
            .execute(&[&alter(lifted), "FLUSH USER_RESOURCES"])
            .await;
        binary.run(&["migrate", "status"]).expect_code(0);
    }
    // As servers do that end the connection of an expired user.
    server
        .execute(&[
            "SET GLOBAL disconnect_on_expired_password = ON",
            "ALTER USER limited@'127.0.0.1' PASSWORD EXPIRE",
        ])
        .await;
    refused(&binary, ALL, 1, "PASSWORD EXPIRE NEVER");
    unchanged(&world, &before, "an expired password").await;
    let renew = format!("ALTER USER limited@'127.0.0.1' {renewed}");
    server.execute(&[&renew]).await;
    works_again(&world, &binary, "limits of a user").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_for_prepared_statements_is_told_from_a_mistake() {
    let server = OwnMariadb::start().await;
    let world = platform(Backend::MariaDb, Some(&server)).await;
    let before = world.fingerprint().await;
    server
        .execute(&["SET GLOBAL max_prepared_stmt_count = 0"])
        .await;
    let binary = world.binary();
    refused(&binary, ALL, 1, "SET GLOBAL max_prepared_stmt_count");
    server
        .execute(&["SET GLOBAL max_prepared_stmt_count = DEFAULT"])
        .await;
    unchanged(&world, &before, "no prepared statements").await;
    works_again(&world, &binary, "no prepared statements").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binary_log_of_statements_stops_everything_until_it_is_set_right() {
    let server = OwnMariadb::start_with(&["--log-bin=binlog", "--binlog-format=MIXED"]).await;
    let world = platform(Backend::MariaDb, Some(&server)).await;
    let before = world.fingerprint().await;
    server
        .execute(&["SET GLOBAL binlog_format = STATEMENT"])
        .await;
    let binary = world.binary();
    refused(&binary, &[&["run"]], 1, "SET GLOBAL binlog_format = ROW");
    unchanged(&world, &before, "a binary log of statements").await;
    // A daemon goes on by itself: it opens new sessions, for which the new setting holds.
    let serving = binary
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s")
        .serve();
    let within = Duration::from_secs(60);
    let told = holds_within(within, async || serving.log().contains("database_settings"));
    assert!(told.await, "{}", serving.log());
    server.execute(&["SET GLOBAL binlog_format = MIXED"]).await;
    let done = holds_within(within, async || {
        world.number("SELECT COUNT(*) FROM participant").await == 0
    });
    assert!(done.await, "{}", serving.log());
    serving.terminate(within).await;
    works_again(&world, &world.binary(), "a binary log of statements").await;
}

/// The settings that a session of ours changes for itself: 1175, 1104, 1568 and autocommit. The schema
/// is made under them, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_we_change_for_our_sessions_hold_nothing_up() {
    let server = OwnMariadb::start().await;
    server
        .execute(&[
            "SET GLOBAL autocommit = 0, GLOBAL completion_type = CHAIN, GLOBAL sql_safe_updates = 1, \
             GLOBAL sql_big_selects = 0, GLOBAL max_join_size = 1",
        ])
        .await;
    let database = scratch_on(Backend::MariaDb, server.url()).await;
    let binary = Binary::on(&database);
    binary.run(&["migrate", "up"]).expect_code(0);
    let status = binary.run(&["migrate", "status"]).expect_code(0);
    assert!(!status.stdout.contains("pending"), "{}", status.stdout);
    binary.run(&["keys", "generate"]).expect_code(0);
    let add = [
        "tenant",
        "add",
        "example",
        "--name",
        "Example",
        "--time-zone",
        "UTC",
    ];
    binary.run(&add).expect_code(0);
    let people = binary.directory().join("people.csv");
    fs::write(people, "Email\nann@example.org\n").expect("an upload");
    let import = [
        "import",
        "people.csv",
        "--tenant",
        "example",
        "--map",
        "email=Email",
        "--accepted-at",
        "2022-03-30T12:00:00Z",
    ];
    binary.run(&import).expect_code(0);
    let set = [
        "policy",
        "set",
        "example",
        "--retain",
        "1y",
        "--reason",
        "contract",
        "--effective-from",
        "2022-01-01",
    ];
    binary.run(&set).expect_code(0);
    binary.run(&["run"]).expect_code(0);
    binary.run(&["verify"]).expect_code(0);
    let left = format!("{}.participant", database.name());
    // The session of the test has these settings, too.
    let counting = format!("SET STATEMENT sql_big_selects = 1 FOR SELECT COUNT(*) FROM {left}");
    let left = server.number(&counting).await;
    assert_eq!(left, Some(0));
}

/// In transaction mode without a word about prepared statements: those of one client are there already
/// when the next one prepares its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_mixes_up_prepared_statements_is_named_with_its_setting() {
    let world = platform(Backend::Postgres, None).await;
    let before = world.fingerprint().await;
    // One connection for all: the next process meets the statements of the one before.
    let bouncer = Bouncer::start_with(world.scratch.url(), "default_pool_size = 1\n").await;
    let url = bouncer.plain_url(world.scratch.url());
    let binary = world.binary().env("RETENTIOND__DATABASE__URL", &url);
    for command in ALL {
        // The pooler replaces a connection that a process has left in the middle of a transaction: the first
        // process on the new one is well, and leaves its statements.
        let met = holds_within(Duration::from_secs(30), async || {
            binary.run(&["migrate", "status"]).code == 1
        });
        assert!(met.await, "{}", bouncer.log());
        refused(&binary, &[command], 1, "max_prepared_statements = 200");
    }
    unchanged(&world, &before, "a pooler").await;
    let by_recipe = Bouncer::start(world.scratch.url()).await;
    let url = by_recipe.url(world.scratch.url());
    let binary = world.binary().env("RETENTIOND__DATABASE__URL", &url);
    works_again(&world, &binary, "a pooler by the recipe").await;
}
