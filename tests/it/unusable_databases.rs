//! Databases that cannot be used: one sentence in our words, never a password, never the database's
//! own text, never a back trace.

use serde_json::Value;

use crate::support::{Backend, Binary, Finished, Person, Scratch, World};

const PASSWORD: &str = "hunter2-is-secret";

/// What drivers and servers say, and panics.
const NOT_OUR_WORDS: &[&str] = &[
    "panick",
    "a defect in retentiond",
    "backtrace",
    "sqlx",
    "SqlxError",
    "DbErr",
    "FATAL",
    "os error",
    "password authentication failed",
    "Access denied",
    "command denied",
    "Unknown database",
    "does not exist",
    "read-only transaction",
    "attempt to write",
    "please report",
];

fn in_our_words(finished: &Finished) {
    for words in NOT_OUR_WORDS.iter().chain([&PASSWORD]) {
        let said = finished.stderr.contains(words) || finished.stdout.contains(words);
        assert!(!said, "{words:?} in {finished:?}");
    }
}

/// Commands that are no `run` say one line; `run` logs JSON besides.
fn check_all(binary: &Binary, code: i32, why: &str) {
    for arguments in [
        &["run"][..],
        &["verify"],
        &["runs", "list"],
        &["keys", "check"],
        &["migrate", "up"],
        &["migrate", "status"],
    ] {
        let finished = binary.run(arguments).expect_code(code);
        one_sentence(&finished, arguments[0] == "run");
        assert!(finished.stderr.contains(why), "{arguments:?}: {finished:?}");
        assert_eq!(finished.stdout, "", "{arguments:?}");
    }
}

/// Whether a line of stderr says what went wrong: a plain one, or an event of `run`'s log.
fn is_sentence(line: &str) -> bool {
    line.starts_with("error: ")
        || ["run_refused", "tenant_run_failed", "run_record_failed"]
            .iter()
            .any(|event| line.contains(&format!("\"event\":\"{event}\"")))
}

fn one_sentence(finished: &Finished, logs: bool) {
    in_our_words(finished);
    let (errors, others): (Vec<&str>, Vec<&str>) =
        finished.stderr.lines().partition(|line| is_sentence(line));
    // A tenant's run that failed may say, besides, that its record could not be written.
    assert!(
        !errors.is_empty() && (errors.len() == 1 || logs),
        "{finished:?}"
    );
    assert!(logs || others.is_empty(), "{finished:?}");
    for line in others {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    }
}

/// A keyring and this URL, in an empty directory.
fn on(url: &str) -> Binary {
    let binary = Binary::new();
    // Before there is a URL that could be asked.
    binary.run(&["keys", "generate"]).expect_code(0);
    binary
        .env("RETENTIOND__DATABASE__URL", url)
        .env("RETENTIOND__DATABASE__CONNECT_TIMEOUT", "2s")
}

/// The URL with another password in it.
fn other_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let (user, host) = rest.split_once('@').expect("a user");
    let user = user.split(':').next().expect("a user");
    format!("{scheme}://{user}:{PASSWORD}@{host}")
}

#[test]
fn a_url_that_is_none() {
    for url in [
        &format!("postgres://ann:{PASSWORD}@db:port/platform"),
        &format!("oracle://ann:{PASSWORD}@db/platform"),
        PASSWORD,
    ] {
        check_all(&on(url), 2, "DATABASE__URL");
    }
}

/// C11: sqlx ignores a parameter that it does not know, and takes several hosts for one.
#[test]
fn a_url_with_what_nobody_would_read() {
    for (rest, why) in [
        (
            "postgres://ann:{}@db/platform?sslmod=verify-full",
            "`sslmod`",
        ),
        ("mysql://ann:{}@db/platform?useSSL=true", "`ssl-mode`"),
        ("postgres://db/platform?user=ann&password=x&{}=y", "%26"),
        ("postgres://ann:{}@h1,h2/platform", "writer endpoint"),
        (
            "postgres://ann:{}@h1:5432,h2:5432/platform?target_session_attrs=read-write",
            "writer endpoint",
        ),
        (
            "postgres://ann:{}@h1/platform?target_session_attrs=read-write",
            "writer endpoint",
        ),
    ] {
        let binary = on(&rest.replace("{}", PASSWORD));
        check_all(&binary, 2, why);
        let checked = binary.run(&["config", "check"]).expect_code(2);
        in_our_words(&checked);
        assert!(checked.stderr.contains(why), "{checked:?}");
    }
}

