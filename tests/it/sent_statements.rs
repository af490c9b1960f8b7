//! Every statement that erases, locks, pages or counts participants, as it is sent, with its plan: whoever
//! changes one sees it in `snapshots/sql`, for each database.
//!
//! The service sends them here, to a tenant with a few people of every kind, and they are taken down where they
//! go to the driver. The plans are those of a database with many tenants of equal size, analyzed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use retentiond::domain::email::NormalizedEmail;
use retentiond::domain::subject::SUBJECT_TABLES;
use retentiond::engine::due::Scope;
use retentiond::engine::{overdue, pass, plan, recount, survey, verify};
use retentiond::ids::TenantId;
use retentiond::intake::import::{ImportOptions, import};
use retentiond::intake::mapping::MappingOptions;
use retentiond::intake::unsubscribe::{look, unsubscribe};
use retentiond::intake::{Intake, Tenant};
use retentiond::store::{batches, participants, uploads};
use sea_orm::Statement;
use uuid::Uuid;

use crate::support::crowd::Rows;
use crate::support::statements::{names_in, sources};
use crate::support::{Backend, Person, Scratch, World, at, holds_within};

use plans::{in_lines, plan_of, version};

mod plans;

/// Set to anything, the stored statements are written anew.
const UPDATE: &str = "RETENTIOND_UPDATE_SNAPSHOTS";

/// The rooms of which each statement is stored.
const ROOMS: [&str; 10] = [
    "arrivals",
    "batch",
    "batches",
    "erase",
    "leases",
    "page",
    "participants",
    "partition",
    "recount",
    "uploads",
];

/// Those of other rooms.
const OTHERS: [&str; 2] = ["tenants.lock", "verify.unrecorded"];

/// PostgreSQL's, and nothing that has a plan.
const NO_QUERY: &str = "arrivals.discard_plans";

/// Statements of those rooms that are not sent in here, or not on each database; and why.
const ELSEWHERE: [(&str, &str); 4] = [
    ("batches.find", "after a COMMIT without an answer"),
    ("batches.participants_within", "where a rate is limited"),
    (
        "erase.count_children",
        "where the server does not count what a cascade deletes",
    ),
    ("leases.holders", "where a rate is limited"),
];

/// Tenants; the first is the one whose statements are taken down.
const TENANTS: usize = 20;

/// Of each tenant.
const UPLOADS: usize = 8;

/// Of each upload.
const PEOPLE: u32 = 10;

/// By name, and by text: a statement may differ by what it is asked.
type Sent = BTreeMap<String, BTreeMap<String, Statement>>;

fn name_of(statement: &Statement) -> Option<&str> {
    let (name, _) = statement.sql.strip_prefix("/* ")?.split_once(" */ ")?;
    Some(name)
}

fn is_stored(name: &str) -> bool {
    let (room, _) = name.split_once('.').expect("a room");
    name != NO_QUERY && (ROOMS.contains(&room) || OTHERS.contains(&name))
}

on_every_database! {
    async fn statements_and_their_plans_are_as_stored(database: Scratch) {
        let mut world = World::new(database, "2024-04-02T00:00:00Z").await;
        let backend = world.scratch.backend();
        let sent = record(&mut world).await;
        fill(&world).await;
        let mut files = BTreeMap::new();
        for (name, statements) in &sent {
            let mut text = format!("-- {name}\n");
            for statement in statements.values() {
                let plan = plan_of(&world, statement).await;
                text.push_str(&format!("\n{}\n\n", in_lines(&statement.sql)));
                plan.iter().for_each(|line| text.push_str(&format!("-- {line}\n")));
            }
            files.insert(format!("{name}.sql"), text);
        }
        compare(backend, &version(&world).await, files);
        require_all(backend, &sent);
    }
}

/// Has the service send each statement, and takes it down.
async fn record(world: &mut World) -> Sent {
    let sent: Arc<Mutex<Sent>> = Arc::default();
    let taken = Arc::clone(&sent);
    world.engine.database.observe_statements(move |statement| {
        let Some(name) = name_of(statement).filter(|name| is_stored(name)) else {
            return;
        };
        let mut sent = taken.lock().expect("no panic");
        let of_name = sent.entry(name.to_owned()).or_default();
        of_name
            .entry(statement.sql.clone())
            .or_insert_with(|| statement.clone());
    });
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    intake(world, tenant).await;
    let refused = people(world, tenant).await;
    plan::plan(&world.engine, &Scope::default())
        .await
        .expect("a plan")
        .expect("known tenants");
    // The first run meets a row that may not be deleted.
    refuse_to_delete(world, tenant, refused).await;
    pass::run(&world.engine, &Scope::default())
        .await
        .expect("a pass")
        .expect("known tenants");
    world.sql("DROP TABLE ticket").await;
    pass::run(&world.engine, &Scope::default())
        .await
        .expect("a pass")
        .expect("known tenants");
    verify::verify(&world.engine, &Scope::default())
        .await
        .expect("a verification")
        .expect("known tenants");
    // Somebody came late.
    let late = Person {
        added_at: "2022-05-05T00:00:00Z",
        ..Person::default()
    };
    let late = world.person(tenant, late).await;
    let survey = survey::survey(&world.engine).await.expect("a survey");
    for candidate in &survey.findings.completed {
        overdue::of_candidate(&world.engine, candidate)
            .await
            .expect("what is overdue");
    }
    show(world, tenant, late).await;
    std::mem::take(&mut *sent.lock().expect("no panic"))
}

