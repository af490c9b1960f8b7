//! Uploads, `unsubscribe` and `suppression check`, from outside: through the real binary wherever
//! that is how people meet them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use entity::{invitation, participant, participant_metadata, suppression, tenant, upload};
use migration::{Migrator, MigratorTrait};
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, Set, Statement,
};
use serde_json::Value;

use crate::support::binary::Finished;
use crate::support::{Backend, Binary, Scratch};

/// A migrated database with tenants `acme` and `other`, and a binary with a keyring.
struct World {
    binary: Binary,
    connection: DatabaseConnection,
}

impl World {
    async fn on(database: &Scratch) -> Self {
        let connection = database.connect().await;
        Migrator::up(&connection, None).await.expect("migrated");
        for slug in ["acme", "other"] {
            let row = tenant::ActiveModel {
                slug: Set(slug.to_owned()),
                name: Set(slug.to_owned()),
                time_zone: Set("Europe/Brussels".to_owned()),
                created_at: Set(SystemClock.now()),
                ..Default::default()
            };
            row.insert(&connection).await.expect("a tenant");
        }
        let binary = Binary::on(database);
        let path = binary.directory().join("retentiond.keyring");
        retentiond::keyring::generate(&path, &mut rand::rng(), SystemClock.now())
            .expect("a keyring");
        Self { binary, connection }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.binary.directory().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("the file is written");
    }

    fn import(&self, name: &str, more: &[&str]) -> Finished {
        let mut arguments = vec!["import", name, "--tenant", "acme", "--output", "json"];
        arguments.extend(more);
        self.binary.run(&arguments)
    }

    /// Writes and imports a file.
    fn upload(&self, name: &str, content: &str) -> Finished {
        self.write(name, content);
        self.import(name, &[])
    }

    fn unsubscribe(&self, tenant: &str, address: &str) -> Finished {
        let finished = self.binary.run_with_stdin(
            &["unsubscribe", "--tenant", tenant, "--output", "json"],
            address.as_bytes(),
        );
        let shown = format!("{}{}", finished.stdout, finished.stderr);
        let address = address.trim();
        assert!(address.is_empty() || !shown.contains(address), "echoed");
        finished
    }

    fn check(&self, tenant: &str, addresses: &str) -> String {
        let finished = self.binary.run_with_stdin(
            &["suppression", "check", "--tenant", tenant],
            addresses.as_bytes(),
        );
        assert_eq!(finished.stderr, "");
        finished.expect_code(0).stdout
    }

    async fn participants(&self) -> Vec<participant::Model> {
        participant::Entity::find()
            .order_by_asc(participant::Column::Id)
            .all(&self.connection)
            .await
            .expect("participants")
    }

    async fn suppressions(&self) -> Vec<suppression::Model> {
        let found = suppression::Entity::find().all(&self.connection).await;
        found.expect("hashes")
    }

    async fn invitations(&self, state: &str) -> u64 {
        invitation::Entity::find()
            .filter(invitation::Column::State.eq(state))
            .count(&self.connection)
            .await
            .expect("invitations")
    }

    async fn count_uploads(&self) -> u64 {
        let found = upload::Entity::find().count(&self.connection).await;
        found.expect("uploads")
    }

