//! The databases, each with the durability that it has by default, on loopback, gone when dropped.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use retentiond::store::Dialect;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};

/// A server that has not started or stopped by then hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What PostgreSQL runs with, apart from its defaults: a cache and a log as on a server of its own.
const POSTGRES_SETTINGS: [&str; 4] = [
    "shared_buffers=2GB",
    "max_wal_size=4GB",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
];

/// The same for MariaDB, whose defaults flush the log at every commit.
const MARIADB_SETTINGS: [&str; 5] = [
    "--innodb-buffer-pool-size=2G",
    "--innodb-log-file-size=2G",
    "--bind-address=127.0.0.1",
    "--skip-networking=0",
    "--skip-name-resolve",
];

/// A database on files of its own.
pub struct Server {
    dialect: Dialect,
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
    pub version: String,
}

impl Server {
    /// An empty database in a folder of `home`, up and running.
    pub async fn make(dialect: Dialect, home: &Path) -> Result<Self> {
        // The server is another user when we are root.
        fs::set_permissions(home, Permissions::from_mode(0o711))?;
        let mut server = Self {
            dialect,
            directory: home.join("template"),
            port: 0,
            child: None,
            version: String::new(),
        };
        fs::create_dir(&server.directory)?;
        fs::set_permissions(&server.directory, Permissions::from_mode(0o700))?;
        if let (Some(user), true) = (server.user(), is_root()) {
            succeed(
                Command::new("chown")
                    .arg(format!("{user}:"))
                    .arg(&server.directory),
            )?;
        }
        match dialect {
            Dialect::Postgres => succeed(server.as_user(&postgres_program("initdb")?).args([
                "--username=bench",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--pgdata=.",
            ]))?,
            Dialect::MariaDb => succeed(
                server
                    .as_user(Path::new("mariadb-install-db"))
                    .args([
                        "--no-defaults",
                        "--skip-test-db",
                        "--auth-root-authentication-method=normal",
                    ])
                    .arg(format!("--datadir={}", server.directory.display())),
            )?,
            Dialect::Sqlite => {}
        }
        server.start().await?;
        server.make_database().await?;
        Ok(server)
    }

    /// A copy of this one, which has been stopped, up and running on the same data.
    pub async fn restored(&self) -> Result<Self> {
        let directory = self.directory.with_file_name("copy");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        succeed(
            Command::new("cp")
                .args(["-a", "--reflink=auto"])
                .arg(&self.directory)
                .arg(&directory),
        )?;
        // What the copy left to be written must not be written while we measure.
        succeed(&mut Command::new("sync"))?;
        let mut server = Self {
            dialect: self.dialect,
            directory,
            port: 0,
            child: None,
            version: self.version.clone(),
        };
        server.start().await?;
        Ok(server)
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where `retentiond` finds it.
    pub fn url(&self) -> String {
        self.url_of("bench")
    }

    fn url_of(&self, database: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("postgres://bench@127.0.0.1:{}/{database}", self.port),
            Dialect::MariaDb => format!("mysql://root@127.0.0.1:{}/{database}", self.port),
            Dialect::Sqlite => {
                format!(
                    "sqlite://{}?mode=rwc",
                    self.directory.join("bench.db").display()
                )
            }
        }
    }

    /// One connection.
    pub async fn connect(&self) -> Result<DatabaseConnection> {
        self.pool(1).await
    }

    /// Some connections, each as careful as those of `retentiond`.
    pub async fn pool(&self, connections: u32) -> Result<DatabaseConnection> {
        open(&self.url(), connections).await
    }

    /// Bytes of log that the server has written so far; SQLite does not say.
    pub async fn log_bytes(&self, connection: &DatabaseConnection) -> Result<Option<u64>> {
        let sql = match self.dialect {
            Dialect::Postgres => "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS n",
            Dialect::MariaDb => {
                "SELECT CAST(variable_value AS SIGNED) AS n FROM information_schema.global_status \
                 WHERE variable_name = 'Innodb_os_log_written'"
            }
            Dialect::Sqlite => return Ok(None),
        };
        Ok(Some(u64::try_from(number(connection, sql).await?)?))
    }

