//! `keys` and `migrate` from outside, and what `run` does when the keyring is not the one that the
//! database was started with: nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use retentiond::store::schema;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::Value;

use crate::support::{Backend, Binary, Person, Scratch, World, master_key, scratch};

const NOW: &str = "2024-04-02T00:00:00Z";

fn keyring_of(binary: &Binary) -> PathBuf {
    binary.directory().join("retentiond.keyring")
}

/// A keyring file with these keys, each made of a number; the first one is active.
fn write_keyring(path: &Path, keys: &[(&str, u8)]) {
    let mut text = format!("version = 1\nactive = \"{}\"\n", keys[0].0);
    for (id, number) in keys {
        text.push_str(&format!(
            "\n[[key]]\nid = \"{id}\"\ncreated_at = \"2024-01-01T00:00:00Z\"\nsecret = \"{}\"\n",
            hex::encode(master_key(*number))
        ));
    }
    fs::write(path, text).expect("a keyring file");
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}

fn key_id(stdout: &str) -> String {
    json(stdout)["key_id"].as_str().expect("an id").to_owned()
}

/// Of each key: id, active, known, in use.
fn keys_of(binary: &Binary) -> Vec<(String, bool, bool, bool)> {
    let checked = binary
        .run(&["keys", "check", "--output", "json"])
        .expect_code(0);
    json(&checked.stdout)["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| {
            let is = |name: &str| key[name].as_bool().expect("yes or no");
            let id = key["key_id"].as_str().expect("an id").to_owned();
            (id, is("active"), is("known"), is("in_use"))
        })
        .collect()
}

/// A platform with one person to anonymize, who unsubscribed, and one to delete.
async fn overdue(scratch: Scratch) -> World {
    let world = World::new(scratch, NOW).await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    for added_at in ["2023-10-15T12:00:00Z", "2022-10-15T12:00:00Z"] {
        world
            .person(
                tenant,
                Person {
                    added_at,
                    email: Some("ann@example.org"),
                    unsubscribed_at: Some("2024-01-01T00:00:00Z"),
                },
            )
            .await;
    }
    world
}

const RUN: [&str; 3] = ["run", "--period", "2024-04"];

