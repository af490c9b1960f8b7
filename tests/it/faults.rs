//! The promise under attack from outside: a real `retentiond run` is killed, or its connection
//! broken, at every step that it takes; then another process finishes.
//!
//! After each fault, and again after the end: no younger row was touched, no hash is missing where
//! a row was erased, the run's record equals its batches and both equal what is gone.
//!
//! `RETENTIOND_TEST_CAMPAIGN=long` takes every point instead of a sample, `RETENTIOND_TEST_SEED`
//! another sample. A failure prints the `RETENTIOND_TEST_POINT` that repeats it alone.

pub mod campaign;
pub mod expectation;
pub mod kept;
mod kills;
pub mod people;
pub mod state;
mod system_calls;
pub mod tiny;
mod wire;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::support::proxy::{Fault, Proxy, Trigger, Victim};
use tiny::Tiny;

/// How the first statement begins that only a recount makes: each begins with its name.
pub const RECOUNT: &str = "/* recount.empty_uploads */ ";

/// A command that takes longer hangs. (The longest pauses are those of the silent connections.)
const RUNTIME_MAX: Duration = Duration::from_secs(180);

/// A command behind a proxy.
pub struct Started {
    /// Knows what it asked for, and which faults came about.
    pub proxy: Proxy,
    victim: KilledAtLast,
    directory: PathBuf,
}

/// A failed test leaves no stopped process behind.
struct KilledAtLast(Victim);

/// A command that ran behind a proxy to its end: done or killed.
pub struct Ended {
    pub proxy: Proxy,
    /// None if it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Starts the command with a proxy before what `url` names, and the faults that are meant for it.
pub async fn start(
    tiny: &Tiny,
    url: &str,
    mut command: Command,
    faults: &[(Trigger, Fault)],
) -> Started {
    let victim = Victim::default();
    let backend = tiny.scratch.backend();
    let proxy = Proxy::start(backend, url, faults, Arc::clone(&victim)).await;
    let directory = tiny.binary.directory().to_owned();
    let output = |name: &str| Stdio::from(File::create(directory.join(name)).expect("a file"));
    {
        // Locked until the process is there: it may come to its fault before we get on.
        let mut victim = victim.lock().expect("no panic");
        let child = command
            .env("RETENTIOND__DATABASE__URL", proxy.url(url))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("the binary starts");
        *victim = Some(child);
    }
    Started {
        proxy,
        victim: KilledAtLast(victim),
        directory,
    }
}

impl Started {
    /// How it ended, if it did.
    pub fn status(&self) -> Option<ExitStatus> {
        let mut victim = self.victim.0.lock().expect("no panic");
        let child = victim.as_mut().expect("started");
        child.try_wait().expect("a child of ours")
    }

    /// Waits for its end.
    pub async fn end(self) -> Ended {
        let read = |name: &str| fs::read_to_string(self.directory.join(name)).expect("its output");
        let end = Instant::now() + RUNTIME_MAX;
        let status = loop {
            if let Some(status) = self.status() {
                break status;
            }
            if Instant::now() > end {
                panic!("it hangs: {}", read("stderr"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        Ended {
            code: status.code(),
            stdout: read("stdout"),
            stderr: read("stderr"),
            proxy: self.proxy,
        }
    }
}

impl Drop for KilledAtLast {
    fn drop(&mut self) {
        let mut victim = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = victim.as_mut() {
            // SIGKILL ends a stopped process, too. One that has ended already is no error.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs the command with a proxy before the database to its end.
async fn through_proxy(tiny: &Tiny, command: Command, faults: &[(Trigger, Fault)]) -> Ended {
    let ended = start(tiny, tiny.scratch.url(), command, faults).await;
    let ended = ended.end().await;
    let struck = !ended.proxy.struck().is_empty();
    assert!(
        ended.code == Some(0) || struck,
        "undisturbed: {}",
        ended.stderr
    );
    ended
}
