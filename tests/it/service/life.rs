//! From start to end: what the service manager hears, signals, reload, and what keeps it from starting.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use crate::support::{Backend, Binary, NOBODY, Scratch, World, holds_within, master_key, scratch};

use super::{LONG, is_completed, runs, tenant, wait_completed, wait_event, world};

/// What the service manager heard so far.
fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        messages.extend(text.lines().map(str::to_owned));
    }
    messages
}

#[tokio::test]
async fn the_service_manager_hears_ready_watchdog_reloading_and_stopping_in_order() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let binary = world.binary();
    let path = binary.directory().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket for notifications");
    hears_in_order(&binary, &socket, path.to_str().expect("UTF-8")).await;
}

/// As a container's manager gives it.
#[tokio::test]
async fn a_service_manager_at_an_abstract_socket_hears_the_same() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let name = format!("retentiond-test-{}", uuid::Uuid::new_v4());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket for notifications");
    let binary = world.binary();
    hears_in_order(&binary, &socket, &format!("@{name}")).await;
    assert!(!binary.directory().join(format!("@{name}")).exists());
}

#[tokio::test]
async fn a_service_manager_that_cannot_be_reached_is_told_of_once() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let serving = world
        .binary()
        .env("NOTIFY_SOCKET", "/nowhere/notify")
        .serve();
    serving.wait_ready(LONG).await;
    wait_event(&serving, "manager_not_reached", 1).await;
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(log.matches("manager_not_reached").count(), 1, "{log}");
}

async fn hears_in_order(binary: &Binary, socket: &UnixDatagram, name: &str) {
    socket
        .set_nonblocking(true)
        .expect("a socket that does not wait");
    let binary = binary
        .beside()
        .env("NOTIFY_SOCKET", name)
        .env("WATCHDOG_USEC", "400000");
    let serving = binary.serve();
    serving.wait_ready(LONG).await;

    let mut messages = Vec::new();
    let mut hear_until = async |wanted: &str, from: usize| -> usize {
        let mut place = None;
        let in_time = holds_within(LONG, async || {
            messages.extend(heard(socket));
            place = messages[from..].iter().position(|text| text == wanted);
            place.is_some()
        })
        .await;
        assert!(in_time, "no {wanted} after {from} messages of {messages:?}");
        from + place.expect("found") + 1
    };
    let ready = hear_until("READY=1", 0).await;
    let alive = hear_until("WATCHDOG=1", ready).await;
    serving.signal("HUP");
    let reloading = hear_until("RELOADING=1", alive).await;
    let reloaded = hear_until("READY=1", reloading).await;
    let alive_again = hear_until("WATCHDOG=1", reloaded).await;
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(0), "{log}");
    hear_until("STOPPING=1", alive_again).await;

    assert_eq!(messages[0], "READY=1", "nothing comes before it");
    assert!(
        messages[reloading].starts_with("MONOTONIC_USEC="),
        "{messages:?}"
    );
    assert!(
        messages
            .iter()
            .any(|text| text.starts_with("STATUS=0 held runs")),
        "{messages:?}"
    );
}

on_every_database! {
    async fn s03_terminated_it_ends_the_batch_and_the_next_process_goes_on(scratch: Scratch) {
        let world = world(scratch).await;
        let acme = tenant(&world, "acme", 12, 12, 2).await;
        let slow = || {
            world
                .binary()
                .env("RETENTIOND__ENGINE__BATCH_ROWS", "1")
                .env("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "4")
                .env("RETENTIOND__ENGINE__LEASE_DURATION", "1h")
        };
        let serving = slow().serve();
        wait_event(&serving, "tenant_run_started", 1).await;
        let (status, log) = serving.terminate(LONG).await;
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("tenant_run_stopped") && log.contains("service_stopped"), "{log}");
        let stopped = runs(&world, acme).await;
        assert_eq!(stopped[0].state, "pending", "it was given back");

        // With a lease of an hour, only one that was given back can be taken up again now.
        let serving = world.binary().serve();
        wait_completed(&world, acme, &serving).await;
        let done = &runs(&world, acme).await[0];
        assert_eq!((done.purged, done.anonymized, done.attempts), (12, 12, 2));
        let (status, log) = serving.terminate(LONG).await;
        assert_eq!(status.code(), Some(0), "{log}");
        world.binary().run(&["verify"]).expect_code(0);
    }

    async fn asked_twice_it_ends_at_once_and_nothing_is_half_done(scratch: Scratch) {
        let world = world(scratch).await;
        let acme = tenant(&world, "acme", 8, 0, 1).await;
        let serving = world
            .binary()
            .env("RETENTIOND__ENGINE__BATCH_ROWS", "4")
            .env("RETENTIOND__ENGINE__LEASE_DURATION", "1s")
            .serve();
        wait_event(&serving, "tenant_run_started", 1).await;
        serving.signal("TERM");
        serving.signal("INT");
        serving.wait(LONG).await;
        let serving = world.binary().env("RETENTIOND__ENGINE__LEASE_DURATION", "1s").serve();
        wait_completed(&world, acme, &serving).await;
        assert_eq!(runs(&world, acme).await[0].purged, 8);
        drop(serving);
        world.binary().run(&["verify"]).expect_code(0);
    }
}