/// `run` exits so, says why in one sentence, and has erased nothing.
async fn refuses(world: &World, binary: &Binary, code: i32, why: &str) {
    let before = world.fingerprint().await;
    let refused = binary.run(&RUN).expect_code(code);
    let sentences: Vec<&str> = refused
        .stderr
        .lines()
        .filter(|line| line.contains("\"event\":\"run_refused\""))
        .collect();
    assert_eq!(sentences.len(), 1, "{}", refused.stderr);
    assert!(sentences[0].contains(why), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    assert_eq!(world.fingerprint().await, before, "{why}");
}

on_every_database! {
    async fn u08_a_run_with_the_wrong_keyring_erases_nothing(scratch: Scratch) {
        let world = overdue(scratch).await;
        let binary = world.binary();
        let file = keyring_of(&binary);
        fs::remove_file(&file).expect("the keyring file goes");
        refuses(&world, &binary, 2, "there is no keyring file").await;
        fs::write(&file, "version = 1\nactive = \"k1\"\n\n[[key]]\nid = \"k1\"\ncreated_at = \"2024-01-01T00:00:00Z\"\nsecret = \"0707\"\n")
            .expect("a keyring file");
        set_mode(&file, 0o600);
        refuses(&world, &binary, 2, "at least 32").await;
        write_keyring(&file, &[("k1", 7)]);
        for mode in [0o644, 0o660] {
            set_mode(&file, mode);
            refuses(&world, &binary, 2, "so that others can reach the keys").await;
        }
        // One that anybody can guess; a rotation would mend it.
        let text = fs::read_to_string(&file).expect("the keyring");
        let zeros = text.replace(&hex::encode(master_key(7)), &"0".repeat(64));
        fs::write(&file, zeros).expect("a keyring file");
        set_mode(&file, 0o600);
        refuses(&world, &binary, 2, "run `retentiond keys rotate`").await;
        // Another key of the same name, and one that the database never saw.
        write_keyring(&file, &[("k1", 8)]);
        refuses(&world, &binary, 4, "is not the key of that name").await;
        write_keyring(&file, &[("k2", 8)]);
        refuses(&world, &binary, 4, "none of the keyring's keys").await;
        binary.run(&["keys", "check"]).expect_code(4);
    }

    async fn u08_a_keyring_that_its_group_may_read_is_accepted(scratch: Scratch) {
        let world = overdue(scratch).await;
        let binary = world.binary();
        for mode in [0o440, 0o600] {
            set_mode(&keyring_of(&binary), mode);
            binary.run(&RUN).expect_code(0);
        }
    }

    async fn u08_a_keyring_that_lacks_a_key_in_use_is_refused(scratch: Scratch) {
        let world = overdue(scratch).await;
        let binary = world.binary();
        let file = keyring_of(&binary);
        write_keyring(&file, &[("k1", 7), ("k2", 9)]);
        binary.run(&RUN).expect_code(0);
        // Both are known now; k1 is in use.
        write_keyring(&file, &[("k2", 9)]);
        refuses(&world, &binary, 4, "lacks key k1").await;
        binary.run(&["keys", "check"]).expect_code(4);
        // A key that nothing refers to may go.
        write_keyring(&file, &[("k1", 7)]);
        binary.run(&["keys", "check"]).expect_code(0);
    }

    async fn u09_a_rotation_keeps_the_old_keys(scratch: Scratch) {
        let world = overdue(scratch).await;
        let binary = world.binary();
        binary.run(&RUN).expect_code(0);
        let rotated = binary.run(&["keys", "rotate", "--output", "json"]).expect_code(0);
        assert_eq!(rotated.said(), "");
        let new = key_id(&rotated.stdout);
        assert_eq!(
            keys_of(&binary),
            [(new.clone(), true, true, false), ("k1".to_owned(), false, true, true)]
        );
        let secrets: Vec<String> = fs::read_to_string(keyring_of(&binary))
            .expect("the keyring file")
            .lines()
            .filter_map(|line| line.strip_prefix("secret = "))
            .map(|secret| secret.trim_matches('"').to_owned())
            .collect();
        assert_eq!(secrets.len(), 2);
        let shown = binary.run(&["keys", "check"]).expect_code(0).stdout;
        for secret in secrets {
            assert!(!shown.contains(&secret) && !rotated.stdout.contains(&secret));
        }
        binary.run(&RUN).expect_code(0);
        // Back to the keyring from before: it is refused only once something refers to the new key.
        write_keyring(&keyring_of(&binary), &[("k1", 7)]);
        binary.run(&["keys", "check"]).expect_code(0);
    }

    async fn keys_are_generated_for_a_new_database_only(scratch: Scratch) {
        let binary = Binary::on(&scratch);
        let generated = binary.run(&["keys", "generate", "--output", "json"]).expect_code(0);
        assert_eq!(generated.stderr, "");
        let file = keyring_of(&binary);
        let mode = fs::metadata(&file).expect("the keyring file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let text = fs::read_to_string(&file).expect("the keyring file");
        let again = binary.run(&["keys", "generate"]).expect_code(4);
        assert!(again.stderr.starts_with("error: ") && again.stderr.lines().count() == 1);
        assert_eq!(fs::read_to_string(&file).expect("the keyring file"), text);
        // The schema is there and no key is known: still a new database.
        binary.run(&["migrate", "up"]).expect_code(0);
        fs::remove_file(&file).expect("the keyring file goes");
        let id = key_id(&binary.run(&["keys", "generate", "--output", "json"]).expect_code(0).stdout);
        assert_eq!(keys_of(&binary), [(id.clone(), true, false, false)]);
        binary.run(&["run"]).expect_code(0);
        assert_eq!(keys_of(&binary), [(id, true, true, false)]);
        fs::remove_file(&file).expect("the keyring file goes");
        let refused = binary.run(&["keys", "generate"]).expect_code(4);
        assert!(refused.stderr.contains("started with other keys"), "{}", refused.stderr);
        assert!(!file.exists());
    }

    async fn migrating_twice_changes_nothing(scratch: Scratch) {
        let binary = Binary::on(&scratch);
        let before = binary.run(&["migrate", "status"]).expect_code(1).stdout;
        assert!(before.contains("pending") && !before.contains("applied"), "{before}");
        let first = binary.run(&["migrate", "up"]).expect_code(0).stdout;
        assert!(first.contains("applied") && !first.contains("pending"), "{first}");
        assert_eq!(binary.run(&["migrate", "up"]).expect_code(0).stdout, first);
        assert_eq!(binary.run(&["migrate", "status"]).expect_code(0).stdout, first);
    }

    async fn two_processes_that_migrate_at_once_both_succeed(scratch: Scratch) {
        let backend = scratch.backend();
        let mut scratch = scratch;
        for _ in 0..5 {
            thread::scope(|scope| {
                let runs: Vec<_> = (0..2)
                    .map(|_| scope.spawn(|| Binary::on(&scratch).run(&["migrate", "up"])))
                    .collect();
                for run in runs {
                    let finished = run.join().expect("no panic").expect_code(0);
                    assert_eq!(finished.said(), "");
                }
            });
            Binary::on(&scratch).run(&["migrate", "status"]).expect_code(0);
            scratch = crate::support::scratch(backend).await;
        }
    }

    async fn a_schema_of_another_version_is_refused(scratch: Scratch) {
        let binary = Binary::on(&scratch);
        binary.run(&["keys", "generate"]).expect_code(0);
        if scratch.backend() != Backend::Sqlite {
            let behind = binary.run(&["run"]).expect_code(4);
            assert!(behind.stderr.contains("retentiond migrate up"), "{}", behind.stderr);
        }
        let world = World::new(scratch, NOW).await;
        let binary = world.binary();
        world.sql("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_future', 0)").await;
        for arguments in [&["run"][..], &["migrate", "up"], &["migrate", "status"], &["keys", "check"], &["keys", "rotate"]] {
            let ahead = binary.run(arguments).expect_code(4);
            assert!(ahead.stderr.contains("m20990101_000001_future"), "{}", ahead.stderr);
            assert_eq!(ahead.stderr.lines().count(), 1, "{}", ahead.stderr);
        }
        world.sql("DELETE FROM seaql_migrations WHERE version LIKE '%create_service_tables'").await;
        world.sql("DELETE FROM seaql_migrations WHERE version LIKE '%future'").await;
        let behind = binary.run(&["run"]).expect_code(4);
        assert!(behind.stderr.contains("retentiond migrate up"), "{}", behind.stderr);
    }
}

/// Asking a database that is not there must not make it.
#[test]
fn looking_creates_no_sqlite_file() {
    let binary = Binary::new();
    binary.run(&["keys", "generate"]).expect_code(0);
    binary.run(&["keys", "rotate"]).expect_code(0);
    binary.run(&["migrate", "status"]).expect_code(1);
    binary.run(&["config", "check"]).expect_code(0);
    binary.run(&["config", "show"]).expect_code(0);
    assert!(!binary.directory().join("retentiond.db").exists());
}

#[tokio::test]
async fn an_index_that_was_made_beforehand_is_left_as_it_is() {
    let world = World::new(scratch(Backend::Postgres).await, "2020-01-01T00:00:00Z").await;
    let number = async || {
        let statement = Statement::from_string(
            DbBackend::Postgres,
            "SELECT 'invitation_queued'::regclass::oid::bigint AS n",
        );
        let row = world.db.query_one_raw(statement).await;
        let row = row.expect("an answer").expect("a row");
        row.try_get::<i64>("", "n").expect("a number")
    };
    // As it is before the migration, where the owner has made the index.
    world
        .sql("DELETE FROM seaql_migrations WHERE version LIKE '%_index_queued_invitations'")
        .await;
    let before = number().await;
    let migrated = schema::migrate_up(&world.engine.database).await;
    migrated.expect("migrated");
    assert_eq!(number().await, before);
    let statement = "SELECT 1 / (SELECT COUNT(*) FROM seaql_migrations \
         WHERE version LIKE '%_index_queued_invitations')";
    world.sql(statement).await;
}
