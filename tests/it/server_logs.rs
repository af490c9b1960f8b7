//! What servers that log whatever they can write of our statements: no people, once an administrator has
//! run what `deploy/sql` has for it, and on MariaDB not into the slow log.
//!
//! Each test has a server of its own, whose settings are the test's, and searches the log file of it.

use std::path::Path;
use std::time::Duration;

use retentiond::ids::TenantId;
use sea_orm::{ConnectionTrait, DatabaseConnection};

use crate::support::binary::Finished;
use crate::support::database::{connect, scratch_on};
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_postgres::OwnPostgres;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Scratch, World, holds_within};

/// Stand in the uploaded values and in the addresses, and nowhere else.
const IMPORTED: &str = "zq7imported";
const UNSUBSCRIBED: &str = "zq7unsubscribed";

const TENANT: TenantId = TenantId(1);

const GRANTS: &str = include_str!("../../deploy/sql/postgres-grants.sql");
const SERVER_LOG: &str = include_str!("../../deploy/sql/postgres-server-log.sql");

/// Whoever is looked for.
#[derive(Clone, Copy, PartialEq)]
enum People {
    /// Those of an upload.
    Imported,
    /// Whoever unsubscribes, is checked, or is recognised.
    Unsubscribed,
}

/// An unsubscription at a tenant that has the address in three rows, the platform's and its own, and is asked
/// for it; and an upload, if `with_import`.
async fn work(world: &World, binary: &Binary, with_import: bool) -> String {
    let mut said = String::new();
    let mut run = |finished: Finished| {
        said.push_str(&finished.stderr);
        finished.expect_code(0);
    };
    if with_import {
        let upload = format!(
            "email,first_name,customer_id,phone,Team\n\
             {IMPORTED}@example.org,{IMPORTED},{IMPORTED},{IMPORTED},{IMPORTED}\n"
        );
        std::fs::write(binary.directory().join("people.csv"), upload).expect("a file");
        run(binary.run(&["import", "people.csv", "--tenant", "example"]));
    }
    let address = format!(" {UNSUBSCRIBED}@Example.org\n");
    let check = ["suppression", "check", "--tenant", "example"];
    let unsubscribe = ["unsubscribe", "--tenant", "example"];
    for arguments in [&check[..], &unsubscribe[..], &unsubscribe[..], &check[..]] {
        run(binary.run_with_stdin(arguments, address.as_bytes()));
    }
    let marked = "SELECT COUNT(*) FROM participant WHERE unsubscribed_at IS NOT NULL";
    assert_eq!(world.number(marked).await, 3);
    run(binary.run(&["run"]));
    said
}