/// An upload, and somebody of it who unsubscribes.
async fn intake(world: &World, tenant: TenantId) {
    let engine = &world.engine;
    let intake = Intake {
        database: engine.database.clone(),
        clock: Arc::clone(&engine.clock),
        ids: Arc::clone(&engine.ids),
        keyring: engine.keyring.clone(),
        retry: engine.retry,
    };
    let door = Tenant {
        id: tenant,
        slug: "example".to_owned(),
        zone: Ok(crate::support::world::zone("Europe/Brussels")),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("people.csv");
    std::fs::write(
        &file,
        "email,first_name,Team\nann@example.org,Ann,Blue\nbob@example.org,Bob,Red\n",
    )
    .expect("a file");
    let options = ImportOptions {
        file,
        mapping: MappingOptions::default(),
        accepted_at: None,
        again: false,
        strict_email: false,
    };
    let ann = NormalizedEmail::normalize("ann@example.org").expect("an address");
    // The import looks again for whoever unsubscribed meanwhile: it sees that somebody did.
    let (begin, end) = match world.scratch.backend() {
        Backend::Postgres => (
            "CREATE FUNCTION count_one() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN UPDATE tenant SET unsubscribe_count = unsubscribe_count + 1; RETURN NULL; END $$; \
             CREATE TRIGGER meanwhile AFTER INSERT ON upload FOR EACH ROW EXECUTE FUNCTION count_one()",
            "DROP TRIGGER meanwhile ON upload",
        ),
        Backend::MariaDb => (
            "CREATE TRIGGER meanwhile AFTER INSERT ON upload FOR EACH ROW \
             UPDATE tenant SET unsubscribe_count = unsubscribe_count + 1",
            "DROP TRIGGER meanwhile",
        ),
        Backend::Sqlite => (
            "CREATE TRIGGER meanwhile AFTER INSERT ON upload BEGIN \
             UPDATE tenant SET unsubscribe_count = unsubscribe_count + 1; END",
            "DROP TRIGGER meanwhile",
        ),
    };
    world.sql(begin).await;
    let imported = import(&intake, &door, &options, &|_, _| {})
        .await
        .expect("an upload");
    assert_eq!(imported.accepted, 2);
    world.sql(end).await;
    let id = imported.upload_id.expect("an upload");
    assert!(
        uploads::exists(&engine.database, tenant, id)
            .await
            .expect("an answer")
    );
    look(&intake, &door, &ann).await.expect("a look");
    unsubscribe(&intake, &door, &ann).await.expect("an answer");
}

/// People of every kind; returns somebody to be deleted.
async fn people(world: &World, tenant: TenantId) -> Uuid {
    let added = [
        "2024-03-20T00:00:00Z",
        "2023-12-01T00:00:00Z",
        "2022-12-01T00:00:00Z",
    ];
    for added_at in added {
        for unsubscribed_at in [None, Some("2024-01-01T00:00:00Z")] {
            let email = Some("carl@example.org");
            world
                .person(
                    tenant,
                    Person {
                        added_at,
                        email,
                        unsubscribed_at,
                    },
                )
                .await;
        }
    }
    let kept = Person {
        added_at: added[2],
        email: Some("dora@example.org"),
        unsubscribed_at: None,
    };
    world.person(tenant, kept).await
}

/// What the command line shows of somebody, and of a tenant; and counts that only a run with orphans makes.
async fn show(world: &World, tenant: TenantId, id: Uuid) {
    let transaction = world
        .engine
        .database
        .begin_read("showing")
        .await
        .expect("a transaction");
    participants::find(&transaction, tenant, id)
        .await
        .expect("an answer");
    participants::fields_stored(&transaction, tenant, id)
        .await
        .expect("names");
    for table in retentiond::domain::subject::CHILD_TABLES {
        participants::count_children(&transaction, tenant, table, id)
            .await
            .expect("a count");
        recount::orphans(&transaction, tenant, table)
            .await
            .expect("a count");
    }
    recount::empty_uploads_besides(&transaction, tenant, &[id])
        .await
        .expect("a count");
    participants::count(&transaction, tenant)
        .await
        .expect("numbers");
    uploads::count(&transaction, tenant).await.expect("a count");
    let run = world.run_record(tenant, "2024-04").await.expect("a record");
    batches::totals(&transaction, tenant, run.id)
        .await
        .expect("sums");
    batches::anonymizing_run(&transaction, tenant, at("2024-04-02T00:00:00Z"))
        .await
        .expect("an answer");
    transaction.rollback().await.expect("the end");
}

/// A table of the platform's that refers to a participant, and does not let it go.
async fn refuse_to_delete(world: &World, tenant: TenantId, id: Uuid) {
    let uuid = match world.scratch.backend() {
        Backend::Postgres => "uuid",
        Backend::MariaDb => "binary(16)",
        Backend::Sqlite => "blob",
    };
    world
        .sql(&format!(
            "CREATE TABLE ticket (tenant_id bigint, participant_id {uuid}, FOREIGN KEY \
             (tenant_id, participant_id) REFERENCES participant (tenant_id, id))"
        ))
        .await;
    let id = world.literal(id);
    world
        .sql(&format!("INSERT INTO ticket VALUES ({}, {id})", tenant.0))
        .await;
}

/// Many tenants of equal size, so that to read a whole table is never the cheapest way to one of them; analyzed
/// where the service has a database analyzed.
async fn fill(world: &World) {
    let mut rows = Rows::default();
    for number in 0..TENANTS {
        let tenant = match number {
            0 => TenantId(1),
            _ => {
                world
                    .tenant(&format!("tenant-{number}"), "Europe/Brussels")
                    .await
            }
        };
        for upload_number in 0..UPLOADS {
            let upload = rows.upload(tenant);
            // A quarter to be deleted, half to be anonymized, a quarter young.
            let added_at = match upload_number * 4 / UPLOADS {
                0 => at("2022-12-01T00:00:00Z"),
                1 | 2 => at("2023-12-01T00:00:00Z"),
                _ => at("2024-03-20T00:00:00Z"),
            };
            for person in 0..PEOPLE {
                let added_at = added_at + TimeDelta::seconds(i64::from(person));
                let email = format!("person-{person}@example.org");
                rows.person(tenant, upload, added_at, &email, person % 10 == 0);
            }
        }
    }
    rows.store(world).await;
    match world.scratch.backend() {
        // An index says which rows are there, once VACUUM has said that all of a page are.
        // While something else has an old snapshot, pages are left out.
        Backend::Postgres => {
            let hidden = "SELECT COUNT(*) FROM pg_class WHERE relkind = 'r' AND relallvisible < relpages \
                          AND relnamespace = 'public'::regnamespace";
            let all_seen = holds_within(Duration::from_secs(60), async || {
                world.sql("VACUUM ANALYZE").await;
                world.number(hidden).await == 0
            });
            assert!(all_seen.await, "VACUUM leaves pages out");
        }
        Backend::MariaDb => {
            world
                .sql(&format!("ANALYZE TABLE {}", SUBJECT_TABLES.join(", ")))
                .await;
        }
        Backend::Sqlite => {}
    }
}

/// Each statement of those rooms is among them: one that is added is not forgotten here.
fn require_all(backend: Backend, sent: &Sent) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a source file"));
    let all: Vec<String> = texts.flat_map(|text| names_in(&text)).collect();
    let mut missing = Vec::new();
    for room in ROOMS {
        let of_room = |name: &&String| name.split('.').next() == Some(room);
        let names: Vec<String> = all.iter().filter(of_room).cloned().collect();
        assert!(!names.is_empty(), "{room} sends no statement any more");
        missing.extend(names.into_iter().filter(|name| {
            let is_elsewhere = name == NO_QUERY || ELSEWHERE.iter().any(|(other, _)| other == name);
            !is_elsewhere && !sent.contains_key(name)
        }));
    }
    assert!(
        missing.is_empty(),
        "not sent on {backend:?}: {missing:?}; have this test send them, or say why not"
    );
}