/// A configuration file for `binary`, by these settings.
fn configure(directory: &Path, settings: &str) {
    fs::write(directory.join("retentiond.toml"), settings).expect("a configuration file");
}

#[tokio::test]
async fn a_reload_takes_a_good_configuration_and_refuses_a_bad_one() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 30, 0, 1).await;
    let binary = world.binary();
    // So slow that it would take ten minutes.
    configure(
        binary.directory(),
        "[engine]\nbatch_rows = 1\nrows_per_second_max = 1\nworkers = 1\n",
    );
    let serving = binary.serve();
    wait_event(&serving, "tenant_run_started", 1).await;

    configure(binary.directory(), "[engine]\nbatch_rows = 0\n");
    serving.signal("HUP");
    wait_event(&serving, "configuration_refused", 1).await;
    assert!(
        serving.log().contains("engine.batch_rows"),
        "{}",
        serving.log()
    );
    configure(
        binary.directory(),
        "[suppression]\nkeyring_file = \"nowhere\"\n",
    );
    serving.signal("HUP");
    wait_event(&serving, "configuration_refused", 2).await;
    assert!(serving.is_ready(), "the old configuration stays in force");
    assert_eq!(serving.events("tenant_run_stopped"), 0, "the run goes on");

    configure(
        binary.directory(),
        "[engine]\nbatch_rows = 100\n[log]\nlevel = \"debug\"\n",
    );
    serving.signal("HUP");
    wait_event(&serving, "configuration_reloaded", 1).await;
    wait_completed(&world, acme, &serving).await;
    assert_eq!(
        serving.events("tenant_run_stopped"),
        1,
        "the run in hand was handed over"
    );
    assert!(
        serving.events("batch_committed") > 0,
        "the level of the log, too"
    );
    let run = &runs(&world, acme).await[0];
    assert_eq!((run.purged, run.attempts), (30, 2));
}

#[tokio::test]
async fn u08_with_a_keyring_that_is_none_or_not_the_databases_it_does_not_start() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let acme = tenant(&world, "acme", 1, 0, 0).await;
    let binary = world.binary();
    let keyring = binary.directory().join("retentiond.keyring");

    let another = fs::read_to_string(&keyring)
        .expect("a keyring")
        .replace(&hex::encode(master_key(7)), &hex::encode(master_key(8)));
    fs::write(&keyring, another).expect("another keyring");
    let (status, log) = binary.serve().wait(LONG).await;
    assert_eq!(status.code(), Some(4), "{log}");
    assert!(log.contains("service_refused"), "{log}");

    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o644)).expect("a mode");
    let (status, log) = binary.serve().wait(LONG).await;
    assert_eq!(status.code(), Some(2), "{log}");
    fs::remove_file(&keyring).expect("a keyring");
    let (status, log) = binary.serve().wait(LONG).await;
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(!is_completed(&world, acme).await);
}