/// A platform with one tenant.
async fn world_on(database: Scratch) -> World {
    let world = World::new(database, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    assert_eq!(tenant, TENANT);
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    world
}

/// People who have the address of whoever will unsubscribe. What puts them there is the test's own, and comes
/// before whatever is searched.
async fn people(world: &World) {
    let spellings = [
        format!("{UNSUBSCRIBED}@example.org"),
        format!("{}@EXAMPLE.org", UNSUBSCRIBED.to_uppercase()),
        format!("Ann <{UNSUBSCRIBED}@example.org>"),
    ];
    for email in &spellings {
        let person = crate::support::Person {
            added_at: "2024-03-20T12:00:00Z",
            email: Some(email),
            unsubscribed_at: None,
        };
        world.person(TENANT, person).await;
    }
}

fn hits(log: &str, people: People) -> Vec<String> {
    let needle = match people {
        People::Imported => IMPORTED,
        People::Unsubscribed => UNSUBSCRIBED,
    };
    let lines = log.lines().map(str::to_lowercase);
    lines.filter(|line| line.contains(needle)).collect()
}

async fn execute(connection: &DatabaseConnection, statements: &str) {
    for statement in statements.split_inclusive(";\n") {
        let done = connection.execute_unprepared(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// The statements of a file.
fn without_comments(file: &str) -> String {
    let lines = file.lines().filter(|line| !line.starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Everything that PostgreSQL can log of a statement.
const POSTGRES_SETTINGS: [&str; 9] = [
    "log_statement=all",
    "log_min_duration_statement=0",
    "log_parameter_max_length_on_error=-1",
    "debug_print_plan=on",
    "debug_print_parse=on",
    "session_preload_libraries=auto_explain",
    "auto_explain.log_min_duration=0",
    "auto_explain.log_verbose=on",
    "auto_explain.log_nested_statements=on",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e18_postgres_logs_nobody_of_the_role() {
    let server = OwnPostgres::start(&POSTGRES_SETTINGS, Vec::new()).await;
    let world = world_on(scratch_on(Backend::Postgres, server.url()).await).await;
    people(&world).await;
    let administrator = connect(&server.url()).await;
    execute(
        &administrator,
        &format!(
            "CREATE ROLE retentiond_run LOGIN;\n{}",
            without_comments(SERVER_LOG)
        ),
    )
    .await;
    execute(&world.db, &without_comments(GRANTS)).await;
    let url = world
        .scratch
        .url()
        .replace("retentiond_test@", "retentiond_run@");
    assert_ne!(url, world.scratch.url());
    let binary = world.binary().env("RETENTIOND__DATABASE__URL", &url);
    let before = server.log().len();
    let said = work(&world, &binary, true).await;
    // A constraint of the platform's refuses an uploaded row: the server says so, and not which.
    world
        .sql("ALTER TABLE participant ADD CONSTRAINT no_canary CHECK (first_name <> 'zq7imported') NOT VALID")
        .await;
    let again = ["import", "people.csv", "--tenant", "example", "--again"];
    assert_eq!(binary.run(&again).code, 1);
    let log = server.log().split_off(before);
    assert!(
        log.contains("INSERT INTO participant"),
        "statements are logged"
    );
    assert!(log.contains("no_canary"), "errors are logged");
    // But for the test's own statement.
    let log: String = log
        .lines()
        .filter(|line| !line.contains("NOT VALID"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(hits(&log, People::Imported), [""; 0]);
    assert_eq!(hits(&log, People::Unsubscribed), [""; 0]);
    assert!(!said.contains("server_logs_people"), "{said}");
    assert!(
        !said.contains("writes the values of statements into its logs"),
        "{said}"
    );
}

/// Without the administrator's file: nobody is logged who unsubscribes, and who imports is warned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e18_postgres_is_sent_no_address_of_who_unsubscribes_and_the_import_is_warned_of() {
    let server = OwnPostgres::start(&POSTGRES_SETTINGS, Vec::new()).await;
    let world = world_on(scratch_on(Backend::Postgres, server.url()).await).await;
    people(&world).await;
    let binary = world.binary();
    let before = server.log().len();
    let said = work(&world, &binary, false).await;
    let log = server.log().split_off(before);
    assert!(log.contains("UPDATE participant"), "statements are logged");
    assert_eq!(hits(&log, People::Unsubscribed), [""; 0]);
    assert!(said.contains("server_logs_people"), "{said}");
    for setting in [
        "log_statement=all",
        "log_min_duration_statement=0",
        "log_parameter_max_length=-1",
        "auto_explain.log_min_duration=0",
    ] {
        assert!(said.contains(setting), "{setting}: {said}");
    }

    // The search is worth nothing unless it finds what is there.
    let said = {
        let upload = format!("email\n{IMPORTED}@example.org\n");
        std::fs::write(binary.directory().join("more.csv"), upload).expect("a file");
        binary
            .run(&["import", "more.csv", "--tenant", "example"])
            .expect_code(0)
            .stderr
    };
    assert!(
        said.starts_with("warning: the database server writes the values"),
        "{said}"
    );
    let log = server.log().split_off(before);
    assert!(!hits(&log, People::Imported).is_empty());
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e18_mariadb_logs_nobody_as_slow_and_whoever_unsubscribes_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .expect("a mode");
    let (slow, general) = (
        folder.path().join("slow.log"),
        folder.path().join("general.log"),
    );
    let options = [
        "--log-bin=binary-log".to_owned(),
        "--binlog-format=ROW".to_owned(),
        format!("--slow-query-log-file={}", slow.display()),
        format!("--general-log-file={}", general.display()),
        "--long-query-time=0".to_owned(),
        "--slow-query-log=1".to_owned(),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let server = OwnMariadb::start_with(&options).await;
    let world = world_on(scratch_on(Backend::MariaDb, server.url()).await).await;
    people(&world).await;
    // From here on; the slow log tells by itself whose statement each is.
    let before = read(&slow).len();
    let binary = world.binary();
    let said = work(&world, &binary, true).await;
    assert!(said.contains("binlog_annotate_row_events=ON"), "{said}");
    assert!(!said.contains("slow_query_log"), "{said}");
    // Somebody else's statement stands there, so the log is written.
    world.sql("SELECT 'somebody else is slow'").await;
    let is_written = holds_within(Duration::from_secs(10), async || {
        read(&slow).contains("somebody else is slow")
    });
    assert!(is_written.await, "the slow log is written");
    let log = read(&slow).split_off(before);
    assert_eq!(hits(&log, People::Imported), [""; 0]);
    assert_eq!(hits(&log, People::Unsubscribed), [""; 0]);

    // The general log holds every statement with its values: those of unsubscribing have none of a person.
    people(&world).await;
    server.execute(&["SET GLOBAL general_log = ON"]).await;
    let said = work(&world, &binary, false).await;
    server.execute(&["SET GLOBAL general_log = OFF"]).await;
    assert!(said.contains("general_log=ON"), "{said}");
    let log = read(&general);
    assert!(log.contains("UPDATE"), "statements are logged: {log}");
    assert_eq!(hits(&log, People::Unsubscribed), [""; 0]);
}