    async fn execute(&self, sql: &str) {
        let backend = self.connection.get_database_backend();
        self.connection
            .execute_raw(Statement::from_string(backend, sql))
            .await
            .expect("the statement is right");
    }
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

on_every_database! {
    async fn u02_u06_recognised_however_the_address_is_written(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.unsubscribe("acme", "Ann.Peeters@Bücher.Example\n").expect_code(0);
        assert_eq!(json(&done)["newly_suppressed"], true);
        assert_eq!(json(&done)["marked"], 0);
        let same = [
            "ANN.PEETERS@BÜCHER.EXAMPLE",
            "\u{A0}ann.peeters@bu\u{308}cher.example\u{200B}",
            "ann.peeters@xn--bcher-kva.example.",
        ];
        let others = ["ann.peeters+x@bücher.example", "annpeeters@bücher.example", "nobody"];
        let mut content = "email,first_name\r\n".to_owned();
        for address in same.iter().chain(&others) {
            content.push_str(&format!("{address},Ann\r\n"));
        }
        let done = world.upload("people.csv", &content).expect_code(0);
        assert_eq!(json(&done)["accepted"], 6);
        assert_eq!(json(&done)["recognised"], 3);
        let upload = upload::Entity::find().one(&world.connection).await.expect("read");
        let upload = upload.expect("an upload");
        assert_eq!((upload.row_count, upload.file_name.as_str()), (6, "people.csv"));
        for row in world.participants().await {
            let email = row.email.expect("an address");
            let unsubscribed = same.contains(&email.as_str());
            assert_eq!(row.unsubscribed_at, unsubscribed.then_some(upload.accepted_at));
            assert_eq!(row.added_at, upload.accepted_at);
            let invitations = invitation::Entity::find()
                .filter(invitation::Column::ParticipantId.eq(row.id))
                .all(&world.connection)
                .await
                .expect("invitations");
            assert_eq!(invitations.len(), usize::from(!unsubscribed));
            assert!(invitations.iter().all(|i| i.state == "queued" && i.send_at == upload.accepted_at));
        }
        let checked = world.check("acme", &format!("{}\n{}\n{}\n", same[1], others[0], others[2]));
        assert_eq!(checked, "1\tsuppressed\n2\tclear\n3\tinvalid\n");
    }
}

on_every_database! {
    async fn u04_tenants_know_nothing_of_each_other(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("people.csv", "email\nann@example.be\n").expect_code(0);
        world.unsubscribe("other", "ann@example.be").expect_code(0);
        assert_eq!(world.participants().await[0].unsubscribed_at, None);
        assert_eq!(world.check("acme", "ann@example.be\n"), "1\tclear\n");
        assert_eq!(world.check("other", "ann@example.be\n"), "1\tsuppressed\n");
        world.unsubscribe("acme", "ann@example.be").expect_code(0);
        let hashes = world.suppressions().await;
        assert_eq!(hashes.len(), 2);
        assert_ne!(hashes[0].email_hmac, hashes[1].email_hmac);
        assert_ne!(hashes[0].tenant_id, hashes[1].tenant_id);
        // The same file at another tenant is no second upload.
        world
            .binary
            .run(&["import", "people.csv", "--tenant", "other"])
            .expect_code(0);
    }
}

on_every_database! {
    async fn u05_all_rows_are_marked_and_their_invitations_expire(database: Scratch) {
        let world = World::on(&database).await;
        for (name, address) in [
            ("a.csv", "ann@example.be"),
            ("b.csv", " ANN@example.be"),
            ("c.csv", "ann@Example.BE."),
        ] {
            world
                .upload(name, &format!("email\n{address}\nbob@example.be\n"))
                .expect_code(0);
        }
        world.execute("UPDATE invitation SET state = 'sent' WHERE participant_id = \
            (SELECT MIN(participant_id) FROM (SELECT participant_id FROM invitation) AS i)".replace(
            "MIN(participant_id)", if database.backend() == Backend::Postgres {
                "CAST(MIN(CAST(participant_id AS text)) AS uuid)"
            } else { "MIN(participant_id)" }).as_str()).await;
        let done = json(&world.unsubscribe("acme", "Ann@Example.be\n").expect_code(0));
        assert_eq!(done["marked"], 3);
        assert_eq!(done["invitations_expired"], 2);
        assert_eq!(world.invitations("expired").await, 2);
        assert_eq!(world.invitations("queued").await, 3);
        for row in world.participants().await {
            let ann = row.email.expect("an address").to_lowercase().contains("ann");
            assert_eq!(row.unsubscribed_at.is_some(), ann);
        }
        let hashes = world.suppressions().await;
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].suppressed_month, SystemClock.now().format("%Y-%m").to_string());
        assert_eq!(hashes[0].email_hmac.len(), 32);

