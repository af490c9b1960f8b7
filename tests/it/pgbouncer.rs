//! Through PgBouncer in transaction mode, by the recipe of `docs/operating.md`: each transaction may
//! meet another server connection, and nothing may depend on what the last one left there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use entity::tenant_run;
use sea_orm::{ConnectionTrait, Database, DbBackend, EntityTrait, Statement, TransactionTrait};
use tempfile::TempDir;

use crate::support::{Backend, Person, World, free_port, holds_within, scratch};

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

const TENANTS: usize = 40;

/// A bouncer in front of the test's PostgreSQL, gone when dropped.
struct Bouncer {
    child: Child,
    url: String,
    directory: TempDir,
}

impl Bouncer {
    /// `server` is the URL of the database behind it.
    async fn start(server: &str) -> Self {
        let (user, rest) = server
            .strip_prefix("postgres://")
            .and_then(|rest| rest.split_once(':'))
            .expect("a user and a password");
        let (password, rest) = rest.split_once('@').expect("a password");
        let (address, database) = rest.split_once('/').expect("a database");
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
            "[databases]\n{database} = host={host} port={port}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = trust\n\
             auth_file = {}\npool_mode = transaction\ndefault_pool_size = 5\n\
             ignore_startup_parameters = extra_float_digits\n\
             server_reset_query = DEALLOCATE ALL\nserver_reset_query_always = 1\n",
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
        let url =
            format!("postgres://{user}:{password}@{listen}/{database}?statement-cache-capacity=0");
        let bouncer = Self {
            child,
            url,
            directory,
        };
        let up = holds_within(LONG, async || std::net::TcpStream::connect(listen).is_ok());
        assert!(up.await, "{}", bouncer.log());
        bouncer
    }

    fn log(&self) -> String {
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

#[tokio::test]
async fn replicas_divide_the_work_through_a_transaction_pooler() {
    let world = World::new(scratch(Backend::Postgres).await, "2024-04-02T00:00:00Z").await;
    for number in 0..TENANTS {
        let tenant = world
            .tenant(&format!("tenant-{number}"), "Europe/Brussels")
            .await;
        world
            .policy(tenant, None, Some(12), "2020-01-01T00:00:00Z")
            .await;
        for _ in 0..4 {
            let person = Person {
                added_at: "2021-01-01T00:00:00Z",
                email: Some("ann@example.org"),
                unsubscribed_at: Some("2021-02-01T00:00:00Z"),
            };
            world.person(tenant, person).await;
        }
    }
    let bouncer = Bouncer::start(world.scratch.url()).await;
    let replica = || {
        world
            .binary()
            .env("RETENTIOND__DATABASE__URL", &bouncer.url)
            .env("RETENTIOND__ENGINE__BATCH_ROWS", "2")
    };
    let replicas = [replica().serve(), replica().serve()];
    // What they hold already, it does not wait for.
    let code = replica().run(&["run"]).code;
    assert!(code == 0 || code == 5, "exit code {code}");
    let done = holds_within(LONG, async || {
        let runs = tenant_run::Entity::find()
            .all(&world.db)
            .await
            .expect("runs");
        runs.len() == TENANTS && runs.iter().all(|run| run.state == "completed")
    });
    let done = done.await;
    assert!(
        done,
        "{}{}{}",
        replicas[0].log(),
        replicas[1].log(),
        bouncer.log()
    );
    for run in tenant_run::Entity::find()
        .all(&world.db)
        .await
        .expect("runs")
    {
        assert_eq!(
            (run.purged, run.suppressions, run.attempts),
            (4, 1, 1),
            "{run:?}"
        );
    }
    for replica in &replicas {
        assert_eq!(replica.events("batch_retried"), 0, "{}", replica.log());
        assert_eq!(replica.events("tenant_run_failed"), 0, "{}", replica.log());
    }

    // The other commands, too.
    let people = replica();
    fs::write(
        people.directory().join("people.csv"),
        "Email\nann@example.org\nbob@example.org\n",
    )
    .expect("an upload");
    let import = [
        "import",
        "people.csv",
        "--tenant",
        "tenant-0",
        "--map",
        "email=Email",
    ];
    let imported = people.run(&import).expect_code(0).stdout;
    assert!(imported.contains("1 (unsubscribed)"), "{imported}");
    people
        .run_with_stdin(
            &["unsubscribe", "--tenant", "tenant-0"],
            b"bob@example.org\n",
        )
        .expect_code(0);
    people.run(&["plan"]).expect_code(0);
    people.run(&["verify"]).expect_code(0);
    people.run(&["migrate", "status"]).expect_code(0);

    // What cannot stand in a transaction goes through it, too.
    let reclaiming = replica()
        .env("RETENTIOND__DATABASE__RECLAIM", "rewrite")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "60")
        .env("RETENTIOND__ENGINE__RETRY_BACKOFF_MAX", "1s");
    let reclaimed = reclaiming.run(&["run"]).expect_code(0).stderr;
    assert!(reclaimed.contains("\"event\":\"reclaimed\""), "{reclaimed}");

    // Our settings are our transactions', and nobody else's.
    let other = Database::connect(&bouncer.url)
        .await
        .expect("a client of the bouncer");
    // Outside of a transaction even this client's prepared statement would be on another connection.
    let other = other.begin().await.expect("a transaction");
    for setting in [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    ] {
        let show = Statement::from_string(DbBackend::Postgres, format!("SHOW {setting}"));
        let row = other
            .query_one_raw(show)
            .await
            .expect("a setting")
            .expect("a row");
        let value: String = row.try_get_by_index(0).expect("a text");
        assert_eq!(value, "0", "{setting}");
    }
    for replica in replicas {
        let (status, log) = replica.terminate(LONG).await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
}
