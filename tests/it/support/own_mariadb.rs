//! A MariaDB server that belongs to one test: by itself, or as a node of a cluster (`galera.rs`).
//!
//! It flushes its log at every commit, so that what it said was committed must be there after a
//! `kill -9`. It listens on loopback, without a password: it lives for minutes and holds invented
//! people.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnection, MySqlRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Row};
use tempfile::TempDir;

use super::holds_within;
use super::own_server::{OwnServer, free_port, is_root};

/// A server that has not come up by then hangs. A node of a cluster first receives all data.
const START_PATIENCE: Duration = Duration::from_secs(180);

/// How often somebody else may take a port between our look and the server's.
pub(super) const STARTS_MAX: usize = 5;

/// How long a server may take to answer a question.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A server of the test's own, gone when dropped.
pub struct OwnMariadb {
    port: u16,
    /// Beyond those that every server is started with.
    options: Vec<String>,
    child: Option<Child>,
    directory: TempDir,
}

impl OwnMariadb {
    /// Starts a server by itself. To be called on the test's own thread: it ends with the thread.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with these options on top. They are none of a cluster's.
    pub async fn start_with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|text| (*text).to_owned()).collect();
        let mut log = String::new();
        for _ in 0..STARTS_MAX {
            let mut server = Self::new(free_port(), options.clone());
            server.make_system_tables();
            if server.try_start(&[]).await {
                return server;
            }
            log = server.log();
        }
        panic!("MariaDB did not start: {log}");
    }

    /// One that has not been started, and has no system tables.
    pub(super) fn new(port: u16, options: Vec<String>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The server is another user when the test is root.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).expect("a mode");
        let server = Self {
            port,
            options,
            child: None,
            directory,
        };
        // A node of a cluster receives its tables, but not the directory.
        for directory in ["data", "temporary"] {
            fs::create_dir_all(server.files().join(directory)).expect("a directory");
        }
        if is_root() {
            let owned = Command::new("chown")
                .args(["-R", "mysql:"])
                .arg(server.files())
                .status();
            assert!(owned.expect("chown runs").success(), "chown failed");
        }
        server
    }

    pub(super) fn make_system_tables(&self) {
        let made = self
            .as_mysql("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db"])
            .arg("--auth-root-authentication-method=normal")
            .arg(self.argument("datadir", "data"))
            .output()
            .expect("setpriv (package util-linux) runs mariadb-install-db");
        assert!(
            made.status.success(),
            "mariadb-install-db failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    /// Whether the server ended up ready.
    pub(super) async fn try_start(&mut self, more: &[&str]) -> bool {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log file");
        // Small, because several of them run beside the other tests. The odd time zone is on
        // purpose: it must not matter.
        let child = self
            .as_mysql("mariadbd")
            .arg("--no-defaults")
            .arg(self.argument("datadir", "data"))
            .arg(self.argument("socket", "socket"))
            .arg(self.argument("pid-file", "pid"))
            .args(["--skip-networking=0", "--bind-address=127.0.0.1"])
            .arg(format!("--port={}", self.port))
            .args(["--skip-name-resolve", "--max-connections=100"])
            .args(["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"])
            .args([
                "--innodb-buffer-pool-size=48M",
                "--innodb-log-file-size=24M",
            ])
            .args(["--aria-pagecache-buffer-size=8M", "--key-buffer-size=1M"])
            .arg("--default-time-zone=+13:00")
            .args(&self.options)
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("setpriv (package util-linux) starts mariadbd");
        self.child = Some(child);
        let mut has_ended = false;
        let decided = holds_within(START_PATIENCE, async || {
            has_ended = self.has_ended();
            has_ended || self.is_ready().await
        });
        decided.await && !has_ended
    }

    /// Whether it does what it is asked for, as a member of its cluster if it has one.
    pub async fn is_ready(&self) -> bool {
        if !self
            .options
            .iter()
            .any(|option| option.starts_with("--wsrep"))
        {
            return self.ask("SELECT 1").await.is_some();
        }
        self.status("wsrep_local_state_comment").await.as_deref() == Some("Synced")
            && self.status("wsrep_ready").await.as_deref() == Some("ON")
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A status variable of the server; `None` while it does not answer.
    pub async fn status(&self, name: &str) -> Option<String> {
        let row = self.ask(&format!("SHOW GLOBAL STATUS LIKE '{name}'")).await;
        row?.try_get_unchecked(1).ok()
    }

    /// A status variable that counts.
    pub async fn counter(&self, name: &str) -> u64 {
        let text = self.status(name).await.expect("the server answers");
        text.parse().expect("a count")
    }

    /// The one number that a query gives.
    pub async fn number(&self, query: &str) -> Option<i64> {
        self.ask(query).await?.try_get_unchecked::<i64, _>(0).ok()
    }

    /// Runs statements of the superuser's on a connection of their own.
    pub async fn execute(&self, statements: &[&str]) {
        let mut connection = self.connect().await.expect("the server answers");
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe((*statement).to_owned()))
                .execute(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// What the server said since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    async fn ask(&self, question: &str) -> Option<MySqlRow> {
        let mut connection = self.connect().await?;
        let row = sqlx::raw_sql(AssertSqlSafe(question.to_owned())).fetch_optional(&mut connection);
        tokio::time::timeout(ANSWER_MAX, row).await.ok()?.ok()?
    }

    async fn connect(&self) -> Option<MySqlConnection> {
        let url = self.url();
        let connection = MySqlConnection::connect(&url);
        tokio::time::timeout(ANSWER_MAX, connection)
            .await
            .ok()?
            .ok()
    }

    fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("started");
        child.try_wait().expect("a child of ours").is_some()
    }

    /// Runs a program as the server's user, in its directory, for no longer than this thread lives.
    fn as_mysql(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command
            .current_dir(self.directory.path())
            .args(["--pdeathsig", "KILL"]);
        if is_root() {
            command.args(["--reuid=mysql", "--regid=mysql", "--init-groups"]);
        }
        // Debian keeps the server off the PATH of people.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
        // A server that starts removes what it takes for temporary tables that were left behind: in
        // a directory that it shared, those of other servers.
        command.env("TMPDIR", self.files().join("temporary"));
        command.arg(program);
        command
    }

    fn argument(&self, option: &str, file: &str) -> String {
        format!("--{option}={}", self.files().join(file).display())
    }

    fn files(&self) -> PathBuf {
        self.directory.path().join("mysql")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("mariadb.log")
    }
}

impl OwnServer for OwnMariadb {
    fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/mysql", self.port)
    }

    async fn kill(&mut self) {
        // The server is one process.
        let mut child = self.child.take().expect("the server runs");
        child.kill().expect("a child of ours");
        child.wait().expect("a child of ours");
    }

    async fn start_again(&mut self) {
        assert!(self.try_start(&[]).await, "{}", self.log());
    }
}

impl Drop for OwnMariadb {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // What it holds goes with the directory.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