        let before = world.participants().await;
        let again = json(&world.unsubscribe("acme", "ann@example.be").expect_code(0));
        assert_eq!(again["marked"], 0);
        assert_eq!(again["newly_suppressed"], false);
        assert_eq!(world.participants().await.len(), before.len());
        assert!(world.participants().await == before, "nothing changed");
    }
}

on_every_database! {
    async fn u05_a_row_that_the_platform_marked_counts_for_later_uploads(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nAnn@example.be\nbob@example.be\n").expect_code(0);
        world.execute("UPDATE participant SET unsubscribed_at = added_at WHERE email = 'Ann@example.be'").await;
        assert_eq!(world.check("acme", "ann@example.be\nbob@example.be\n"), "1\tsuppressed\n2\tclear\n");
        let done = world.upload("b.csv", "email,Team\nann@EXAMPLE.be,x\nbob@example.be,y\n").expect_code(0);
        assert_eq!(json(&done)["recognised"], 1);
        assert_eq!(world.suppressions().await.len(), 0, "the run writes it when it erases the row");
        assert_eq!(world.invitations("queued").await, 3);
    }
}

on_every_database! {
    async fn u07_no_hash_of_anybody_else(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nann@example.be\nbob@example.be\n").expect_code(0);
        world.check("acme", "ann@example.be\n");
        assert_eq!(world.suppressions().await.len(), 0);
        for (input, code) in [("", 2), ("nobody", 2), ("a@b\nc@d\n", 2)] {
            let refused = world.unsubscribe("acme", input).expect_code(code);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        }
        assert_eq!(world.suppressions().await.len(), 0);
    }
}

on_every_database! {
    async fn u09_hits_under_an_old_key_are_hashed_again(database: Scratch) {
        let world = World::on(&database).await;
        for address in ["ann@example.be", "eve@example.be"] {
            world.unsubscribe("acme", address).expect_code(0);
        }
        world.execute("UPDATE suppression SET suppressed_month = '2019-07'").await;
        let old = world.suppressions().await;
        let path = world.path("retentiond.keyring");
        retentiond::keyring::rotate(&path, &mut rand::rng(), SystemClock.now()).expect("rotated");

        assert_eq!(world.check("acme", "ann@example.be\nx@y\n"), "1\tsuppressed\n2\tclear\n");
        assert!(world.suppressions().await == old, "check writes nothing");
        let done = world.upload("a.csv", "email\nANN@example.be\nann@example.be\nx@y\n").expect_code(0);
        assert_eq!(json(&done)["recognised"], 2);
        let new = world.suppressions().await;
        assert_eq!(new.len(), 2);
        assert!(new.iter().all(|hash| hash.suppressed_month == "2019-07"));
        let replaced: Vec<_> = new.iter().filter(|hash| !old.contains(hash)).collect();
        assert_eq!(replaced.len(), 1);
        assert_ne!(replaced[0].key_id, old[0].key_id);
        let done = world.unsubscribe("acme", "eve@example.be").expect_code(0);
        assert_eq!(json(&done)["newly_suppressed"], false);
        let all = world.suppressions().await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|hash| hash.key_id == replaced[0].key_id));
        // A file is known after a rotation too.
        world.import("a.csv", &[]).expect_code(4);
    }
}

