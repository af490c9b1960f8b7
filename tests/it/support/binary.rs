//! Runs the real `retentiond` as a person would: in a directory of its own, with a clean
//! environment.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Scratch;

/// The user `nobody`, for whom no file of ours is meant.
pub const NOBODY: u32 = 65_534;

/// A command that takes longer hangs.
const RUNTIME_MAX: Duration = Duration::from_secs(120);

/// The binary with the directory and the environment that it runs in.
pub struct Binary {
    /// Shared with the daemons that were started in it.
    pub(super) directory: Arc<TempDir>,
    environment: Vec<(String, String)>,
    /// Who the commands run as; `None` = whoever runs the test.
    user: Option<u32>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Binary {
    /// In an empty directory, with nothing configured.
    pub fn new() -> Self {
        Self {
            directory: Arc::new(tempfile::tempdir().expect("a temporary directory")),
            environment: Vec::new(),
            user: None,
        }
    }

    /// Configured for this database.
    pub fn on(database: &Scratch) -> Self {
        Self::new().env("RETENTIOND__DATABASE__URL", database.url())
    }

    /// Another one in the same directory, with the same environment to begin with.
    pub fn beside(&self) -> Self {
        Self {
            directory: Arc::clone(&self.directory),
            environment: self.environment.clone(),
            user: self.user,
        }
    }

    /// Adds a variable to the environment, which is empty otherwise.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the commands run as this user. The test must be root.
    pub fn run_by(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    /// The working directory of the commands.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A command that has not been started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_retentiond")), arguments)
    }

    /// A command of another program, in the same surroundings.
    pub fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.directory())
            .env_clear()
            .envs(self.environment.iter().cloned());
        if let Some(uid) = self.user {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// Runs a command with nothing on stdin.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_stdin(arguments, b"")
    }

    /// Runs a command to its end. Panics if it hangs or is killed by a signal.
    pub fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Finished {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut input = child.stdin.take().expect("stdin is a pipe");
        let stdin = stdin.to_vec();
        // Beside each other, because a full pipe would stop both sides.
        let writer = thread::spawn(move || {
            // A command that reads no stdin closes the pipe; that is its right.
            let _ = input.write_all(&stdin);
        });
        let stdout = read_all(child.stdout.take().expect("stdout is a pipe"));
        let stderr = read_all(child.stderr.take().expect("stderr is a pipe"));

        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the child can be waited for") {
                break status;
            }
            if start.elapsed() > RUNTIME_MAX {
                child.kill().expect("the child can be killed");
                panic!("retentiond {arguments:?} took longer than {RUNTIME_MAX:?}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        writer.join().expect("the writer ends");
        let finished = Finished {
            code: status.code().unwrap_or(-1),
            stdout: stdout.join().expect("the reader of stdout ends"),
            stderr: stderr.join().expect("the reader of stderr ends"),
        };
        assert!(
            finished.code >= 0,
            "retentiond {arguments:?} was killed: {status}; stderr: {}",
            finished.stderr
        );
        finished
    }
}

impl Finished {
    /// What stands on stderr beside the line that names the database.
    pub fn said(&self) -> String {
        let lines = self.stderr.lines();
        lines
            .filter(|line| !line.starts_with("database: "))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Passes the result on if the command ended so; panics with all of its output otherwise.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the pipe can be read");
        String::from_utf8(bytes).expect("the output is UTF-8")
    })
}
