//! PgBouncer in transaction mode, by the recipe of `docs/operating.md`.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{free_port, holds_within};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

/// A bouncer in front of the test's PostgreSQL, gone when dropped.
pub struct Bouncer {
    child: Child,
    listen: SocketAddr,
    directory: TempDir,
}

impl Bouncer {
    /// `server` is the URL of a database behind it; it leads to all the others of that server, too.
    pub async fn start(server: &str) -> Self {
        Self::start_with(
            server,
            "server_reset_query = DEALLOCATE ALL\nserver_reset_query_always = 1\n",
        )
        .await
    }

    /// With these settings instead of those of the recipe that are about prepared statements.
    pub async fn start_with(server: &str, prepared: &str) -> Self {
        let (user, rest) = server
            .strip_prefix("postgres://")
            .and_then(|rest| rest.split_once(':'))
            .expect("a user and a password");
        let (password, rest) = rest.split_once('@').expect("a password");
        let (address, _) = rest.split_once('/').expect("a database");
        let (host, port) = address.split_once(':').expect("a port");
        let listen = free_port();
        let directory = tempfile::tempdir().expect("a temporary directory");
        // It is another user when the test is root, for it refuses to be that.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("a mode");
        let users = directory.path().join("users.txt");
        fs::write(&users, format!("\"{user}\" \"{password}\"\n")).expect("a file of users");
        let settings = directory.path().join("pgbouncer.ini");
        // Few server connections, so that the transactions of one client wander over them.
        let text = format!(
            "[databases]\n* = host={host} port={port}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = trust\n\
             auth_file = {}\npool_mode = transaction\ndefault_pool_size = 5\n\
             ignore_startup_parameters = extra_float_digits\n{prepared}",
            listen.port(),
            users.display()
        );
        fs::write(&settings, text).expect("settings");
        let child = command()
            .args(["-q"])
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.path().join("log")).expect("a log"))
            .spawn()
            .expect("setpriv (package util-linux) starts pgbouncer (package pgbouncer)");
        let bouncer = Self {
            child,
            listen,
            directory,
        };
        let up = holds_within(LONG, async || std::net::TcpStream::connect(listen).is_ok());
        assert!(up.await, "{}", bouncer.log());
        bouncer
    }

    /// The URL of a database of the server, by way of this bouncer.
    pub fn url(&self, database: &str) -> String {
        format!("{}?statement-cache-capacity=0", self.plain_url(database))
    }

    /// The same, with nothing of the recipe in it.
    pub fn plain_url(&self, database: &str) -> String {
        let (user, rest) = database.rsplit_once('@').expect("a user");
        let (_, name) = rest.split_once('/').expect("a database");
        format!("{user}@{}/{name}", self.listen)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bouncer as an ordinary user; Debian keeps it off the PATH of ordinary users.
fn command() -> Command {
    let program = Path::new("/usr/sbin/pgbouncer");
    assert!(
        program.exists(),
        "{} is missing; tests/run installs it",
        program.display()
    );
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(program);
    command
}