on_every_database! {
    async fn e08_bad_rows_go_to_the_rejects_file(database: Scratch) {
        let world = World::on(&database).await;
        let long = "é".repeat(321);
        let content = format!(
            "\u{FEFF}email,Team,\"first\r\nname\",added\r\n\
             ok@x,\"two\r\nlines\",,2024-02-29\r\n\
             ,only metadata,,2024-02-29\r\n\
             \r\n\
             late@x,,,2999-01-01T00:00:00Z\r\n\
             odd@x,,,29/2/2024\r\n\
             few@x,\"a,b\"\r\n\
             many@x,,,2024-02-29,more\r\n\
             {long},,,2024-02-29\r\n\
             \" kept \",,\"Ann \"\"A\"\"\",2024-02-29T22:59:59.9999999Z\r\n"
        );
        let mut bytes = content.into_bytes();
        bytes.extend(b"nul\0@x,,,2024-02-29\r\nbad@x,\xFF,,2024-02-29\r\nopen@x,\"never,,2024-02-29\r\n");
        world.write("people.csv", &bytes);
        world.write("people.rejects.csv", "old");
        let options = ["--map", "first_name=first\r\nname", "--added-at-column", "added"];
        let done = world.import("people.csv", &options).expect_code(3);
        let document = json(&done);
        assert_eq!(document["accepted"], 2);
        assert_eq!(document["rejected"], 9);
        assert_eq!(document["rejects_file"], "people.rejects.csv");
        let path = world.path("people.rejects.csv");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut expected = "line,reason,email,Team,\"first\r\nname\",added\n\
            5,none of the five personal fields is filled in,,only metadata,,2024-02-29\n\
            7,added is in the future,late@x,,,2999-01-01T00:00:00Z\n\
            8,added is unreadable as a time,odd@x,,,29/2/2024\n\
            9,wrong number of fields: 2 instead of 4,few@x,\"a,b\"\n\
            10,wrong number of fields: 5 instead of 4,many@x,,,2024-02-29,more\n"
            .to_owned();
        expected.push_str(&format!("11,email is longer than 320 characters,{long},,,2024-02-29\n"));
        let mut expected = expected.into_bytes();
        expected.extend(b"13,email holds a NUL character,nul\0@x,,,2024-02-29\n\
            14,Team is not valid UTF-8,bad@x,\xFF,,2024-02-29\n\
            15,wrong number of fields: 2 instead of 4,open@x,\"never,,2024-02-29\n");
        assert_eq!(
            String::from_utf8_lossy(&std::fs::read(&path).expect("read")),
            String::from_utf8_lossy(&expected)
        );
        let rows = world.participants().await;
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].added_at.to_rfc3339(), "2024-02-28T23:00:00+00:00");
        assert_eq!(rows[0].first_name, None);
        assert_eq!(rows[1].email.as_deref(), Some(" kept "));
        assert_eq!(rows[1].first_name.as_deref(), Some("Ann \"A\""));
        assert_eq!(rows[1].added_at.to_rfc3339(), "2024-02-29T22:59:59.999999+00:00");
        let metadata = participant_metadata::Entity::find().all(&world.connection).await.expect("read");
        assert_eq!(metadata.len(), 1, "no row for an empty field, none for added_at");
        assert_eq!((metadata[0].key.as_str(), metadata[0].value.as_str()), ("Team", "two\r\nlines"));

        // A good file removes the old rejects.
        world.upload("people.csv", "email\na@b\n").expect_code(0);
        assert!(!path.exists());
        // Nothing accepted: nothing stored, and the reasons are there.
        let refused = world.upload("none.csv", "email,Team\n,x\n").expect_code(1);
        assert_eq!(refused.stderr, "error: no row of the file could be accepted; nothing was stored\n");
        assert_eq!(json(&refused)["upload_id"], Value::Null);
        assert!(world.path("none.rejects.csv").exists());
        assert_eq!(world.count_uploads().await, 2);
    }
}

