//! Clocks that the test sets: one for the service's host and one for a PostgreSQL server of the
//! test's own, by Debian's `libfaketime`.
//!
//! A faked clock is the real one plus an offset that stands in a file. Every reading of a clock looks
//! at the file, so that all processes, server backends included, agree to the microsecond: before a
//! jump, after it, and while time goes on. Monotonic time stays real, as it does when somebody sets a
//! machine's clock.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use retentiond::clock::{Clock, SystemClock};
use tempfile::TempDir;

use super::holds_within;

/// A server that has not started or stopped by then hangs.
const SERVER_PATIENCE: Duration = Duration::from_secs(60);

/// How often somebody else may take the port between our look and the server's.
const STARTS_MAX: usize = 5;

/// A clock that runs as fast as the real one, and shows what the test wants.
pub struct FakedClock {
    file: PathBuf,
    offset: Cell<TimeDelta>,
}

impl FakedClock {
    fn new(file: PathBuf, now: DateTime<Utc>) -> Self {
        let clock = Self {
            file,
            offset: Cell::default(),
        };
        clock.set(now);
        clock
    }

    /// What it shows.
    pub fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.offset.get()
    }

    /// Sets it.
    pub fn set(&self, now: DateTime<Utc>) {
        self.set_offset(now - SystemClock.now());
    }

    /// Sets it to show what `other` shows, and `difference` more.
    pub fn set_beside(&self, other: &Self, difference: TimeDelta) {
        self.set_offset(other.offset.get() + difference);
    }

    fn set_offset(&self, offset: TimeDelta) {
        let microseconds = offset.num_microseconds().expect("fewer than 292,000 years");
        let sign = if microseconds < 0 { '-' } else { '+' };
        let (seconds, rest) = (
            microseconds.unsigned_abs() / 1_000_000,
            microseconds.unsigned_abs() % 1_000_000,
        );
        // Renamed into place: a process that reads meanwhile sees the old or the new one, whole.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{sign}{seconds}.{rest:06}\n")).expect("a clock file");
        fs::set_permissions(&new, Permissions::from_mode(0o644)).expect("its mode");
        fs::rename(&new, &self.file).expect("a clock file");
        self.offset.set(offset);
    }

    /// What makes a process live by this clock.
    pub fn environment(&self) -> Vec<(String, String)> {
        let file = self.file.to_str().expect("a path in UTF-8");
        [
            ("LD_PRELOAD", library().as_str()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TZ", "UTC"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// A host and a database server, each with a clock of its own, that agree to begin with.
pub struct FakedMachines {
    pub host: FakedClock,
    pub server: FakedClock,
    port: u16,
    postgres: Option<Child>,
    directory: TempDir,
}

impl FakedMachines {
    /// Starts the server. To be called on the test's own thread: the server ends with the thread.
    pub async fn start(now: DateTime<Utc>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The server is another user when the test is root, and has to read its clock.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).expect("a mode");
        let mut machines = Self {
            host: FakedClock::new(directory.path().join("host.clock"), now),
            server: FakedClock::new(directory.path().join("server.clock"), now),
            port: 0,
            postgres: None,
            directory,
        };
        machines.make_cluster();
        for _ in 0..STARTS_MAX {
            machines.port = free_port();
            if machines.try_start_server().await {
                return machines;
            }
        }
        panic!("PostgreSQL did not start: {}", machines.server_log());
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        format!(
            "postgres://retentiond_test@127.0.0.1:{}/postgres",
            self.port
        )
    }

    /// Sets both clocks.
    pub fn set(&self, now: DateTime<Utc>) {
        self.server.set(now);
        self.host.set_beside(&self.server, TimeDelta::zero());
    }

    /// What the clock of both shows that is behind.
    pub fn now(&self) -> DateTime<Utc> {
        self.host.now().min(self.server.now())
    }

    /// Starts the server again, on the same port.
    pub async fn start_server(&mut self) {
        assert!(self.try_start_server().await, "{}", self.server_log());
    }

    /// Stops the server, whoever is connected; what is under way is rolled back.
    pub async fn stop_server(&mut self) {
        let mut child = self.postgres.take().expect("the server runs");
        // INT is PostgreSQL's fast shutdown. The crate forbids unsafe code, so a shell signals.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -s INT {}", child.id())])
            .status()
            .expect("a shell");
        assert!(sent.success(), "the server could not be signalled");
        let ended = holds_within(SERVER_PATIENCE, async || {
            child.try_wait().expect("a child of ours").is_some()
        });
        assert!(ended.await, "{}", self.server_log());
    }

    /// Whether the server ended up answering.
    async fn try_start_server(&mut self) -> bool {
        let log = fs::File::create(self.log_file()).expect("a log file");
        let mut command = self.as_postgres(&["--pdeathsig", "INT"]);
        command.arg("env");
        for (name, value) in self.server.environment() {
            command.arg(format!("{name}={value}"));
        }
        // The odd time zone is on purpose: it must not matter. Nothing else is left to chance by
        // the wall clock's jumps: there is nothing to vacuum, and nobody to survive a power cut.
        let child = command
            .arg(program("postgres"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-D"])
            .arg(self.cluster())
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
            .args(["-c", "autovacuum=off", "-c", "timezone=Pacific/Kiritimati"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("setpriv (package util-linux) starts PostgreSQL");
        let child = self.postgres.insert(child);
        let mut has_ended = false;
        let probe = program("pg_isready");
        let port = self.port.to_string();
        let decided = holds_within(SERVER_PATIENCE, async || {
            has_ended = child.try_wait().expect("a child of ours").is_some();
            has_ended || {
                let mut probe = Command::new(&probe);
                probe.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                probe.status().expect("pg_isready runs").success()
            }
        });
        decided.await && !has_ended
    }

    fn make_cluster(&self) {
        let cluster = self.cluster();
        fs::create_dir(&cluster).expect("a directory");
        if is_root() {
            let owned = Command::new("chown")
                .arg("postgres:")
                .arg(&cluster)
                .status();
            assert!(owned.expect("chown runs").success(), "chown failed");
        }
        // Without a password: it listens on loopback for a few minutes and holds invented people.
        let made = self
            .as_postgres(&[])
            .arg(program("initdb"))
            .args([
                "--username=retentiond_test",
                "--auth=trust",
                "--encoding=UTF8",
            ])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(&cluster)
            .output()
            .expect("setpriv (package util-linux) runs initdb");
        assert!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    /// PostgreSQL refuses to be root.
    fn as_postgres(&self, options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.current_dir(self.directory.path()).args(options);
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command
    }

    fn cluster(&self) -> PathBuf {
        self.directory.path().join("postgres")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("postgres.log")
    }

    fn server_log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for FakedMachines {
    fn drop(&mut self) {
        if let Some(child) = &mut self.postgres {
            // Killed: what it holds goes with the directory. Its backends see that it is gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A missing library fails the test: one that was skipped would look like one that passed.
fn library() -> String {
    let path = required("RETENTIOND_TEST_FAKETIME");
    // The dynamic linker would only warn about it, and the clock would be the real one.
    assert!(Path::new(&path).is_file(), "{path} is not there");
    path
}

fn program(name: &str) -> PathBuf {
    Path::new(&required("RETENTIOND_TEST_POSTGRES_PROGRAMS")).join(name)
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set, so there is no clock to fake: run tests/run, or export what \
             `tests/run --servers-only` prints"
        )
    })
}

/// Below the range of outgoing connections, one of which could take it while the server is down.
pub(super) fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
