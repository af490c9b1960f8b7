//! A PostgreSQL server that belongs to one test: killed, started again, copied and promoted as the
//! test likes, and gone when dropped.
//!
//! It listens on loopback without a password, for a few minutes, and holds invented people.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::holds_within;
use super::own_server::{OwnServer, free_port, is_root};

/// A server that has not started or stopped by then hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often somebody else may take the port between our look and the server's.
const STARTS_MAX: usize = 5;

const USER: &str = "retentiond_test";

/// What every server here has. The odd time zone is on purpose: it must not matter. What has been
/// committed is with the operating system when the client hears of it, and outlives the processes;
/// nothing here outlives the machine.
const SETTINGS: [&str; 4] = [
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=on",
    "timezone=Pacific/Kiritimati",
];

/// The server.
pub struct OwnPostgres {
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    port: u16,
    postmaster: Option<Child>,
    directory: TempDir,
}

impl OwnPostgres {
    /// Makes a cluster and starts it with these settings (`name=value`) and in this environment, on
    /// top of what every server here has. To be called on the test's own thread: the server ends with
    /// the thread.
    pub async fn start(settings: &[&str], environment: Vec<(String, String)>) -> Self {
        let mut server = Self::unborn(settings, environment);
        server.run(
            "initdb",
            &[
                &format!("--username={USER}"),
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata=.",
            ],
        );
        server.start_anywhere().await;
        server
    }

    /// A hot standby of another server, which follows what comes from `primary`: that server's
    /// address, or something between the two.
    pub async fn standby_of(other: &Self, primary: SocketAddr, settings: &[&str]) -> Self {
        let source = format!("host={} port={} user={USER}", primary.ip(), primary.port());
        let follow = format!("primary_conninfo={source}");
        let settings = [settings, &[follow.as_str()]].concat();
        let mut server = Self::unborn(&settings, Vec::new());
        // Copied from the server itself: what stands between is for the test to break.
        let from = format!(
            "host={} port={} user={USER}",
            Ipv4Addr::LOCALHOST,
            other.port
        );
        server.run(
            "pg_basebackup",
            &[
                "--pgdata=.",
                &format!("--dbname={from}"),
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
            ],
        );
        server.start_anywhere().await;
        server
    }