    /// Stops it as an administrator would.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        // INT is PostgreSQL's fast shutdown; MariaDB's is TERM.
        let signal = if self.dialect == Dialect::Postgres {
            "INT"
        } else {
            "TERM"
        };
        succeed(
            Command::new("kill")
                .arg(format!("-{signal}"))
                .arg(child.id().to_string()),
        )?;
        let started = Instant::now();
        while child.try_wait()?.is_none() {
            ensure!(started.elapsed() < PATIENCE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<()> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        // The system's choice; nobody else asks for one while we measure.
        self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let log_file = self.directory.with_extension("log");
        let log = File::create(&log_file)?;
        let mut command = match self.dialect {
            Dialect::Postgres => {
                let mut command = self.as_user(&postgres_program("postgres")?);
                command.args(["-D", ".", "-p", &self.port.to_string()]);
                command.args(POSTGRES_SETTINGS.iter().flat_map(|setting| ["-c", setting]));
                command
            }
            _ => {
                let mut command = self.as_user(Path::new("mariadbd"));
                let files = self.directory.display();
                command
                    .arg("--no-defaults")
                    .arg(format!("--datadir={files}"))
                    .arg(format!("--socket={files}/socket"))
                    .arg(format!("--pid-file={files}/pid"))
                    .arg(format!("--port={}", self.port))
                    .args(MARIADB_SETTINGS);
                command
            }
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        let database = if self.dialect == Dialect::Postgres {
            "postgres"
        } else {
            "mysql"
        };
        let started = Instant::now();
        loop {
            if open(&self.url_of(database), 1).await.is_ok() {
                return Ok(());
            }
            let ended = self
                .child
                .as_mut()
                .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || started.elapsed() > PATIENCE {
                bail!(
                    "the server did not start: {}",
                    fs::read_to_string(&log_file)?
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn make_database(&mut self) -> Result<()> {
        let (database, version) = match self.dialect {
            Dialect::Postgres => ("postgres", "SHOW server_version"),
            Dialect::MariaDb => ("mysql", "SELECT VERSION()"),
            Dialect::Sqlite => ("", "SELECT sqlite_version()"),
        };
        let connection = open(&self.url_of(database), 1).await?;
        if self.dialect != Dialect::Sqlite {
            connection
                .execute_unprepared("CREATE DATABASE bench")
                .await?;
        }
        let statement = Statement::from_string(connection.get_database_backend(), version);
        let row = connection
            .query_one_raw(statement)
            .await?
            .context("a version")?;
        self.version = row.try_get_by_index(0)?;
        Ok(connection.close().await?)
    }

    fn user(&self) -> Option<&'static str> {
        match self.dialect {
            Dialect::Postgres => Some("postgres"),
            Dialect::MariaDb => Some("mysql"),
            Dialect::Sqlite => None,
        }
    }

    /// A program of the server's, as its user: none of them runs as root.
    fn as_user(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command
            .current_dir(&self.directory)
            .args(["--pdeathsig", "KILL"]);
        if let (Some(user), true) = (self.user(), is_root()) {
            command.args([
                &format!("--reuid={user}"),
                &format!("--regid={user}"),
                "--init-groups",
            ]);
        }
        // Debian keeps servers off the PATH of people.
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"))
            // Ours may be one that the server's user may not write to.
            .env("TMPDIR", &self.directory)
            .arg(program);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // What it holds goes with the directory.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn open(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .sqlx_logging(false)
        .acquire_timeout(PATIENCE);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .busy_timeout(PATIENCE)
            .journal_mode(sea_orm::sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Full)
            .pragma("secure_delete", "ON")
    });
    Ok(Database::connect(options).await?)
}

/// The number `n` in a query's one row.
pub async fn number(connection: &DatabaseConnection, sql: &str) -> Result<i64> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection
        .query_one_raw(statement)
        .await?
        .context("no row")?;
    Ok(row.try_get("", "n")?)
}

/// Runs a command to its end; what it says is shown if it fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The newest version's; Debian keeps them in a folder each.
fn postgres_program(name: &str) -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for version in fs::read_dir("/usr/lib/postgresql").into_iter().flatten() {
        let path = version?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        if let Some(number) = number {
            found.push((number, path.join("bin").join(name)));
        }
    }
    found.sort();
    Ok(found
        .pop()
        .map_or_else(|| PathBuf::from(name), |(_, path)| path))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
