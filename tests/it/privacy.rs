//! E10: what we promised to forget stands in no log, record, error or output, at any level.

use sea_orm::ConnectionTrait;
use sea_orm::Statement;

use crate::support::{Backend, Scratch, World};

/// Stands in every personal value of these tests, and nowhere else.
const MARKER: &str = "zq7marker";

async fn marked_people(world: &World) -> Vec<uuid::Uuid> {
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    let mut ids = Vec::new();
    for (added_at, email) in [
        ("2023-10-15T12:00:00Z", "zq7marker@example.org"),
        ("2022-10-15T12:00:00Z", "zq7marker@example.org"),
        ("2023-10-15T12:00:00Z", "zq7marker without an at sign"),
    ] {
        ids.push(
            world
                .person(
                    tenant,
                    crate::support::Person {
                        added_at,
                        email: Some(email),
                        unsubscribed_at: Some("2024-01-01T00:00:00Z"),
                    },
                )
                .await,
        );
    }
    world
        .sql("UPDATE participant SET first_name = 'zq7marker', last_name = 'zq7marker', phone = 'zq7marker', customer_id = 'zq7marker'")
        .await;
    ids
}

/// A trigger that makes the anonymizer's update fail with the row's values in the message.
async fn fail_with_values(world: &World) {
    match world.scratch.backend() {
        Backend::Postgres => {
            world
                .sql("CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row of %', OLD.email USING ERRCODE = '23505', DETAIL = OLD.first_name; END $$")
                .await;
            world
                .sql("CREATE TRIGGER leak BEFORE UPDATE ON participant FOR EACH ROW EXECUTE FUNCTION leak()")
                .await;
        }
        Backend::MariaDb => {
            world
                .sql("CREATE TRIGGER leak BEFORE UPDATE ON participant FOR EACH ROW BEGIN DECLARE text VARCHAR(100); SET text = CONCAT('row of ', OLD.email); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = text; END")
                .await;
        }
        Backend::Sqlite => {
            world
                .sql("CREATE TRIGGER leak BEFORE UPDATE ON participant BEGIN SELECT RAISE(ABORT, 'row of zq7marker@example.org'); END")
                .await;
        }
    }
}

async fn drop_trigger(world: &World) {
    match world.scratch.backend() {
        Backend::Postgres => world.sql("DROP TRIGGER leak ON participant").await,
        _ => world.sql("DROP TRIGGER leak").await,
    }
}

/// All rows of the tables that outlive people, as text.
async fn records(world: &World) -> String {
    let mut text = String::new();
    for table in [
        "tenant_run",
        "run_batch",
        "run_lease",
        "suppression",
        "suppression_key",
    ] {
        let sql = match world.scratch.backend() {
            Backend::Postgres => format!("SELECT CAST({table} AS text) AS line FROM {table}"),
            _ => continue,
        };
        let statement = Statement::from_string(world.db.get_database_backend(), sql);
        for row in world.db.query_all_raw(statement).await.expect("rows") {
            text.push_str(&row.try_get::<String>("", "line").expect("text"));
            text.push('\n');
        }
    }
    for run in entity_rows(world).await {
        text.push_str(&run);
    }
    text
}

async fn entity_rows(world: &World) -> Vec<String> {
    use sea_orm::EntityTrait;
    let db = &world.db;
    let mut lines = Vec::new();
    for row in entity::tenant_run::Entity::find()
        .all(db)
        .await
        .expect("rows")
    {
        lines.push(format!("{row:?}\n"));
    }
    for row in entity::run_batch::Entity::find()
        .all(db)
        .await
        .expect("rows")
    {
        lines.push(format!("{row:?}\n"));
    }
    for row in entity::run_lease::Entity::find()
        .all(db)
        .await
        .expect("rows")
    {
        lines.push(format!("{row:?}\n"));
    }
    lines
}

on_every_database! {
    async fn e10_no_personal_data_in_logs_records_or_errors(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let ids = marked_people(&world).await;
        let binary = world
            .binary()
            .env("RETENTIOND__LOG__LEVEL", "trace")
            .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "0")
            .env("RUST_BACKTRACE", "1");
        fail_with_values(&world).await;
        let mut said = String::new();
        let failed = binary.run(&["run", "--period", "2024-04"]).expect_code(1);
        assert!(failed.stderr.contains("tenant_run_failed"), "{}", failed.stderr);
        said.push_str(&failed.stderr);
        said.push_str(&failed.stdout);
        said.push_str(&records(&world).await);
        drop_trigger(&world).await;
        for arguments in [
            &["plan", "--period", "2024-04"][..],
            &["run", "--period", "2024-04"],
            &["run", "--period", "2024-04", "--output", "json"],
            &["verify", "--period", "2024-04"],
            &["runs", "list"],
        ] {
            let done = binary.run(arguments).expect_code(0);
            said.push_str(&done.stderr);
            said.push_str(&done.stdout);
        }
        said.push_str(&records(&world).await);
        assert!(said.contains("batch_committed"), "the log is at TRACE");
        assert!(!said.to_lowercase().contains(MARKER), "{said}");
        // Nor does any record name a participant once the run is completed.
        let records = records(&world).await.to_lowercase();
        for id in ids {
            assert!(!records.contains(&id.to_string()), "{records}");
        }
        for line in said.lines().filter(|line| line.starts_with("{\"timestamp")) {
            let event: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
            assert!(event["fields"]["event"].is_string(), "{line}");
        }
    }
}
