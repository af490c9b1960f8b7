//! The promise under attack from outside: a real `retentiond run` is killed, or its connection
//! broken, at every step that it takes; then another process finishes.
//!
//! After each fault, and again after the end: no younger row was touched, no hash is missing where
//! a row was erased, the run's record equals its batches and both equal what is gone.
//!
//! `RETENTIOND_TEST_CAMPAIGN=long` takes every point instead of a sample, `RETENTIOND_TEST_SEED`
//! another sample. A failure prints the `RETENTIOND_TEST_POINT` that repeats it alone.

mod campaign;
pub mod expectation;
pub mod kept;
mod kills;
pub mod people;
pub mod state;
mod system_calls;
mod tiny;
mod wire;

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::support::proxy::{Fault, Proxy, Trigger, Victim};
use tiny::Tiny;

/// A command that ran behind a proxy to its end: done or killed.
struct Ended {
    /// Knows what it asked for, and which faults came about.
    proxy: Proxy,
    /// None if it was killed.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the command with a proxy before the database, and the faults that are meant for it.
async fn through_proxy(tiny: &Tiny, mut command: Command, faults: &[(Trigger, Fault)]) -> Ended {
    let victim = Victim::default();
    let proxy = Proxy::start(&tiny.scratch, faults, Arc::clone(&victim)).await;
    let file = |name: &str| tiny.binary.directory().join(name);
    let output = |name: &str| Stdio::from(File::create(file(name)).expect("a file"));
    {
        // Locked until the process is there: it may come to its fault before we get on.
        let mut victim = victim.lock().expect("no panic");
        let child = command
            .env("RETENTIOND__DATABASE__URL", proxy.url(&tiny.scratch))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("the binary starts");
        *victim = Some(child);
    }
    loop {
        let ended = {
            let mut victim = victim.lock().expect("no panic");
            let child = victim.as_mut().expect("started");
            child.try_wait().expect("a child of ours")
        };
        if let Some(status) = ended {
            let read = |name: &str| fs::read_to_string(file(name)).expect("its output");
            let struck = !proxy.struck().is_empty();
            assert!(
                status.success() || struck,
                "undisturbed: {}",
                read("stderr")
            );
            return Ended {
                proxy,
                code: status.code(),
                stdout: read("stdout"),
                stderr: read("stderr"),
            };
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