#[tokio::test]
async fn s09_what_is_wrong_with_the_configuration_is_said_once_and_clearly() {
    let binary = Binary::new().env("RETENTIOND__SCHEDULE__HOUR", "24");
    let refused = binary.run(&["serve"]).expect_code(2);
    assert!(
        refused.stderr.contains("RETENTIOND__SCHEDULE__HOUR")
            && refused.stderr.lines().count() == 1,
        "{}",
        refused.stderr
    );
    // An event like any other: whoever reads the log line by line can read this one, too.
    let event: serde_json::Value = serde_json::from_str(&refused.stderr).expect("a line of JSON");
    assert_eq!(event["fields"]["event"], "service_refused", "{event}");
    assert_eq!(event["fields"]["exit_code"], 2, "{event}");
    let world: World = world(scratch(Backend::Sqlite).await).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = world
        .binary()
        .env("RETENTIOND__HTTP__LISTEN", &address)
        .run(&["serve"])
        .expect_code(2);
    assert!(
        refused.stderr.contains(&address) && refused.stderr.contains("port that is free"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_grace_period_that_is_too_short_is_no_success() {
    let world = world(scratch(Backend::Postgres).await).await;
    let acme = tenant(&world, "acme", 4, 0, 0).await;
    let serving = world
        .binary()
        .env("RETENTIOND__SHUTDOWN__GRACE_PERIOD", "300ms")
        .env("RETENTIOND__DATABASE__LOCK_TIMEOUT", "30s")
        .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "1s");
    // Somebody else holds the rows, so that the batch in hand cannot end in time.
    let held = sea_orm::TransactionTrait::begin(&world.db)
        .await
        .expect("a transaction");
    sea_orm::ConnectionTrait::execute_unprepared(&held, "SELECT 1 FROM participant FOR UPDATE")
        .await
        .expect("locks");
    let serving = serving.serve();
    wait_event(&serving, "tenant_run_started", 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (status, log) = serving.terminate(LONG).await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("grace period"), "{log}");
    held.rollback().await.expect("a rollback");
    let serving = world
        .binary()
        .env("RETENTIOND__ENGINE__LEASE_DURATION", "1s")
        .serve();
    // The lease of the one that was broken off lasts a minute; `run` would say so.
    assert_eq!(runs(&world, acme).await[0].state, "running");
    drop(serving);
}

/// A core file would hold the keys.
#[tokio::test]
async fn a_process_that_is_aborted_leaves_no_core_file() {
    let world = world(scratch(Backend::Sqlite).await).await;
    let binary = world.binary();
    let serving = binary.serve();
    let limits = fs::read_to_string(format!("/proc/{}/limits", serving.pid())).expect("its limits");
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .expect("a limit of core files");
    let limit: Vec<&str> = limit.split_whitespace().take(2).collect();
    assert_eq!(limit, ["0", "0"], "{limits}");
    serving.signal("ABRT");
    let (status, log) = serving.wait(LONG).await;
    assert_eq!(status.signal(), Some(6), "{log}");
    assert!(!status.core_dumped(), "{log}");
    let names = fs::read_dir(binary.directory()).expect("its directory");
    for name in names {
        let name = name.expect("an entry").file_name();
        assert!(!name.to_string_lossy().starts_with("core"), "{name:?}");
    }
}

/// The memory of a process that is not dumpable belongs to root in /proc, whoever it runs as: the kernel hands it to no crash
/// handler, and its user's other processes cannot read its memory.
#[tokio::test]
async fn other_processes_of_its_user_cannot_read_its_memory() {
    let me = fs::metadata("/proc/self").expect("a process").uid();
    let world = world(scratch(Backend::Postgres).await).await;
    let binary = world.binary();
    let mut serving = if me == 0 {
        let directory = binary.directory();
        let names = fs::read_dir(directory).expect("its directory");
        for entry in names.map(|entry| entry.expect("an entry").path()) {
            chown(entry, Some(NOBODY), Some(NOBODY)).expect("another owner");
        }
        chown(directory, Some(NOBODY), Some(NOBODY)).expect("another owner");
        binary.run_by(NOBODY).serve()
    } else {
        binary.serve()
    };
    let of_root = holds_within(LONG, async || {
        let directory = format!("/proc/{}", serving.pid());
        let name = fs::read_to_string(format!("{directory}/comm")).expect("its name");
        let memory = fs::metadata(format!("{directory}/mem")).expect("its memory");
        name.trim() == "retentiond" && memory.uid() == 0
    });
    assert!(of_root.await, "{}", serving.log());
    assert!(!serving.has_ended(), "{}", serving.log());
}
