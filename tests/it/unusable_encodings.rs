//! D10: databases that hold no UTF-8, and files of SQLite that cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use sea_orm::{ConnectionTrait, Database};

use crate::support::{Backend, Binary, Finished, NOBODY, scratch};

#[tokio::test]
async fn d10_a_postgres_database_that_is_not_utf8_is_refused() {
    let database = scratch(Backend::Postgres).await;
    let admin = database.connect().await;
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("scratch_{}_{}", encoding.to_lowercase(), std::process::id());
        admin
            .execute_unprepared(&format!(
                "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            ))
            .await
            .expect("a database");
        let (server, _) = database.url().rsplit_once('/').expect("a name");
        let url = format!("{server}/{name}");
        let binary = Binary::new();
        binary.run(&["keys", "generate"]).expect_code(0);
        let binary = binary.env("RETENTIOND__DATABASE__URL", &url);
        for arguments in [
            &["migrate", "up"][..],
            &["migrate", "status"],
            &["tenant", "list"],
            &["run"],
        ] {
            let refused = binary.run(arguments).expect_code(2);
            for part in [encoding, "UTF-8"] {
                assert!(refused.stderr.contains(part), "{arguments:?}: {refused:?}");
            }
        }
        let there = Database::connect(&url).await.expect("a connection");
        let tables = there
            .query_all_raw(sea_orm::Statement::from_string(
                sea_orm::DbBackend::Postgres,
                "SELECT 1 FROM information_schema.tables WHERE table_schema = 'public'",
            ))
            .await
            .expect("a count");
        assert!(tables.is_empty(), "nothing was made");
        there.close().await.expect("closed");
        admin
            .execute_unprepared(&format!("DROP DATABASE {name}"))
            .await
            .expect("it goes");
    }
}

#[tokio::test]
async fn d10_a_sqlite_file_in_utf16_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("platform.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let made = Database::connect(&url).await.expect("a file");
    made.execute_unprepared("PRAGMA encoding = 'UTF-16'")
        .await
        .expect("an encoding");
    made.execute_unprepared("CREATE TABLE anything (n INTEGER)")
        .await
        .expect("a table");
    made.close().await.expect("closed");
    let refused = Binary::new()
        .env("RETENTIOND__DATABASE__URL", &url)
        .run(&["migrate", "up"])
        .expect_code(2);
    assert!(
        refused.stderr.contains("UTF-16") && refused.stderr.contains("UTF-8"),
        "{refused:?}"
    );
}

/// A database of `NOBODY`'s in a directory of its own, made by `retentiond` as that user.
struct Theirs {
    directory: tempfile::TempDir,
    binary: Binary,
}

impl Theirs {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let binary = Binary::new();
        for path in [directory.path(), binary.directory()] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
            give(path);
        }
        let url = format!(
            "sqlite://{}?mode=rwc",
            directory.path().join("platform.db").display()
        );
        let binary = binary.env("RETENTIOND__DATABASE__URL", &url);
        let theirs = Self { directory, binary };
        let made = theirs.run(&["migrate", "up"]);
        assert_eq!(made.code, 0, "{made:?}");
        theirs
    }

    fn file(&self, suffix: &str) -> std::path::PathBuf {
        self.directory.path().join(format!("platform.db{suffix}"))
    }

    /// Runs it as that user, if the test is root.
    fn run(&self, arguments: &[&str]) -> Finished {
        let me = fs::metadata("/proc/self").expect("a process").uid();
        let mut command = if me == 0 {
            let program = env!("CARGO_BIN_EXE_retentiond");
            let mut command = self.binary.command_of(
                Path::new("/usr/bin/setpriv"),
                &[
                    &format!("--reuid={NOBODY}"),
                    &format!("--regid={NOBODY}"),
                    "--clear-groups",
                    program,
                ],
            );
            command.args(arguments);
            command
        } else {
            self.binary.command(arguments)
        };
        finished(&mut command)
    }
}

fn finished(command: &mut Command) -> Finished {
    let output = command.output().expect("it starts");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn give(path: &Path) {
    let me = fs::metadata("/proc/self").expect("a process").uid();
    if me == 0 {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("another owner");
    }
}

const ADD: [&str; 5] = ["tenant", "add", "acme", "--time-zone", "UTC"];

/// The database, the files beside it that it leaves behind, and the folder.
#[test]
fn d10_a_file_without_rights_is_named() {
    let theirs = Theirs::new();
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    let refused = |path: &Path| {
        let refused = theirs.run(&ADD);
        assert_eq!(refused.code, 1, "{refused:?}");
        for part in [path.display().to_string().as_str(), "mode 0400", "chmod"] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
        assert!(!refused.stderr.contains("cannot be reached"), "{refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    };
    set_mode(&theirs.file(""), 0o400);
    refused(&theirs.file(""));
    // It made files beside it, with its mode, and they stay when that is put right.
    set_mode(&theirs.file(""), 0o600);
    let left = theirs.file("-shm");
    let mode = fs::metadata(&left)
        .expect("what SQLite leaves behind")
        .mode();
    assert_eq!(mode & 0o777, 0o400);
    refused(&left);
    set_mode(&left, 0o600);
    let added = theirs.run(&ADD);
    assert_eq!(added.code, 0, "{added:?}");
    fs::set_permissions(theirs.directory.path(), Permissions::from_mode(0o555)).expect("a mode");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(theirs.file(suffix));
    }
    let refused = theirs.run(&ADD);
    assert!(
        refused.code == 1 && refused.stderr.contains("may not make files in"),
        "{refused:?}"
    );
    fs::set_permissions(theirs.directory.path(), Permissions::from_mode(0o755)).expect("a mode");
    let more = theirs.run(&["tenant", "add", "more", "--time-zone", "UTC"]);
    assert_eq!(more.code, 0, "{more:?}");
}

/// `pwrite64` to the file of shared memory fails as it does on a disk without room.
#[test]
fn d10_a_full_disk_at_the_start_is_called_that() {
    let theirs = Theirs::new();
    let program = env!("CARGO_BIN_EXE_retentiond");
    let shm = theirs.file("-shm").display().to_string();
    let mut strace = vec!["-f", "-qq", "-o", "/dev/null", "-P", &shm];
    if fs::metadata("/proc/self").expect("a process").uid() == 0 {
        // Its own user may not look into the process.
        strace.extend(["-u", "nobody"]);
    }
    strace.extend(["-e", "inject=pwrite64:error=ENOSPC", program]);
    let mut command = theirs.binary.command_of(Path::new("strace"), &strace);
    command.env("PATH", std::env::var("PATH").expect("a search path"));
    command.args(ADD);
    let refused = finished(&mut command);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("no room left") && refused.stderr.contains("platform.db"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("cannot be reached"), "{refused:?}");
    assert_eq!(theirs.run(&ADD).code, 0);
}
