//! A URL that says nothing of TLS means verified TLS: a server, or whoever answers in its place, that refuses
//! it is sent neither password nor statement. Variables of PostgreSQL's other programs change none of it.
//!
//! The servers listen on this machine. 0.0.0.0 leads there, too, and is no address of loopback.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::certificates::Place;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Finished, holds_within, scratch};

const LONG: Duration = Duration::from_secs(60);
const PASSWORD: &str = "zq7password";

/// What a server says to whoever asks for TLS, or in greeting.
#[derive(Clone, Copy, Debug)]
enum Greeting {
    /// PostgreSQL: no TLS here.
    PostgresNo,
    /// PostgreSQL: an error where a letter is wanted.
    PostgresError,
    /// PostgreSQL: yes, and then nothing of TLS.
    PostgresLie,
    /// MariaDB: a greeting without the bit of TLS.
    Mariadb,
}

/// A server in the middle that keeps what it is sent.
struct Thief {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Thief {
    fn new(greeting: Greeting) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || answer(client, greeting, &kept));
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> String {
        let heard = self.heard.lock().expect("nobody panics here");
        String::from_utf8_lossy(&heard).into_owned()
    }
}

fn answer(mut client: TcpStream, greeting: Greeting, kept: &Mutex<Vec<u8>>) {
    let limit = Some(Duration::from_secs(5));
    client.set_read_timeout(limit).expect("a limit");
    let mut bytes = [0; 4096];
    let mut hear = |client: &mut TcpStream| match client.read(&mut bytes) {
        Ok(count) if count > 0 => {
            let mut kept = kept.lock().expect("nobody panics here");
            kept.extend_from_slice(&bytes[..count]);
            true
        }
        _ => false,
    };
    let said: &[u8] = match greeting {
        Greeting::PostgresNo => b"N",
        Greeting::PostgresError => b"E\0\0\0\x0eSFATAL\0Mno\0\0",
        // As if it had been said behind TLS: the login is done, and the server is ready.
        Greeting::PostgresLie => b"SR\0\0\0\x08\0\0\0\x03Z\0\0\0\x05I",
        Greeting::Mariadb => &mariadb_greeting(),
    };
    if !matches!(greeting, Greeting::Mariadb) {
        hear(&mut client);
    }
    // A client that has gone away is what is wanted.
    let _ = client.write_all(said);
    while hear(&mut client) {
        // Asks for the password in clear, for whoever went on.
        let _ = match greeting {
            Greeting::Mariadb => client.write_all(b"\x17\0\0\x02\xfemysql_clear_password\0\0"),
            _ => client.write_all(b"R\0\0\0\x08\0\0\0\x03"),
        };
    }
}

/// Version 10 of the handshake: 4.1, secure connection and authentication by plugin, and no TLS.
fn mariadb_greeting() -> Vec<u8> {
    const CAPABILITIES: u32 = 0x0008_8000 | 0x0000_0200 | 0x0000_0008 | 0x0000_2000;
    let [low0, low1, high0, high1] = CAPABILITIES.to_le_bytes();
    let mut body = b"\x0a10.11.0-MariaDB\0\x01\0\0\0abcdefgh\0".to_vec();
    body.extend([low0, low1, 45, 2, 0, high0, high1, 21]);
    body.extend([0; 10]);
    body.extend(b"ijklmnopqrst\0mysql_native_password\0");
    let length = u8::try_from(body.len()).expect("a short greeting");
    let mut packet = vec![length, 0, 0, 0];
    packet.extend(body);
    packet
}

fn status(binary: &Binary, url: &str) -> Finished {
    let binary = binary.beside();
    binary
        .env("RETENTIOND__DATABASE__URL", url)
        .env("RETENTIOND__DATABASE__CONNECT_TIMEOUT", "2s")
        .run(&["migrate", "status"])
}

