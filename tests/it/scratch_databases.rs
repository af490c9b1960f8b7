//! What the other tests stand on: every scratch database takes our schema, keeps microseconds and
//! UUIDs exactly, and stores them in the column types that `docs/` promises to other programs.

use chrono::{DateTime, Utc};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set, Statement};
use uuid::Uuid;

use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, Scratch};

const PARTICIPANT: Uuid = Uuid::from_u128(0x018d_f6f0_0102_7304_8506_0708_090a_0b0c);
const PARTICIPANT_HEX: &str = "018DF6F00102730485060708090A0B0C";

fn last_microsecond_before_the_cutoff() -> DateTime<Utc> {
    "2024-02-29T22:59:59.999999Z".parse().expect("a valid time")
}

on_every_database! {
    async fn scratch_database_keeps_microseconds_and_uuids(database: Scratch) {
        let connection = database.connect().await;
        Migrator::up(&connection, None).await.expect("the schema is made");
        let added_at = last_microsecond_before_the_cutoff();

        let tenant = entity::tenant::ActiveModel {
            slug: Set("acme".to_owned()),
            name: Set("Acme Ångström 株式会社".to_owned()),
            time_zone: Set("Europe/Brussels".to_owned()),
            created_at: Set(added_at),
            ..Default::default()
        }
        .insert(&connection)
        .await
        .expect("a tenant is stored");
        let upload_id = Uuid::now_v7();
        entity::upload::ActiveModel {
            tenant_id: Set(tenant.id),
            id: Set(upload_id),
            file_name: Set("people.csv".to_owned()),
            content_hmac: Set(vec![0xA5; 32]),
            row_count: Set(1),
            accepted_at: Set(added_at),
            ..Default::default()
        }
        .insert(&connection)
        .await
        .expect("an upload is stored");
        entity::participant::ActiveModel {
            tenant_id: Set(tenant.id),
            id: Set(PARTICIPANT),
            upload_id: Set(upload_id),
            added_at: Set(added_at),
            first_name: Set(Some("Ann".to_owned())),
            ..Default::default()
        }
        .insert(&connection)
        .await
        .expect("a participant is stored");

        let tenants = entity::tenant::Entity::find().all(&connection).await.expect("tenants");
        assert_eq!(tenants.len(), 1);
        assert_eq!(tenants[0].name, "Acme Ångström 株式会社");
        assert_eq!(tenants[0].created_at, added_at);
        let participant = entity::participant::Entity::find_by_id((tenant.id, PARTICIPANT))
            .one(&connection)
            .await
            .expect("participants can be read")
            .expect("the participant is found by its UUID");
        assert_eq!(participant.added_at, added_at);
        assert_eq!(participant.upload_id, upload_id);

        let expected = match database.backend() {
            Backend::Postgres => "uuid|timestamptz|bpchar 7",
            Backend::MariaDb => "binary(16)|datetime(6)|char(7) utf8mb4_nopad_bin",
            Backend::Sqlite => "blob 16|text 2024-02-29T22:59:59.999999+00:00|char(7)",
        };
        assert_eq!(raw_types(&database, &connection).await, expected);
        assert_eq!(raw_uuid(&database, &connection).await, PARTICIPANT_HEX);
    }
}

on_every_database! {
    async fn binary_runs_in_a_directory_of_its_own(database: Scratch) {
        let binary = Binary::on(&database);
        let finished = binary.run(&["--version"]).expect_code(0);
        assert_eq!(finished.stderr, "");
        let entries = std::fs::read_dir(binary.directory()).expect("the directory is there");
        assert_eq!(entries.count(), 0, "--version writes no file");
    }
}

async fn text(connection: &impl ConnectionTrait, sql: &str) -> String {
    connection
        .query_one_raw(Statement::from_string(
            connection.get_database_backend(),
            sql,
        ))
        .await
        .expect("the statement is right")
        .expect("there is one row")
        .try_get_by_index(0)
        .expect("the column is text")
}

/// How the id, the time and the period are really stored.
async fn raw_types(database: &Scratch, connection: &impl ConnectionTrait) -> String {
    let sql = match database.backend() {
        Backend::Postgres => {
            "SELECT string_agg(kind, '|' ORDER BY rank) FROM (
                SELECT CASE column_name WHEN 'id' THEN 1 WHEN 'added_at' THEN 2 ELSE 3 END AS rank,
                    concat_ws(' ', udt_name, character_maximum_length) AS kind
                FROM information_schema.columns
                WHERE (table_name, column_name) IN
                    (('participant', 'id'), ('participant', 'added_at'), ('tenant_run', 'period'))
            ) AS kinds"
        }
        Backend::MariaDb => {
            "SELECT CAST(GROUP_CONCAT(kind ORDER BY `rank` SEPARATOR '|') AS CHAR) FROM (
                SELECT CASE column_name WHEN 'id' THEN 1 WHEN 'added_at' THEN 2 ELSE 3 END AS `rank`,
                    CONCAT_WS(' ', column_type, collation_name) AS kind
                FROM information_schema.columns
                WHERE table_schema = DATABASE() AND (table_name, column_name) IN
                    (('participant', 'id'), ('participant', 'added_at'), ('tenant_run', 'period'))
            ) AS kinds"
        }
        Backend::Sqlite => {
            "SELECT typeof(id) || ' ' || length(id) || '|' || typeof(added_at) || ' ' || added_at
                || '|' || (SELECT type FROM pragma_table_info('tenant_run') WHERE name = 'period')
            FROM participant"
        }
    };
    text(connection, sql).await
}

/// The id's bytes as the database sees them, big-endian everywhere.
async fn raw_uuid(database: &Scratch, connection: &impl ConnectionTrait) -> String {
    let sql = match database.backend() {
        Backend::Postgres => "SELECT upper(encode(uuid_send(id), 'hex')) FROM participant",
        Backend::MariaDb => "SELECT CAST(HEX(id) AS CHAR) FROM participant",
        Backend::Sqlite => "SELECT hex(id) FROM participant",
    };
    text(connection, sql).await
}

/// What the attacks on servers stand on: committed is committed, and a kill does not end the server
/// in an orderly way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_server_of_the_tests_own_keeps_what_it_committed_when_it_is_killed() {
    let mut server = OwnMariadb::start().await;
    let url = server.url();
    server
        .execute(&[
            "CREATE TABLE kept (id INT PRIMARY KEY)",
            "INSERT INTO kept VALUES (7)",
        ])
        .await;
    for kills in 1..=2 {
        server.kill().await;
        assert!(!server.is_ready().await, "killed {kills} times");
        server.start_again().await;
        assert_eq!(server.url(), url);
        assert_eq!(server.number("SELECT id FROM kept").await, Some(7));
        let recoveries = server.log().matches("Starting crash recovery").count();
        assert_eq!(recoveries, kills, "{}", server.log());
    }
}
