//! What others can write is not believed, and whoever changes a database says which: a configuration in the
//! working directory, the files that it names, a SQLite database.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::own_server::is_root;
use crate::support::{Backend, Binary, Finished, Scratch, scratch};

const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).expect("another owner");
}

/// Written by whoever runs the test, for nobody else.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    set_mode(path, 0o600);
}

/// Runs it as nobody.
fn as_nobody(binary: &Binary, arguments: &[&str]) -> Finished {
    let id = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    let mut command = binary.command_of(
        Path::new("/usr/bin/setpriv"),
        &[
            &id[0],
            &id[1],
            "--clear-groups",
            env!("CARGO_BIN_EXE_retentiond"),
        ],
    );
    let output = command.args(arguments).output().expect("it starts");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Commands of every kind, and what they read on standard input.
const COMMANDS: &[(&[&str], &[u8])] = &[
    (&["config", "check"], b""),
    (&["config", "show"], b""),
    (&["migrate", "up"], b""),
    (&["migrate", "status"], b""),
    (&["tenant", "add", "acme", "--time-zone", "UTC"], b""),
    (&["tenant", "list"], b""),
    (&["import", "people.csv", "--tenant", "acme"], b""),
    (&["unsubscribe", "--tenant", "acme"], b"ann@example.org"),
    (&["keys", "generate"], b""),
    (&["plan"], b""),
    (&["run"], b""),
    (&["serve"], b""),
];

/// Each command refuses, in one line with this in it.
fn all_refuse(binary: &Binary, parts: &[&str]) {
    for (arguments, stdin) in COMMANDS {
        let refused = binary.run_with_stdin(arguments, stdin);
        assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
        assert_eq!(
            refused.stderr.lines().count(),
            1,
            "{arguments:?}: {refused:?}"
        );
        for part in parts {
            assert!(
                refused.stderr.contains(part),
                "{arguments:?} {part}: {refused:?}"
            );
        }
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
}

/// A folder with a configuration that names a SQLite file beside it.
struct Trap {
    binary: Binary,
    configuration: PathBuf,
    people: PathBuf,
}

impl Trap {
    fn new() -> Self {
        let binary = Binary::new();
        let folder = binary.directory();
        set_mode(folder, 0o755);
        let people = folder.join("theirs.db");
        let configuration = folder.join("retentiond.toml");
        let text = format!(
            "[database]\nurl = 'sqlite://{}?mode=rwc'\n",
            people.display()
        );
        write(&configuration, &text);
        write(&folder.join("people.csv"), "email\nann@example.org\n");
        Self {
            configuration,
            people,
            binary,
        }
    }
}

#[test]
fn a_configuration_that_others_can_write_is_taken_by_no_command() {
    let trap = Trap::new();
    let folder = trap.binary.directory().to_path_buf();
    set_mode(&trap.configuration, 0o666);
    all_refuse(
        &trap.binary,
        &["retentiond.toml is not used", "mode 0666", "chmod go-w"],
    );
    set_mode(&trap.configuration, 0o644);
    for mode in [0o777, 0o775] {
        set_mode(&folder, mode);
        all_refuse(
            &trap.binary,
            &["retentiond.toml is not used", &format!("mode {mode:04o}")],
        );
    }
    set_mode(&folder, 0o755);
    if is_root() {
        give(&trap.configuration, NOBODY);
        set_mode(&trap.configuration, 0o600);
        all_refuse(
            &trap.binary,
            &["retentiond.toml is not used", "belongs to user 65534"],
        );
        set_mode(&trap.configuration, 0o666);
        all_refuse(&trap.binary, &["belongs to user 65534"]);
        // Named, it is no better.
        let named = Binary::new().env(
            "RETENTIOND_CONFIG",
            trap.configuration.to_str().expect("UTF-8"),
        );
        named.run(&["config", "check"]).expect_code(2);
        let path = trap.configuration.to_str().expect("UTF-8");
        Binary::new()
            .run(&["--config", path, "config", "check"])
            .expect_code(2);
        // By a good link neither.
        let elsewhere = Binary::new();
        symlink(path, elsewhere.directory().join("retentiond.toml")).expect("a link");
        all_refuse(&elsewhere, &["belongs to user 65534"]);

        give(&trap.configuration, 0);
        set_mode(&trap.configuration, 0o644);
        give(&folder, NOBODY);
        all_refuse(&trap.binary, &["on the way to it belongs to user 65534"]);
        give(&folder, 0);
        // A link of theirs to a file of root's.
        let shared = Binary::new();
        set_mode(shared.directory(), 0o1777);
        let link = shared.directory().join("retentiond.toml");
        symlink(path, &link).expect("a link");
        shared.run(&["config", "check"]).expect_code(0);
        lchown(&link, Some(NOBODY), Some(NOBODY)).expect("another owner");
        all_refuse(&shared, &["on the way to it belongs to user 65534"]);
    }
    assert!(!trap.people.exists(), "no command has made the database");
    // The configuration was good but for that.
    trap.binary.run(&["migrate", "up"]).expect_code(0);
    assert!(trap.people.exists());
}

#[test]
fn whoever_is_not_root_believes_root_and_no_other() {
    if !is_root() {
        return;
    }
    let trap = Trap::new();
    set_mode(&trap.configuration, 0o644);
    let checked = as_nobody(&trap.binary, &["config", "check"]);
    assert_eq!(checked.code, 0, "root's: {checked:?}");
    give(&trap.configuration, NOBODY);
    let checked = as_nobody(&trap.binary, &["config", "check"]);
    assert_eq!(checked.code, 0, "its own: {checked:?}");
    give(&trap.configuration, 1);
    let checked = as_nobody(&trap.binary, &["config", "check"]);
    assert_eq!(checked.code, 2, "somebody else's: {checked:?}");
    assert!(checked.stderr.contains("belongs to user 1,"), "{checked:?}");
    assert!(checked.stderr.contains("of user 65534"), "{checked:?}");
}

/// Whoever is led into a folder, whose way is then closed.
#[test]
fn what_cannot_be_judged_is_not_believed() {
    if !is_root() {
        return;
    }
    let trap = Trap::new();
    let folder = trap.binary.directory().to_path_buf();
    let closed = folder.join("closed");
    let inner = closed.join("inner");
    fs::create_dir_all(&inner).expect("folders");
    give(&inner, NOBODY);
    let script = format!(
        "cd {0} && /bin/chmod 0700 {1} && exec /usr/bin/setpriv --reuid={NOBODY} --regid={NOBODY} \
         --clear-groups {2} \"$@\"",
        inner.display(),
        closed.display(),
        env!("CARGO_BIN_EXE_retentiond")
    );
    let inside = |arguments: &[&str]| {
        let mut all = vec!["-c", script.as_str(), "sh"];
        all.extend(arguments);
        let binary = Binary::new().env("RETENTIOND__DATABASE__URL", "sqlite://people.db?mode=rwc");
        let output = binary.command_of(Path::new("/bin/sh"), &all).output();
        String::from_utf8_lossy(&output.expect("it starts").stderr).into_owned()
    };
    // A new database, an old one, a configuration.
    let part = "a folder on the path to it cannot be read (permission denied)";
    let said = inside(&["migrate", "up"]);
    assert!(said.contains(part), "{said}");
    assert!(!inner.join("people.db").exists());
    fs::write(inner.join("people.db"), "").expect("a file");
    give(&inner.join("people.db"), NOBODY);
    let said = inside(&["migrate", "up"]);
    assert!(said.contains(part), "{said}");
    fs::write(inner.join("retentiond.toml"), "[log]\n").expect("a file");
    let said = inside(&["config", "check"]);
    assert!(
        said.contains("retentiond.toml") && said.contains(part),
        "{said}"
    );
}

/// A user namespace calls everybody whom it does not know nobody, its own process among them.
#[test]
fn in_a_user_namespace_a_file_of_whoever_it_does_not_know_is_refused() {
    let trap = Trap::new();
    set_mode(&trap.configuration, 0o644);
    let inside = |arguments: &[&str]| {
        let mut all = vec!["--user"];
        all.extend(arguments);
        all.extend([env!("CARGO_BIN_EXE_retentiond"), "config", "check"]);
        let output = trap
            .binary
            .command_of(Path::new("/usr/bin/unshare"), &all)
            .output();
        let output = output.expect("it starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = inside(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("belongs to user 65534"), "{said}");
    if is_root() {
        // Root inside is root outside.
        let (code, said) = inside(&["--map-root-user"]);
        assert_eq!(code, Some(0), "{said}");
        give(&trap.configuration, 1);
        let (code, said) = inside(&["--map-root-user"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("belongs to user 65534"), "{said}");
    }
}

/// As [`as_nobody`], in a mount namespace in which `folder` is mounted read-only.
fn read_only(binary: &Binary, folder: &Path, arguments: &[&str]) -> Finished {
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && \
                  exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let program = env!("CARGO_BIN_EXE_retentiond");
    let folder = folder.to_str().expect("UTF-8");
    let start = ["--mount", "sh", "-c", script, folder, program];
    let mut command = binary.command_of(Path::new("unshare"), &[&start[..], arguments].concat());
    let output = command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("unshare (package util-linux)");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// As a pod of Kubernetes has them: a ConfigMap and a secret, both behind links that are exchanged as a whole, the
/// secret for the group of the process.
#[test]
fn the_mounts_of_kubernetes_and_the_credentials_of_systemd_work() {
    if !is_root() {
        return;
    }
    let pod = Binary::new();
    set_mode(pod.directory(), 0o755);
    let mount = |name: &str, file: &str, text: &str, mode: u32| {
        let folder = pod.directory().join(name);
        let data = folder.join("..2026_11_28");
        fs::create_dir_all(&data).expect("a folder");
        set_mode(&folder, 0o3777);
        set_mode(&data, 0o2755);
        let whole = data.join(file);
        write(&whole, text);
        set_mode(&whole, mode);
        chown(&whole, Some(0), Some(NOBODY)).expect("a group");
        symlink("..2026_11_28", folder.join("..data")).expect("a link");
        symlink(format!("..data/{file}"), folder.join(file)).expect("a link");
        folder.join(file)
    };
    let url = mount(
        "secret",
        "database_url",
        "postgres://ann:pw@127.0.0.1/x",
        0o440,
    );
    let text = format!("[database]\nurl_file = '{}'\n", url.display());
    let configuration = mount("config", "retentiond.toml", &text, 0o644);
    let path = configuration.to_str().expect("UTF-8");
    let checked = as_nobody(&pod, &["--config", path, "config", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.stderr.contains("postgres 127.0.0.1:5432/x"),
        "{checked:?}"
    );
    // A ConfigMap has no sticky bit; it is mounted read-only, which nobody in the pod can change.
    let folder = pod.directory().join("config");
    for mode in [0o777, 0o2777] {
        set_mode(&folder, mode);
        let refused = as_nobody(&pod, &["--config", path, "config", "check"]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let checked = read_only(&pod, &folder, &["--config", path, "config", "check"]);
        assert_eq!(checked.code, 0, "{checked:?}");
    }
    set_mode(&folder, 0o3777);
    // Without defaultMode everybody can read it.
    set_mode(&url, 0o644);
    let refused = as_nobody(&pod, &["--config", path, "config", "check"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("defaultMode: 0440"), "{refused:?}");

    let unit = Binary::new();
    set_mode(unit.directory(), 0o755);
    let credentials = unit.directory().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    write(
        &credentials.join("database_url"),
        "postgres://ann:pw@127.0.0.1/x",
    );
    for (owner, folder, file) in [(NOBODY, 0o500, 0o400), (0, 0o555, 0o440)] {
        set_mode(&credentials.join("database_url"), file);
        set_mode(&credentials, folder);
        chown(&credentials, Some(owner), Some(NOBODY)).expect("an owner");
        let credential = credentials.join("database_url");
        chown(credential, Some(owner), Some(NOBODY)).expect("an owner");
        let unit = unit.beside().env(
            "CREDENTIALS_DIRECTORY",
            credentials.to_str().expect("UTF-8"),
        );
        let checked = as_nobody(&unit, &["config", "check"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert!(
            checked.stderr.contains("postgres 127.0.0.1:5432/x"),
            "{checked:?}"
        );
    }
}

#[test]
fn secrets_and_keys_of_somebody_elses_are_not_used() {
    let binary = Binary::new();
    let folder = binary.directory().to_path_buf();
    let (url, keyring) = (folder.join("url"), folder.join("retentiond.keyring"));
    write(
        &url,
        &format!("sqlite://{}/people.db?mode=rwc", folder.display()),
    );
    let binary = binary.env(
        "RETENTIOND__DATABASE__URL_FILE",
        url.to_str().expect("UTF-8"),
    );
    binary.run(&["keys", "generate"]).expect_code(0);
    binary.run(&["migrate", "up"]).expect_code(0);
    let refused = |file: &Path, part: &str| {
        for arguments in [
            &["run"][..],
            &["serve"],
            &["config", "check"],
            &["keys", "rotate"],
        ] {
            let refused = binary.run(arguments).expect_code(2);
            assert!(refused.stderr.contains(part), "{arguments:?}: {refused:?}");
            let name = file.file_name().expect("a name").to_string_lossy();
            assert!(
                refused.stderr.contains(&*name),
                "{arguments:?}: {refused:?}"
            );
        }
    };
    let contents = fs::read(&keyring).expect("a keyring");
    for file in [&url, &keyring] {
        for mode in [0o666, 0o604, 0o620] {
            set_mode(file, mode);
            refused(file, &format!("mode {mode:04o}"));
        }
        set_mode(file, 0o600);
        if is_root() {
            give(file, NOBODY);
            refused(file, "belongs to user 65534");
            give(file, 0);
        }
    }
    assert_eq!(
        fs::read(&keyring).expect("a keyring"),
        contents,
        "not rotated"
    );
    set_mode(&folder, 0o777);
    refused(&url, "mode 0777");
    set_mode(&folder, 0o755);
    binary.run(&["run"]).expect_code(0);

    // Nor is a new keyring made where others can put another one in its place.
    let open = Binary::new();
    set_mode(open.directory(), 0o777);
    let refused = open.run(&["keys", "generate"]).expect_code(2);
    assert!(refused.stderr.contains("mode 0777"), "{refused:?}");
    assert_eq!(fs::read_dir(open.directory()).expect("a folder").count(), 0);
}

#[test]
fn a_sqlite_database_that_others_can_write_is_not_opened() {
    let binary = Binary::new();
    let folder = binary.directory().to_path_buf();
    let people = folder.join("people.db");
    let url = format!("sqlite://{}?mode=rwc", people.display());
    let binary = binary.env("RETENTIOND__DATABASE__URL", &url);
    binary.run(&["keys", "generate"]).expect_code(0);
    let refused = |part: &str| {
        for arguments in [
            &["migrate", "up"][..],
            &["tenant", "list"],
            &["tenant", "add", "acme", "--time-zone", "UTC"],
            &["run"],
            &["serve"],
            &["config", "check"],
        ] {
            let refused = binary.run(arguments).expect_code(2);
            // The daemon has begun its log by then.
            let is_daemon = arguments == ["serve"];
            assert!(
                is_daemon || refused.stderr.lines().count() == 1,
                "{refused:?}"
            );
            assert!(
                refused.stderr.contains(part),
                "{arguments:?} {part}: {refused:?}"
            );
        }
    };
    // Nor made.
    set_mode(&folder, 0o777);
    refused("mode 0777");
    assert!(!people.exists());
    set_mode(&folder, 0o1777);
    binary.run(&["migrate", "up"]).expect_code(0);
    set_mode(&folder, 0o755);
    for mode in [0o666, 0o660, 0o606] {
        set_mode(&people, mode);
        refused(&format!("mode {mode:04o}"));
    }
    set_mode(&people, 0o600);
    if is_root() {
        give(&people, NOBODY);
        refused("people.db is not used: it belongs to user 65534");
        give(&people, 0);
        for suffix in ["-wal", "-shm", "-journal"] {
            let beside = folder.join(format!("people.db{suffix}"));
            write(&beside, "");
            give(&beside, NOBODY);
            refused(&format!(
                "people.db{suffix} is not used: it belongs to user 65534"
            ));
            fs::remove_file(beside).expect("removed");
        }
        give(&folder, NOBODY);
        refused("belongs to user 65534");
        give(&folder, 0);
    }
    binary
        .run(&["tenant", "add", "acme", "--time-zone", "UTC"])
        .expect_code(0);
    let listed = binary.run(&["tenant", "list"]).expect_code(0);
    assert!(listed.stdout.contains("acme"));

    // Readable for all, it is used, and said aloud.
    set_mode(&people, 0o644);
    let warning = "has mode 0644, so that everybody may read the people in it";
    for arguments in [
        &["config", "check"][..],
        &["tenant", "add", "other", "--time-zone", "UTC"],
        &["run"],
    ] {
        let warned = binary.run(arguments).expect_code(0);
        assert!(warned.stderr.contains(warning), "{arguments:?}: {warned:?}");
    }
    set_mode(&people, 0o600);
    let quiet = binary.run(&["config", "check"]).expect_code(0);
    assert!(!quiet.stderr.contains("warning"), "{quiet:?}");
}

/// Kind, place and name; never user or password.
fn place(database: &Scratch) -> String {
    let url = database.url();
    if database.backend() == Backend::Sqlite {
        let (path, _) = url
            .trim_start_matches("sqlite://")
            .split_once('?')
            .expect("a path");
        return format!("sqlite {path}");
    }
    let (_, place) = url.rsplit_once('@').expect("a host");
    let place = place.split('?').next().expect("a place");
    match database.backend() {
        Backend::Postgres => format!("postgres {place}"),
        _ => format!("mariadb {place}"),
    }
}

on_every_database! {
    async fn commands_that_change_a_database_say_which(database: Scratch) {
        let binary = Binary::on(&database);
        let csv = binary.directory().join("people.csv");
        write(&csv, "email\nann@example.org\n");
        let configuration = binary.directory().join("retentiond.toml");
        write(&configuration, "[log]\nlevel = 'info'\n");
        let named = format!("database: {} (configuration {})\n", place(&database), configuration.display());
        binary.run(&["keys", "generate"]).expect_code(0);
        let told: &[(&[&str], &[u8])] = &[
            (&["migrate", "up"], b""),
            (&["tenant", "add", "acme", "--time-zone", "UTC"], b""),
            (&["policy", "set", "acme", "--anonymize", "1m", "--retain", "1y", "--reason", "a test"], b""),
            (&["import", "people.csv", "--tenant", "acme"], b""),
            (&["unsubscribe", "--tenant", "acme"], b"ann@example.org"),
            (&["keys", "rotate"], b""),
        ];
        for (arguments, stdin) in told {
            let done = binary.run_with_stdin(arguments, stdin).expect_code(0);
            assert!(done.stderr.contains(&named), "{arguments:?}: {}", done.stderr);
        }
        // Without a configuration file, and in JSON.
        fs::remove_file(&configuration).expect("removed");
        let json = |arguments: &[&str], stdin: &[u8]| -> Value {
            let mut arguments = arguments.to_vec();
            arguments.extend(["--output", "json"]);
            let done = binary.run_with_stdin(&arguments, stdin).expect_code(0);
            serde_json::from_str(&done.stdout).expect("one JSON document")
        };
        for (arguments, stdin) in [
            (&["migrate", "up"][..], &b""[..]),
            (&["tenant", "add", "other", "--time-zone", "UTC"], b""),
            (&["policy", "set", "acme", "--retain", "2y", "--reason", "a test"], b""),
            (&["import", "people.csv", "--tenant", "other"], b""),
            (&["unsubscribe", "--tenant", "other"], b"ann@example.org"),
            (&["run"], b""),
        ] {
            let shown = json(arguments, stdin);
            let kind = place(&database);
            let kind = kind.split(' ').next().expect("a kind");
            assert_eq!(shown["database"]["kind"], kind, "{arguments:?}: {shown}");
            assert_eq!(shown["configuration_file"], Value::Null, "{arguments:?}");
            let whole = shown["database"].to_string();
            assert!(whole.contains(database.name()), "{whole}");
            assert!(!whole.contains("retentiond_test"), "no user: {whole}");
        }
        // `run` and `serve` say it in their log, before they erase.
        let done = binary.run(&["run"]).expect_code(0);
        let opened: Vec<Value> = done
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event"))
            .filter(|event: &Value| event["fields"]["event"] == "database_opened")
            .collect();
        assert_eq!(opened.len(), 1, "{}", done.stderr);
        assert_eq!(opened[0]["fields"]["database"], place(&database));
        // Looking changes nothing, and says nothing.
        assert_eq!(binary.run(&["tenant", "list"]).stderr, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_names_configuration_and_database() {
    let database = scratch(Backend::Sqlite).await;
    let binary = Binary::on(&database);
    let configuration = binary.directory().join("retentiond.toml");
    write(&configuration, "[log]\nlevel = 'info'\n");
    binary.run(&["keys", "generate"]).expect_code(0);
    binary.run(&["migrate", "up"]).expect_code(0);
    let serving = binary.serve();
    serving.wait_ready(std::time::Duration::from_secs(60)).await;
    let (_, log) = serving.terminate(std::time::Duration::from_secs(60)).await;
    for event in ["service_started", "database_opened"] {
        let line = log.lines().find(|line| line.contains(event)).expect(event);
        let line: Value = serde_json::from_str(line).expect("an event");
        let file = configuration.to_str().expect("UTF-8");
        assert_eq!(line["fields"]["configuration_file"], file, "{event}");
    }
    assert!(log.contains(&place(&database)), "{log}");
}