on_every_database! {
    async fn e08_files_and_options_that_are_refused_in_one_sentence(database: Scratch) {
        let world = World::on(&database).await;
        std::fs::create_dir(world.path("folder.csv")).expect("a folder");
        world.write("empty.csv", "");
        world.write("blank.csv", "\n\n");
        world.write("latin1.csv", b"email,Pr\xE9nom\na@b,c\n");
        world.write("twice.csv", "email,Team,Team\na@b,c,d\n");
        world.write("open.csv", "email,\"Team\na@b,c\n");
        world.write("good.csv", "email,when\nsecret@example.be,2024-01-01\n");
        for (name, options, part) in [
            ("missing.csv", &[][..], "missing.csv"),
            ("folder.csv", &[], "directory"),
            ("empty.csv", &[], "empty"),
            ("blank.csv", &[], "no header"),
            ("latin1.csv", &[], "column 2 is not UTF-8"),
            ("twice.csv", &[], "\"Team\""),
            ("open.csv", &[], "quotation mark"),
            ("good.csv", &["--map", "email=Mail"], "\"Mail\""),
            ("good.csv", &["--map", "mail=email"], "\"mail\""),
            ("good.csv", &["--map", "phone=email", "--map", "email=email"], "\"email\""),
            ("good.csv", &["--added-at-column", "added"], "\"added\""),
            ("good.csv", &["--accepted-at", "2999-01-01T00:00:00Z"], "future"),
            ("good.csv", &["--accepted-at", "soon"], "no time"),
        ] {
            let refused = world.import(name, options).expect_code(2);
            assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
        let refused = world.binary.run(&["import", "good.csv", "--tenant", "nobody"]).expect_code(2);
        assert!(refused.stderr.contains("nobody"));
        assert_eq!(world.count_uploads().await, 0);
        assert_eq!(world.participants().await.len(), 0);
    }
}

on_every_database! {
    async fn e09_the_same_file_twice_is_refused_unless_again(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\na@b\n,\n").expect_code(3);
        let refused = world.upload("renamed.csv", "email\na@b\n,\n").expect_code(4);
        assert!(refused.stderr.contains("--again"), "{}", refused.stderr);
        assert!(!world.path("renamed.rejects.csv").exists());
        assert_eq!(world.count_uploads().await, 1);
        world.import("renamed.csv", &["--again"]).expect_code(3);
        assert_eq!(world.count_uploads().await, 2);
        world.upload("a.csv", "email\na@c\n").expect_code(0);
        assert_eq!(world.participants().await.len(), 3);
    }
}

on_every_database! {
    async fn e09_two_imports_of_one_file_at_once(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 20_000);
        let mut first = spawn(&world, &database);
        let mut second = spawn(&world, &database);
        let mut codes = [&mut first, &mut second].map(|child| {
            child.wait().expect("it ends").code().expect("not killed")
        });
        codes.sort_unstable();
        assert_eq!(codes, [0, 4]);
        assert_eq!(world.count_uploads().await, 1);
        assert_eq!(count_participants(&world).await, 20_000);
    }
}

on_every_database! {
    async fn e09_a_kill_in_mid_upload_leaves_nothing(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 100_000);
        let mut child = spawn(&world, &database);
        // Long enough to be in the middle: it takes several seconds to store them all.
        std::thread::sleep(Duration::from_millis(1_200));
        assert_eq!(child.try_wait().expect("it can be asked"), None, "it was over too early");
        child.kill().expect("killed");
        child.wait().expect("it ends");
        assert_eq!(world.count_uploads().await, 0);
        assert_eq!(count_participants(&world).await, 0);
        big_file(&world.path("big.csv"), 3_000);
        let done = world.import("big.csv", &[]).expect_code(0);
        assert_eq!(json(&done)["accepted"], 3_000);
        assert_eq!(count_participants(&world).await, 3_000);
        assert_eq!(world.invitations("queued").await, 3_000);
        world.import("big.csv", &[]).expect_code(4);
        assert_eq!(count_participants(&world).await, 3_000);
    }
}

on_every_database! {
    async fn e09_an_import_and_an_unsubscribe_do_not_miss_each_other(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 30_000);
        let mut child = spawn(&world, &database);
        let start = Instant::now();
        let mut unsubscribed = Vec::new();
        // From before the import begins until after it ends; on SQLite each waits for its end.
        while child.try_wait().expect("it can be asked").is_none() {
            assert!(start.elapsed() < Duration::from_secs(100), "the import hangs");
            let row = unsubscribed.len() * 997 % 30_000;
            world.unsubscribe("acme", &format!("Person{row}@Example.BE")).expect_code(0);
            unsubscribed.push(format!("person{row}@example.be"));
        }
        assert_eq!(child.wait().expect("it ended").code(), Some(0));
        assert!(!unsubscribed.is_empty());
        let marked: Vec<_> = participant::Entity::find()
            .filter(participant::Column::UnsubscribedAt.is_not_null())
            .all(&world.connection)
            .await
            .expect("participants");
        let mut emails: Vec<String> = marked.into_iter().filter_map(|row| row.email).collect();
        emails.sort();
        unsubscribed.sort();
        unsubscribed.dedup();
        assert_eq!(emails, unsubscribed);
        assert_eq!(
            world.invitations("queued").await,
            30_000 - u64::try_from(unsubscribed.len()).expect("few")
        );
    }
}

