//! Clocks that the test sets: one for the service's host and one for a PostgreSQL server of the
//! test's own, by Debian's `libfaketime`.
//!
//! A faked clock is the real one plus an offset that stands in a file. Every reading of a clock looks
//! at the file, so that all processes, server backends included, agree to the microsecond: before a
//! jump, after it, and while time goes on. Monotonic time stays real, as it does when somebody sets a
//! machine's clock.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use retentiond::clock::{Clock, SystemClock};
use tempfile::TempDir;

use super::own_postgres::OwnPostgres;
use super::own_server::OwnServer;

/// A clock that runs as fast as the real one, and shows what the test wants.
pub struct FakedClock {
    file: PathBuf,
    offset: Cell<TimeDelta>,
}

impl FakedClock {
    /// A clock that shows `now`, and stands in `file`.
    pub fn new(file: PathBuf, now: DateTime<Utc>) -> Self {
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
    postgres: OwnPostgres,
    /// Holds the clocks.
    _directory: TempDir,
}

impl FakedMachines {
    /// Starts the server. To be called on the test's own thread: the server ends with the thread.
    pub async fn start(now: DateTime<Utc>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The server is another user when the test is root, and has to read its clock.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).expect("a mode");
        let host = FakedClock::new(directory.path().join("host.clock"), now);
        let server = FakedClock::new(directory.path().join("server.clock"), now);
        // Nothing is left to chance by the wall clock's jumps: there is nothing to vacuum.
        let postgres = OwnPostgres::start(&["autovacuum=off"], server.environment()).await;
        Self {
            host,
            server,
            postgres,
            _directory: directory,
        }
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        self.postgres.url()
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
        self.postgres.start_again().await;
    }

    /// Stops the server, whoever is connected; what is under way is rolled back.
    pub async fn stop_server(&mut self) {
        self.postgres.stop().await;
    }
}

/// A missing library fails the test: one that was skipped would look like one that passed.
fn library() -> String {
    let variable = "RETENTIOND_TEST_FAKETIME";
    let path = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set, so there is no clock to fake: run tests/run, or export what \
             `tests/run --servers-only` prints"
        )
    });
    // The dynamic linker would only warn about it, and the clock would be the real one.
    assert!(Path::new(&path).is_file(), "{path} is not there");
    path
}
