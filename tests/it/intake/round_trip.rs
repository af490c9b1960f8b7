//! What is read back equals the file.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, Utc};
use entity::participant_metadata;

use super::*;

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
        // Ids say nothing about the order of the file; each record has a number of its own.
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (row.customer_id.clone(), row)).collect();
        assert_eq!(rows.len(), records.len());
        let mut metadata: BTreeMap<_, BTreeMap<String, String>> = BTreeMap::new();
        for row in participant_metadata::Entity::find().all(&world.connection).await.expect("read") {
            metadata.entry(row.participant_id).or_default().insert(row.key, row.value);
        }
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for record in &records {
            let number = header.iter().position(|name| name == "Number").expect("a column");
            let row = rows[&filled(&record[number])];
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
    /// A backdated upload to delete, another one to anonymize: the plan's counts equal the run's.
    async fn people_csv_is_planned_erased_and_verified(database: Scratch) {
        let world = World::on(&database).await;
        let bytes = people_csv();
        world.write("people.csv", &bytes);
        let maps: Vec<String> = PEOPLE.iter().map(|(f, c)| format!("{f}={c}")).collect();
        let maps: Vec<&str> = maps.iter().flat_map(|map| ["--map", map]).collect();
        let mut rows = 0;
        for days in [800, 200, 0] {
            let accepted_at = SystemClock.now() - chrono::TimeDelta::days(days);
            let accepted_at = accepted_at.to_rfc3339();
            let options = [&maps[..], &["--again", "--accepted-at", &accepted_at]].concat();
            rows = json(&world.import("people.csv", &options).expect_code(0))["accepted"]
                .as_u64()
                .expect("a number");
        }
        let policy = ["policy", "set", "acme", "--anonymize", "1m", "--retain", "1y", "--reason", "a test"];
        world.binary.run(&[&policy[..], &["--effective-from", "2020-01-01"]].concat()).expect_code(0);
        // Marked by the platform, so that the run has hashes to write.
        let marked = "UPDATE participant SET unsubscribed_at = added_at WHERE last_name LIKE 'H%'";
        ConnectionTrait::execute_unprepared(&world.connection, marked)
            .await
            .expect("marked");
        let called_off = "UPDATE invitation SET state = 'expired' WHERE participant_id IN \
                          (SELECT id FROM participant WHERE unsubscribed_at IS NOT NULL)";
        ConnectionTrait::execute_unprepared(&world.connection, called_off)
            .await
            .expect("called off");
        let tenant = |arguments: &[&str]| {
            let scope = ["--tenant", "acme", "--output", "json"];
            let finished = world.binary.run(&[arguments, &scope].concat()).expect_code(0);
            json(&finished)["tenants"][0].clone()
        };
        let (planned, done) = (tenant(&["plan"]), tenant(&["run"]));
        for (key, value) in planned.as_object().expect("an object") {
            if !["state", "run_id"].contains(&key.as_str()) {
                assert_eq!(*value, done[key], "{key}");
            }
        }
        assert_eq!((&done["anonymized"], &done["purged"]), (&rows.into(), &rows.into()));
        assert!(done["suppressions"].as_u64().is_some_and(|hashes| hashes > 0), "{done}");
        assert_eq!(done["uploads_removed"], 1);
        assert_eq!(tenant(&["verify"])["ok"], true);
        assert_eq!(world.participants().await.len() as u64, 2 * rows);
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
        for text in odd {
            let row = rows.iter().find(|row| row.first_name.as_deref() == Some(text));
            let row = row.unwrap_or_else(|| panic!("{text:?} is not there"));
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
    // Past the test's captured output, so that it is seen even when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "people.csv is not there: the round trip uses 2,000 people made by the test"
    );
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