on_every_database! {
    async fn e11_columns_that_look_personal_are_named(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload(
            "a.csv",
            "email,Second mail,Mobile,Team,Birthday\n\
             a@b,ann.two@example.be,+32 475 55 12 12,Sales,3/29/1982\n\
             c@d,,,Support,1982-03-29\n",
        ).expect_code(0);
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{}", done.stderr);
        assert!(lines[0].starts_with("warning: ") && lines[0].contains("\"Second mail\""));
        assert!(lines[1].contains("\"Mobile\""));
        assert!(!done.stderr.contains("ann.two") && !done.stderr.contains("475"));
        assert_eq!(json(&done)["warnings"].as_array().map(Vec::len), Some(2));
        let metadata = participant_metadata::Entity::find().count(&world.connection).await;
        assert_eq!(metadata.expect("read"), 6);
    }
}

/// The five fields' columns in `people.csv`.
const PEOPLE: [(&str, &str); 5] = [
    ("first_name", "GivenName"),
    ("last_name", "Surname"),
    ("email", "EmailAddress"),
    ("phone", "TelephoneNumber"),
    ("customer_id", "Number"),
];

on_every_database! {
    async fn people_csv_round_trip(database: Scratch) {
        let world = World::on(&database).await;
        let bytes = people_csv();
        world.write("people.csv", &bytes);
        let maps: Vec<String> = PEOPLE.iter().map(|(f, c)| format!("{f}={c}")).collect();
        let options: Vec<&str> = maps.iter().flat_map(|map| ["--map", map]).collect();
        let done = json(&world.import("people.csv", &options).expect_code(0));
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().expect("a header").clone();
        let records: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a record")).collect();
        assert_eq!(done["accepted"], records.len());
        assert_eq!(done["rejected"], 0);
        assert_eq!(done["rejects_file"], Value::Null);

        let rows = world.participants().await;
        assert_eq!(rows.len(), records.len());
        let mut metadata: BTreeMap<_, BTreeMap<String, String>> = BTreeMap::new();
        for row in participant_metadata::Entity::find().all(&world.connection).await.expect("read") {
            metadata.entry(row.participant_id).or_default().insert(row.key, row.value);
        }
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        // Ids sort in the order of the file.
        for (row, record) in rows.iter().zip(&records) {
            let mut expected: BTreeMap<&str, &str> = header.iter().zip(record).collect();
            for ((field, column), stored) in PEOPLE.iter().zip([
                &row.first_name, &row.last_name, &row.email, &row.phone, &row.customer_id,
            ]) {
                let value = expected.remove(column).expect("the column is there");
                assert!(*stored == filled(value), "{field} of row {:?}", record.position());
            }
            expected.retain(|_, value| !value.is_empty());
            let stored = metadata.remove(&row.id).unwrap_or_default();
            let stored: BTreeMap<&str, &str> = stored.iter().map(|(k, v)| (&**k, &**v)).collect();
            assert!(stored == expected, "metadata of row {:?}", record.position());
        }
        assert!(metadata.is_empty());
        assert_eq!(world.invitations("queued").await, u64::try_from(records.len()).expect("few"));
    }
}