#[test]
fn whoever_refuses_tls_gets_no_password() {
    for (greeting, scheme, part) in [
        (Greeting::PostgresNo, "postgres", "sslmode=disable"),
        (
            Greeting::PostgresError,
            "postgres",
            "cannot open the database",
        ),
        (
            Greeting::PostgresLie,
            "postgres",
            "cannot open the database",
        ),
        (Greeting::Mariadb, "mysql", "ssl-mode=DISABLED"),
        (Greeting::Mariadb, "mariadb", "ssl-mode=DISABLED"),
    ] {
        let thief = Thief::new(greeting);
        let port = thief.port;
        let urls = [
            format!("{scheme}://zq7user:{PASSWORD}@0.0.0.0:{port}/platform"),
            format!("{scheme}://zq7user:{PASSWORD}@0.0.0.0:{port}"),
            // Another name for it, given where the driver looks last.
            format!("{scheme}://zq7user:{PASSWORD}@localhost:{port}/platform?host=0.0.0.0"),
            format!("{scheme}://zq7user:{PASSWORD}@127.0.0.1:{port}/platform?hostaddr=0.0.0.0"),
        ];
        let known = if scheme == "postgres" { 4 } else { 2 };
        for url in &urls[..known] {
            // A shell in which everything is set up for plain connections.
            let binary = Binary::new()
                .env("PGSSLMODE", "disable")
                .env("PGPASSWORD", PASSWORD)
                .env("PGHOST", "127.0.0.1");
            let refused = status(&binary, url);
            assert_eq!(refused.code, 1, "{greeting:?} {url}: {refused:?}");
            assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
            assert!(
                refused.stderr.contains(part),
                "{greeting:?} {url}: {refused:?}"
            );
        }
        let heard = thief.heard();
        for secret in [PASSWORD, "zq7user", "SELECT", "SET ", "platform"] {
            assert!(!heard.contains(secret), "{greeting:?}: {heard:?}");
        }
    }
}

/// A test of the test: the thief gets the password from whoever says so.
#[test]
fn whoever_asks_for_no_tls_gets_none_and_is_warned() {
    let thief = Thief::new(Greeting::PostgresNo);
    let url = format!(
        "postgres://zq7user:{PASSWORD}@0.0.0.0:{}/platform",
        thief.port
    );
    for mode in ["disable", "prefer"] {
        status(&Binary::new(), &format!("{url}?sslmode={mode}")).expect_code(1);
    }
    assert!(thief.heard().contains(PASSWORD), "{}", thief.heard());

    for (url, part) in [
        (
            "postgres://ann:zq7password@db.example.org/x?sslmode=disable",
            "is not encrypted",
        ),
        (
            "postgres://ann:zq7password@db.example.org/x?sslmode=prefer",
            "only if the server that answers offers it",
        ),
        (
            "postgres://ann:zq7password@db.example.org/x?sslmode=require",
            "any server that answers is accepted",
        ),
        (
            "mysql://ann:zq7password@db.example.org/x?ssl-mode=PREFERRED",
            "ssl-mode=VERIFY_IDENTITY",
        ),
    ] {
        let binary = Binary::new().env("RETENTIOND__DATABASE__URL", url);
        let checked = binary.run(&["config", "check"]).expect_code(0);
        assert!(
            checked.stderr.contains("warning: ") && checked.stderr.contains(part),
            "{checked:?}"
        );
        assert!(!checked.stderr.contains(PASSWORD), "{checked:?}");
        assert_eq!(checked.stdout, "ok\n");
        let json = binary
            .run(&["config", "check", "--output", "json"])
            .expect_code(0);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
        assert_eq!(json["ok"], true);
        assert!(
            json["warnings"][0]
                .as_str()
                .is_some_and(|said| said.contains(part)),
            "{json}"
        );
    }
    for url in [
        "postgres://ann@db.example.org/x",
        "mysql://ann@db.example.org/x",
        "postgres://ann@localhost/x",
    ] {
        let binary = Binary::new().env("RETENTIOND__DATABASE__URL", url);
        let checked = binary.run(&["config", "check"]).expect_code(0);
        assert!(!checked.stderr.contains("warning"), "{checked:?}");
    }
}

/// The warning comes at each start of `run` and `serve`, as an event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_verified_tls_warns() {
    for (backend, mode) in [
        (Backend::Postgres, "sslmode=disable"),
        (Backend::MariaDb, "ssl-mode=DISABLED"),
    ] {
        let database = scratch(backend).await;
        let plain = Binary::on(&database);
        plain.run(&["migrate", "up"]).expect_code(0);
        plain.run(&["keys", "generate"]).expect_code(0);
        // Loopback, and nothing said: no warning.
        let quiet = plain.run(&["run"]).expect_code(0);
        assert!(!quiet.stderr.contains("security_warning"), "{quiet:?}");
        let url = format!("{}?{mode}", database.url());
        let binary = plain.beside().env("RETENTIOND__DATABASE__URL", &url);
        let warned = binary.run(&["run"]).expect_code(0);
        assert!(
            warned.stderr.contains("security_warning") && warned.stderr.contains(mode),
            "{warned:?}"
        );
        let serving = binary.serve();
        serving.wait_ready(LONG).await;
        let (_, log) = serving.terminate(LONG).await;
        assert_eq!(log.matches("security_warning").count(), 1, "{log}");
    }
}