fn without_plans(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Another version of a server may plan otherwise: then only the statements are compared.
fn compare(backend: Backend, version: &str, mut files: BTreeMap<String, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = format!("{backend:?}").to_lowercase();
    let folder = root.join("tests/it/snapshots/sql").join(name);
    files.insert("VERSION".to_owned(), format!("{version}\n"));
    if std::env::var_os(UPDATE).is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in &files {
            std::fs::write(folder.join(name), text).expect("the snapshot can be written");
        }
        return;
    }
    let mut stored = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of the stored statements") {
        let entry = entry.expect("an entry");
        let text = std::fs::read_to_string(entry.path()).expect("a stored statement");
        stored.insert(entry.file_name().to_string_lossy().into_owned(), text);
    }
    if stored.remove("VERSION") != files.remove("VERSION") {
        for text in stored.values_mut().chain(files.values_mut()) {
            *text = without_plans(text);
        }
    }
    let names: BTreeSet<&String> = stored.keys().chain(files.keys()).collect();
    let text =
        |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
    let differences: Vec<String> = names
        .into_iter()
        .filter(|name| stored.get(*name) != files.get(*name))
        .map(|name| {
            let (before, now) = (text(&stored, name), text(&files, name));
            format!("{name} was\n{before}\nand is\n{now}")
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{}\nIf that is meant, run the test once with {UPDATE}=1, read the difference, and commit it.",
        differences.join("\n")
    );
}