#[test]
fn a_port_where_nobody_listens() {
    // Free a moment ago, and of those that a system does not hand out again soon.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    for scheme in ["postgres", "mysql"] {
        let binary = on(&format!(
            "{scheme}://ann:{PASSWORD}@127.0.0.1:{port}/platform"
        ));
        check_all(&binary, 1, "cannot be reached");
        // Nobody can be asked, so keys are made all the same, with a warning.
        std::fs::remove_file(binary.directory().join("retentiond.keyring")).expect("it goes");
        for verb in ["generate", "rotate"] {
            let made = binary.run(&["keys", verb]).expect_code(0);
            in_our_words(&made);
            assert!(made.stderr.starts_with("warning: "), "{made:?}");
            assert_eq!(made.stderr.lines().count(), 1, "{made:?}");
        }
    }
}

on_every_database! {
    async fn a_wrong_password(scratch: Scratch) {
        // SQLite knows none.
        if scratch.backend() != Backend::Sqlite {
            check_all(&on(&other_password(scratch.url())), 1, "refused access");
        }
    }

    async fn a_database_that_is_not_there(scratch: Scratch) {
        let url = match scratch.backend() {
            Backend::Sqlite => "sqlite://no/such/folder/platform.db?mode=rwc".to_owned(),
            _ => format!("{}_not", scratch.url()),
        };
        let binary = on(&url);
        for arguments in [&["run"][..], &["verify"], &["keys", "check"], &["migrate", "up"]] {
            let finished = binary.run(arguments).expect_code(2);
            one_sentence(&finished, arguments[0] == "run");
            assert!(finished.stderr.contains("[database] url"), "{finished:?}");
        }
    }

    async fn a_database_that_takes_no_writes(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "Europe/Brussels").await;
        world.policy(tenant, Some(1), None, "2023-01-01T00:00:00Z").await;
        world
            .person(
                tenant,
                Person {
                    added_at: "2022-10-15T12:00:00Z",
                    email: Some("ann@example.org"),
                    unsubscribed_at: None,
                },
            )
            .await;
        let before = world.fingerprint().await;
        let url = read_only(&world).await;
        let binary = world.binary().env("RETENTIOND__DATABASE__URL", &url);
        // A server that says so itself is refused before anything is begun.
        let code = match world.scratch.backend() {
            Backend::Postgres => 4,
            Backend::MariaDb | Backend::Sqlite => 1,
        };
        let finished = binary.run(&["run", "--period", "2024-04"]).expect_code(code);
        one_sentence(&finished, true);
        let why = match world.scratch.backend() {
            Backend::MariaDb => "refused access",
            _ => "read-only",
        };
        assert!(finished.stderr.contains(why), "{finished:?}");
        // What only reads goes on working.
        for arguments in [&["plan"][..], &["migrate", "status"], &["keys", "check"], &["runs", "list"]] {
            binary.run(arguments).expect_code(0);
        }
        assert_eq!(world.fingerprint().await, before);
        if world.scratch.backend() == Backend::MariaDb {
            world.sql(&format!("DROP USER {}", reader(&world))).await;
        }
    }
}

fn database_name(world: &World) -> &str {
    let address = world.scratch.url().split('?').next().expect("an address");
    address.rsplit('/').next().expect("a name")
}

/// A user of MariaDB that may only read.
fn reader(world: &World) -> String {
    let name = database_name(world);
    format!("'reader_{}'@'127.0.0.1'", &name[name.len() - 8..])
}

/// Makes the database read-only for whoever connects from now on, by the URL that it returns.
async fn read_only(world: &World) -> String {
    let url = world.scratch.url();
    let name = database_name(world);
    match world.scratch.backend() {
        Backend::Sqlite => url.replace("mode=rwc", "mode=ro"),
        Backend::Postgres => {
            world
                .sql(&format!(
                    "ALTER DATABASE {name} SET default_transaction_read_only = on"
                ))
                .await;
            url.to_owned()
        }
        Backend::MariaDb => {
            let user = reader(world);
            for sql in [
                format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}'"),
                format!("GRANT SELECT ON {name}.* TO {user}"),
            ] {
                world.sql(&sql).await;
            }
            let host = url.rsplit_once('@').expect("a host").1;
            format!(
                "mysql://reader_{}:{PASSWORD}@{host}",
                &name[name.len() - 8..]
            )
        }
    }
}