on_every_database! {
    /// What `people.csv` has not: control characters, backslashes, quotes, NFD, emoji, case.
    async fn odd_text_comes_back_as_it_was(database: Scratch) {
        let world = World::on(&database).await;
        let odd = [
            "back\\slash \\n \\u0041", "quote \" and ' and `", "tab\tand\u{1}\u{8}\u{B}\u{C}\u{7F}",
            " padded ", "e\u{301} is not \u{E9}", "👩‍👩‍👧‍👦 \u{10FFFF}", "a\r\nb\nc", "NULL", "null",
            "%_:name $1 ?", "\u{FEFF}x\u{200B}", "שלום العربية", "\u{2028}", "{\"a\":[1]}", "0", "1e5", "true",
        ];
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["first_name", "key", "Key", "key ", "k\u{E9}y \"\\"]).expect("written");
        for text in odd {
            writer.write_record([text, text, "other", " ", text]).expect("written");
        }
        world.write("odd.csv", writer.into_inner().expect("written"));
        world.import("odd.csv", &["--accepted-at", "2020-02-29T23:59:59.123456Z"]).expect_code(0);
        let rows = world.participants().await;
        assert_eq!(rows.len(), odd.len());
        let accepted_at: DateTime<Utc> = "2020-02-29T23:59:59.123456Z".parse().expect("a time");
        for (row, text) in rows.iter().zip(odd) {
            assert_eq!(row.first_name.as_deref(), Some(text));
            assert_eq!(row.added_at, accepted_at);
            let metadata = participant_metadata::Entity::find()
                .filter(participant_metadata::Column::ParticipantId.eq(row.id))
                .all(&world.connection)
                .await
                .expect("read");
            let metadata: BTreeMap<_, _> =
                metadata.iter().map(|row| (row.key.as_str(), row.value.as_str())).collect();
            let expected = BTreeMap::from([
                ("key", text), ("Key", "other"), ("key ", " "), ("k\u{E9}y \"\\", text),
            ]);
            assert_eq!(metadata, expected);
        }
    }
}

/// The file that the promise is about, or else one like it, made here.
fn people_csv() -> Vec<u8> {
    let path = std::env::var_os("RETENTIOND_TEST_PEOPLE_CSV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/people.csv"),
        PathBuf::from,
    );
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes;
    }
    eprintln!("people.csv is not there: the round trip uses 2,000 people made by the test");
    let names = [
        ("Marie", "Hamanová"),
        ("Παύλος", "Νικολάου"),
        ("Юлия", "Щербакова"),
        ("小林", "美咲"),
        ("محمد", "الحسن"),
        ("Zoe\u{308}", "O'Neill, \"Jr\""),
        ("ნინო", "ბერიძე"),
        ("Łukasz", "Żółć"),
        ("नेहा", "शर्मा"),
        ("Þór", "Ásgeirs\r\nson"),
    ];
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(b"\xEF\xBB\xBF".to_vec());
    let header = [
        "Number",
        "Title",
        "GivenName",
        "Surname",
        "EmailAddress",
        "TelephoneNumber",
        "Company",
    ];
    writer.write_record(header).expect("written");
    for number in 1..=2_000_usize {
        let (given, surname) = names[number % names.len()];
        writer
            .write_record([
                number.to_string().as_str(),
                if number % 3 == 0 { "" } else { "Dr." },
                given,
                surname,
                &format!("{given}.{number}@example.org"),
                &format!("+32 2 {number:07}"),
                "Mom, \"Pop\" & Söhne",
            ])
            .expect("written");
    }
    writer.into_inner().expect("written")
}

fn big_file(path: &Path, rows: usize) {
    let mut text = "email,first_name,last_name,Team\n".to_owned();
    for row in 0..rows {
        text.push_str(&format!(
            "person{row}@example.be,Ann,Peeters,Team {}\n",
            row % 20
        ));
    }
    std::fs::write(path, text).expect("the file is written");
}

/// An import of `big.csv` in the background.
fn spawn(world: &World, database: &Scratch) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .args(["import", "big.csv", "--tenant", "acme"])
        .current_dir(world.binary.directory())
        .env_clear()
        .env("RETENTIOND__DATABASE__URL", database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

async fn count_participants(world: &World) -> u64 {
    let found = participant::Entity::find().count(&world.connection).await;
    found.expect("participants")
}