/// A real server with TLS, and a URL that says nothing but whose authority is known.
async fn every_certificate(url: &str, authority: &str, place: &Place, reload: &str) {
    let local = Binary::new().env("RETENTIOND__DATABASE__URL", url);
    local.run(&["migrate", "up"]).expect_code(0);
    let db = crate::support::database::connect(url).await;
    let far = url.replace("127.0.0.1", "0.0.0.0");
    assert_ne!(far, url);
    let known = format!("{far}?{authority}={}", place.authority.file().display());
    let binary = Binary::new();
    let good = holds_within(LONG, async || status(&binary, &known).code == 0).await;
    assert!(good, "{:?}", status(&binary, &known));

    // Of an authority that nobody named, and of another one.
    let other = format!("{far}?{authority}={}", place.other.file().display());
    for url in [&far, &other] {
        let refused = status(&binary, url).expect_code(1);
        assert!(
            refused.stderr.contains("not signed by an authority"),
            "{refused:?}"
        );
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    }
    for (certificate, why) in [
        (&place.elsewhere, "for another host name"),
        (&place.expired, "has expired"),
    ] {
        place.serve(certificate);
        sea_orm::ConnectionTrait::execute_unprepared(&db, reload)
            .await
            .expect("reloaded");
        let told = holds_within(LONG, async || status(&binary, &known).stderr.contains(why)).await;
        assert!(told, "{why}: {:?}", status(&binary, &known));
        // What stands in the environment does not help.
        let lax = binary
            .beside()
            .env("PGSSLMODE", "require")
            .env("PGSSLROOTCERT", "/dev/null");
        let refused = status(&lax, &known).expect_code(1);
        assert!(refused.stderr.contains(why), "{refused:?}");
        // Loopback, as before.
        status(&binary, url).expect_code(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_url_that_says_nothing_verifies_the_server() {
    let place = Place::new("postgres");
    let server = place.start_postgres().await;
    every_certificate(
        &server.url(),
        "sslrootcert",
        &place,
        "SELECT pg_reload_conf()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_url_that_says_nothing_verifies_the_server() {
    let place = Place::new("mysql");
    let server = place.start_mariadb().await;
    every_certificate(&server.url(), "ssl-ca", &place, "FLUSH SSL").await;
}

/// What the driver would take from the environment, or from the home folder, is as if it were not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_of_other_programs_name_no_other_database() {
    let database = scratch(Backend::Postgres).await;
    let binary = Binary::on(&database);
    binary.run(&["migrate", "up"]).expect_code(0);
    let passwords = binary.directory().join(".pgpass");
    fs::write(&passwords, "*:*:*:*:wrong\n").expect("a file");
    fs::set_permissions(&passwords, Permissions::from_mode(0o600)).expect("a mode");
    let file = passwords.to_str().expect("UTF-8").to_owned();
    let home = binary.directory().to_str().expect("UTF-8").to_owned();
    let mut set = binary.beside();
    for (name, value) in [
        ("PGHOST", "192.0.2.1"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "elsewhere"),
        (
            "PGOPTIONS",
            "-c search_path=elsewhere -c default_transaction_read_only=on",
        ),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/no/such/file"),
        ("PGSSLCERT", "/no/such/file"),
        ("PGSSLKEY", "/no/such/file"),
        ("PGAPPNAME", "elsewhere"),
        ("PGPASSFILE", &file),
        ("PGSERVICE", "elsewhere"),
        ("HOME", &home),
    ] {
        set = set.env(name, value);
    }
    // The arguments, the standard input and the exit code come through as well.
    set.run(&["migrate", "status"]).expect_code(0);
    let added = set
        .run(&["tenant", "add", "acme", "--time-zone", "UTC"])
        .expect_code(0);
    let name = database.name();
    assert!(added.stderr.contains(&format!("/{name} (")), "{added:?}");
    set.run(&["keys", "generate"]).expect_code(0);
    set.run_with_stdin(&["unsubscribe", "--tenant", "acme"], b"ann@example.org")
        .expect_code(0);
    set.run(&["tenant", "show", "nobody"]).expect_code(2);
    let listed = binary.run(&["tenant", "list"]).expect_code(0);
    assert!(listed.stdout.contains("acme"));

    // A URL without a password does not find one: the right one would stand there.
    let (scheme, rest) = database.url().split_once("://").expect("a URL");
    let (user, place) = rest.rsplit_once('@').expect("a host");
    let (user, password) = user.split_once(':').expect("a password");
    fs::write(&passwords, format!("*:*:*:*:{password}\n")).expect("a file");
    let url = format!("{scheme}://{user}@{place}");
    for binary in [
        Binary::new().env("PGPASSFILE", &file),
        Binary::new().env("HOME", &home),
        Binary::new().env("PGPASSWORD", password),
    ] {
        let refused = status(&binary, &url).expect_code(1);
        assert!(
            refused.stderr.contains("check the user and password"),
            "{refused:?}"
        );
    }
}