    fn unborn(settings: &[&str], environment: Vec<(String, String)>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The server is another user when the test is root.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).expect("a mode");
        let server = Self {
            settings: settings.iter().map(|text| (*text).to_owned()).collect(),
            environment,
            port: 0,
            postmaster: None,
            directory,
        };
        let cluster = server.cluster();
        fs::create_dir(&cluster).expect("a directory");
        fs::set_permissions(&cluster, Permissions::from_mode(0o700)).expect("a mode");
        if is_root() {
            let owned = Command::new("chown")
                .arg("postgres:")
                .arg(&cluster)
                .status();
            assert!(owned.expect("chown runs").success(), "chown failed");
        }
        server
    }

    async fn start_anywhere(&mut self) {
        for _ in 0..STARTS_MAX {
            self.port = free_port();
            if self.try_start().await {
                return;
            }
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Stops it, whoever is connected; what is under way is rolled back.
    pub async fn stop(&mut self) {
        let mut postmaster = self.postmaster.take().expect("the server runs");
        // INT is PostgreSQL's fast shutdown.
        signal("INT", &[postmaster.id()]);
        let ended = holds_within(PATIENCE, async || {
            postmaster.try_wait().expect("a child of ours").is_some()
        });
        assert!(ended.await, "{}", self.log());
    }

    /// Makes a standby a primary, and returns once it takes writes.
    pub fn promote(&self) {
        self.run("pg_ctl", &["promote", "--pgdata=.", "--wait"]);
    }

    /// What the server said since it was made.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Whether the server ended up answering.
    async fn try_start(&mut self) -> bool {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.log_file())
            .expect("a log file");
        // If the test is killed, the kernel stops the server.
        let mut command = self.as_postgres(&["--pdeathsig", "INT"]);
        command.arg("env");
        for (name, value) in &self.environment {
            command.arg(format!("{name}={value}"));
        }
        command.arg(program("postgres")).args(["-D", "."]);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let own = self.settings.iter().map(String::as_str);
        for setting in SETTINGS.into_iter().chain(own) {
            command.args(["-c", setting]);
        }
        let postmaster = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("setpriv (package util-linux) starts PostgreSQL");
        let postmaster = self.postmaster.insert(postmaster);
        let mut has_ended = false;
        let probe = program("pg_isready");
        let port = self.port.to_string();
        let decided = holds_within(PATIENCE, async || {
            has_ended = postmaster.try_wait().expect("a child of ours").is_some();
            has_ended || {
                let mut probe = Command::new(&probe);
                probe.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                probe.status().expect("pg_isready runs").success()
            }
        });
        decided.await && !has_ended
    }

    /// Runs one of PostgreSQL's programs to its end, in the cluster's directory.
    fn run(&self, name: &str, arguments: &[&str]) {
        let done = self
            .as_postgres(&[])
            .arg(program(name))
            .args(arguments)
            .output()
            .expect("setpriv (package util-linux) runs it");
        assert!(
            done.status.success(),
            "{name} failed: {}{}",
            String::from_utf8_lossy(&done.stderr),
            self.log()
        );
    }

    /// PostgreSQL refuses to be root.
    fn as_postgres(&self, options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(options);
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        // Only its owner may enter, and that may be another user than this one.
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]);
        command.arg(self.cluster());
        command
    }

    fn cluster(&self) -> PathBuf {
        self.directory.path().join("postgres")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("postgres.log")
    }
}

impl OwnServer for OwnPostgres {
    fn url(&self) -> String {
        format!("postgres://{USER}@{}/postgres", self.address())
    }

    async fn kill(&mut self) {
        let mut postmaster = self.postmaster.take().expect("the server runs");
        let all = kill_all(postmaster.id());
        postmaster.wait().expect("a child of ours");
        // A backend that was still there would keep the new server from starting.
        let gone = holds_within(PATIENCE, async || !all.iter().any(|pid| is_alive(*pid)));
        assert!(gone.await, "processes that SIGKILL does not end");
    }

    async fn start_again(&mut self) {
        assert!(self.postmaster.is_none(), "the server runs");
        assert!(self.try_start().await, "{}", self.log());
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Some(postmaster) = &mut self.postmaster {
            // What it holds goes with the directory.
            kill_all(postmaster.id());
            let _ = postmaster.wait();
        }
    }
}

/// Ends the postmaster and all of its children at once; returns the children. (Each of them leads a
/// process group of its own, so there is no group to kill.)
fn kill_all(postmaster: u32) -> Vec<u32> {
    // Stopped first: it forks nobody whom we would miss, and does not see its children die.
    signal("STOP", &[postmaster]);
    let children = children_of(postmaster);
    signal("KILL", &[&[postmaster], children.as_slice()].concat());
    children
}

/// The crate forbids unsafe code, so a shell makes the system call. A process that has ended
/// meanwhile is no error.
fn signal(name: &str, processes: &[u32]) {
    let pids = processes.iter().map(u32::to_string);
    Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$@\"", name])
        .args(pids)
        .stderr(Stdio::null())
        .status()
        .expect("a shell");
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| status_of(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// A zombie is none: it holds nothing any more.
fn is_alive(pid: u32) -> bool {
    status_of(pid).is_some_and(|(state, _)| state != 'Z')
}

/// State and parent of a process, after its name in parentheses: proc(5).
fn status_of(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn program(name: &str) -> PathBuf {
    let variable = "RETENTIOND_TEST_POSTGRES_PROGRAMS";
    let folder = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set, so there is no server to start: run tests/run, or export what \
             `tests/run --servers-only` prints"
        )
    });
    Path::new(&folder).join(name)
}
