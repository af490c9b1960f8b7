//! A scratch database for each test, gone when the test ends.

use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// The databases that the service runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Backend {
    /// The URL of the scratch server's superuser.
    ///
    /// A missing server fails the test: one that was skipped would look like one that passed.
    fn server_url(self) -> String {
        let name = match self {
            Self::Postgres => "RETENTIOND_TEST_POSTGRES_URL",
            Self::MariaDb => "RETENTIOND_TEST_MARIADB_URL",
            Self::Sqlite => unreachable!("SQLite has no server"),
        };
        env::var(name).unwrap_or_else(|_| {
            panic!(
                "{name} is not set, so there is no {self:?} to test on: run tests/run, or export \
                 what `tests/run --servers-only` prints"
            )
        })
    }
}

/// An empty database that belongs to one test.
pub struct Scratch {
    backend: Backend,
    /// The superuser of the server that outlives it.
    server: Option<String>,
    url: String,
    name: String,
    /// Holds the SQLite file.
    _directory: Option<TempDir>,
}

/// Makes an empty database.
pub async fn scratch(backend: Backend) -> Scratch {
    let name = unused_name();
    if backend == Backend::Sqlite {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join(format!("{name}.db"));
        return Scratch {
            backend,
            server: None,
            url: format!("sqlite://{}?mode=rwc", file.display()),
            name,
            _directory: Some(directory),
        };
    }
    make(backend, backend.server_url()).await
}

/// Makes an empty database on a server that is the test's own, and goes with it: the server may be
/// dead when the test ends.
pub async fn scratch_on(backend: Backend, server: String) -> Scratch {
    let mut scratch = make(backend, server).await;
    scratch.server = None;
    scratch
}

async fn make(backend: Backend, server: String) -> Scratch {
    let name = unused_name();
    let create = match backend {
        // template1 cannot be copied while anybody is connected to it.
        Backend::Postgres => format!("CREATE DATABASE {name} TEMPLATE template0"),
        _ => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"),
    };
    administrate(&server, &[create])
        .await
        .expect("the scratch server makes a database");
    Scratch {
        backend,
        url: with_database(&server, &name),
        server: Some(server),
        name,
        _directory: None,
    }
}

impl Scratch {
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The database's name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the service's configuration, or for a connection of the test's own.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small pool of the test's own, beside whatever the service opens.
    pub async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let drop_database = match self.backend {
            Backend::Sqlite => return,
            // Whatever the test left connected goes with it.
            Backend::Postgres => vec![format!("DROP DATABASE {} WITH (FORCE)", self.name)],
            // Without it, a transaction that a test left open would hold us up for a day.
            Backend::MariaDb => vec![
                "SET SESSION lock_wait_timeout = 30".to_owned(),
                format!("DROP DATABASE {}", self.name),
            ],
        };
        let Some(server) = self.server.take() else {
            return;
        };
        // A thread with a runtime of its own: dropping happens inside the test's runtime, which
        // cannot be blocked on, and also while a failed test unwinds.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(administrate(&server, &drop_database))
        })
        .join();
        // A second panic while a failed test unwinds would hide the first.
        assert!(
            std::thread::panicking() || matches!(dropped, Ok(Ok(()))),
            "the scratch database {} could not be dropped: is a transaction on it still open?",
            self.name
        );
    }
}

fn unused_name() -> String {
    format!("retentiond_{}", Uuid::new_v4().simple())
}

/// The server's URL with another database in it.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = match server.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server, String::new()),
    };
    let (host, _) = address
        .rsplit_once('/')
        .expect("a server's URL ends in a database");
    format!("{host}/{name}{query}")
}

/// A small pool on a database that is there.
pub async fn connect(url: &str) -> DatabaseConnection {
    make_private(url);
    let mut options = ConnectOptions::new(url);
    // Few, because as many tests as the machine has cores share 200 connections.
    options.max_connections(4).sqlx_logging(false);
    let connected = Database::connect(options).await;
    connected.expect("the database is there")
}

/// A new SQLite file as the service makes it, before SQLite makes it readable for all.
fn make_private(url: &str) {
    let Some((file, _)) = url
        .strip_prefix("sqlite://")
        .and_then(|rest| rest.split_once("?mode=rwc"))
    else {
        return;
    };
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    assert!(
        !made.is_err_and(|error| error.kind() != ErrorKind::AlreadyExists),
        "a file that nobody else may read"
    );
}

/// Statements on one connection that is closed afterwards.
async fn administrate(url: &str, statements: &[String]) -> Result<(), sea_orm::DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    for statement in statements {
        connection.execute_unprepared(statement).await?;
    }
    connection.close().await
}
