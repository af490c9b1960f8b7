//! The rights that `deploy/sql` grants are enough for every command but `migrate up`, and no more than
//! that: what the role does not need, it cannot do.
//!
//! Three people, as `docs/operating.md` advises: an administrator makes the roles, an owner without
//! any privilege on the server migrates, and the service runs with what the file grants.
//!
//! `guard` attacks what PostgreSQL's optional guard protects.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use retentiond::config::Config;
use retentiond::domain::email::NormVersion;
use retentiond::domain::policy::{Terms, Version};
use retentiond::domain::suppression::Suppressed;
use retentiond::ids::TenantId;
use retentiond::store::requirements::{self, Requirement};
use retentiond::store::{self, policies, suppressions, tenants};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use uuid::Uuid;

use crate::support::{Backend, Binary, Scratch, master_key, scratch};

mod forgeries;
mod guard;
mod people;
mod roles;

use people::{intake, seed};
use roles::{Roles, execute};

/// What nobody may do with the service's rights.
const REFUSED: &[&str] = &[
    "UPDATE policy SET retain_months = NULL",
    "DELETE FROM policy",
    "UPDATE tenant SET slug = 'other'",
    "UPDATE tenant SET time_zone = 'UTC'",
    "DELETE FROM tenant",
    "UPDATE participant SET added_at = stored_at",
    "UPDATE participant SET stored_at = added_at",
    "INSERT INTO participant (tenant_id, id, upload_id, added_at, anonymized_at) \
     SELECT tenant_id, id, upload_id, added_at, added_at FROM participant",
    "SELECT file_name FROM upload",
    "SELECT accepted_at FROM upload",
    "UPDATE upload SET accepted_at = stored_at",
    "DELETE FROM tenant_run",
    "INSERT INTO tenant_run (tenant_id, id, period, state, due_at, purged) \
     SELECT tenant_id, id, period, state, due_at, 1 FROM tenant_run",
    "UPDATE run_batch SET purged = 0",
    "DELETE FROM run_batch",
    "DELETE FROM run_lease",
    "DELETE FROM suppression_key",
    "SELECT body FROM answer",
    "UPDATE answer SET score = 0",
    "DELETE FROM answer",
    "SELECT body FROM conversation_message",
    "DELETE FROM conversation_message",
    "UPDATE participant_metadata SET participant_id = participant_id",
    "DELETE FROM participant_metadata",
    "SELECT value FROM participant_metadata",
    "SELECT COUNT(*) FROM participant_metadata WHERE value = 'north'",
    "SELECT sent_at FROM invitation",
    "SELECT opened_at, clicked_at, bounced_at FROM invitation",
    "UPDATE invitation SET participant_id = participant_id",
    "UPDATE invitation SET sent_at = send_at",
    "DELETE FROM invitation",
    "DELETE FROM seaql_migrations",
    "CREATE TABLE intruder (id BIGINT)",
    "DROP TABLE answer",
    "TRUNCATE TABLE participant",
];

/// On MariaDB a row cannot be added "unless it is there" without the right to update what is inserted.
const REFUSED_ON_POSTGRES: &[&str] = &[
    "UPDATE suppression SET suppressed_month = '2020-01'",
    "UPDATE tenant_run SET period = '2099-12'",
    "UPDATE tenant_run SET due_at = due_at",
    "UPDATE tenant_run SET id = id",
    "UPDATE tenant_run SET tenant_id = tenant_id",
    "UPDATE run_lease SET run_id = run_id",
    "UPDATE run_lease SET slice = 1",
    "UPDATE suppression SET norm_version = 1",
    "UPDATE suppression SET email_hmac = email_hmac",
    "UPDATE suppression_key SET check_value = check_value",
    "UPDATE suppression_key SET key_id = key_id",
];

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a valid time")
}

async fn count(connection: &DatabaseConnection, table: &str) -> i64 {
    connection
        .query_one_raw(Statement::from_string(
            connection.get_database_backend(),
            format!("SELECT COUNT(*) FROM {table}"),
        ))
        .await
        .expect("the table can be counted")
        .expect("a count is one row")
        .try_get_by_index(0)
        .expect("a count is a number")
}

/// The real binary on that database, with a keyring.
fn binary_of(url: &str) -> Binary {
    let binary = Binary::new().env("RETENTIOND__DATABASE__URL", url);
    let secret = hex::encode(master_key(90));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(binary.directory().join("retentiond.keyring"))
        .and_then(|mut file| {
            write!(
                file,
                "version = 1\nactive = \"k1\"\n\n[[key]]\nid = \"k1\"\n\
                 created_at = \"2024-01-01T00:00:00Z\"\nsecret = \"{secret}\"\n"
            )
        })
        .expect("a keyring can be written");
    binary
}

/// The commands that erase, count and show, through the real binary.
fn run_the_commands(url: &str) -> Binary {
    let binary = binary_of(url);
    let period = ["--period", "2024-04", "--output", "json"];
    let with = |command: &[&str]| -> serde_json::Value {
        let arguments: Vec<&str> = command.iter().chain(&period).copied().collect();
        let finished = binary.run(&arguments).expect_code(0);
        serde_json::from_str(&finished.stdout).expect("one JSON document")
    };
    let planned = with(&["plan"]);
    let done = with(&["run"]);
    for (key, expected) in [
        ("anonymized", 1),
        ("purged", 1),
        ("suppressions", 2),
        ("unhashable", 0),
        ("invitations_expired", 1),
        ("uploads_removed", 1),
    ] {
        assert_eq!(planned["tenants"][0][key], expected, "planned {key}");
        assert_eq!(done["tenants"][0][key], expected, "done {key}");
    }
    for table in [
        "participant_metadata",
        "answer",
        "conversation_message",
        "invitation",
    ] {
        assert_eq!(done["tenants"][0]["rows_purged"][table], 1, "{table}");
    }
    assert_eq!(with(&["run"])["tenants"][0]["outcome"], "already_completed");
    assert_eq!(with(&["verify"])["ok"], true);
    binary.run(&["runs", "list"]).expect_code(0);
    let run_id = done["tenants"][0]["run_id"].as_str().expect("the run's id");
    binary.run(&["runs", "show", run_id]).expect_code(0);
    binary
}

/// The commands that set up, take in and answer, through the real binary.
fn set_up_and_take_in(binary: &Binary) {
    let upload = binary.directory().join("people.csv");
    std::fs::write(
        &upload,
        "first_name,email,team\nBram,bram@example.org,north\n",
    )
    .expect("an upload");
    for arguments in [
        &["migrate", "status"][..],
        &["keys", "check"],
        &["keys", "rotate"],
        &[
            "tenant",
            "add",
            "fresh",
            "--name",
            "Fresh",
            "--time-zone",
            "UTC",
        ],
        &["tenant", "list"],
        &["tenant", "show", "fresh"],
        &[
            "policy",
            "set",
            "fresh",
            "--anonymize",
            "1m",
            "--retain",
            "1y",
            "--reason",
            "a test",
        ],
        &["policy", "show", "fresh"],
        &["policy", "history", "fresh"],
        &["import", "people.csv", "--tenant", "fresh"],
    ] {
        binary.run(arguments).expect_code(0);
    }
    let address = b"bram@example.org\n";
    binary
        .run_with_stdin(&["unsubscribe", "--tenant", "fresh"], address)
        .expect_code(0);
    let checked = binary
        .run_with_stdin(&["suppression", "check", "--tenant", "fresh"], address)
        .expect_code(0);
    assert_eq!(checked.stdout, "1\tsuppressed\n");
    let again = ["import", "people.csv", "--tenant", "fresh", "--again"];
    binary.run(&again).expect_code(0);
    let unknown = "018df718-957f-746e-a74c-63dd8f766166";
    binary.run(&["participant", "show", unknown]).expect_code(0);
}

/// What the commands that do not erase ask of the store.
async fn use_the_store(url: &str, tenant: TenantId) {
    let environment = [("RETENTIOND__DATABASE__URL".to_owned(), url.to_owned())];
    let config = Config::load(None, environment.into_iter()).expect("a configuration");
    let database = store::connect(&config.database, Duration::from_secs(60))
        .await
        .expect("the role may connect");
    let now = time("2024-04-10T12:00:00Z");
    let transaction = database.begin("testing").await.expect("a transaction");
    tenants::add(&transaction, "other", "Other", "UTC", now)
        .await
        .expect("tenant add");
    tenants::lock(&transaction, tenant)
        .await
        .expect("the tenant's row is locked");
    tenants::count_unsubscribe(&transaction, tenant)
        .await
        .expect("unsubscribe");
    let version = Version {
        number: 2,
        terms: Terms::from_stored(Some(2), Some(24), None, false).expect("terms"),
        effective_from: now,
        created_at: now,
        created_by: "test".to_owned(),
        reason: String::new(),
    };
    policies::add(&transaction, tenant, &version)
        .await
        .expect("policy set");
    suppressions::add_key(&transaction, "k2", [2; 32], now)
        .await
        .expect("a key's check value");
    suppressions::retire_all_but(&transaction, "k2", now)
        .await
        .expect("keys rotate");
    let hash = |key: &str, byte| Suppressed {
        key_id: key.parse().expect("a key id"),
        norm_version: NormVersion::NEWEST,
        hmac: [byte; 32],
    };
    let (old, new) = (hash("k1", 7), hash("k2", 8));
    assert!(
        suppressions::record(&transaction, tenant, &old, "2024-04")
            .await
            .expect("a hash")
    );
    assert!(
        !suppressions::record(&transaction, tenant, &old, "2024-05")
            .await
            .expect("again")
    );
    suppressions::replace(&transaction, tenant, &old, &[new], "2024-04")
        .await
        .expect("a hash is replaced on intake");
    assert!(
        !suppressions::contains(&transaction, tenant, &old)
            .await
            .expect("a look-up")
    );
    // The role sees the foreign keys, and all rows.
    assert_eq!(
        requirements::unmet_of(&transaction, &Requirement::ALL)
            .await
            .expect("an answer"),
        None
    );
    transaction.commit().await.expect("a commit");
    database.close().await;
}

/// An upgrade before which nobody ran the GRANT file: the version before lacked a right that anonymization needs.
async fn a_right_that_is_missing_changes_nothing(database: Scratch) {
    let roles = Roles::make(&database).await;
    let as_owner = roles.owner.connect(&database).await;
    roles.grant(&database, &as_owner).await;
    seed(&as_owner).await;
    let service = match database.backend() {
        Backend::Postgres => roles.service.name.clone(),
        _ => format!("{}@'%'", roles.service.name),
    };
    let revoke = format!("REVOKE UPDATE (send_at) ON invitation FROM {service}");
    execute(&as_owner, &[revoke]).await;
    let people = "participant WHERE anonymized_at IS NOT NULL";
    let url = roles.service.url(&database);
    let run = ["run", "--period", "2024-04"];
    let refused = tokio::task::spawn_blocking(move || binary_of(&url).run(&run))
        .await
        .expect("it ends");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("\"class\":\"permission\"")
            || refused.stderr.contains("permission"),
        "{refused:?}"
    );
    assert_eq!(count(&as_owner, people).await, 0, "nobody was anonymized");

    roles.grant(&database, &as_owner).await;
    let url = roles.service.url(&database);
    tokio::task::spawn_blocking(move || binary_of(&url).run(&run).expect_code(0))
        .await
        .expect("it ends");
    assert_eq!(count(&as_owner, people).await, 1);
}

#[tokio::test]
async fn an_upgrade_without_its_grants_changes_nothing_on_postgres() {
    a_right_that_is_missing_changes_nothing(scratch(Backend::Postgres).await).await;
}

#[tokio::test]
async fn an_upgrade_without_its_grants_changes_nothing_on_mariadb() {
    a_right_that_is_missing_changes_nothing(scratch(Backend::MariaDb).await).await;
}

/// With the optional guard of PostgreSQL, or without.
async fn rights_are_enough_and_no_more(database: Scratch, guarded: bool) {
    let roles = Roles::make(&database).await;
    let as_owner = roles.owner.connect(&database).await;
    roles.grant(&database, &as_owner).await;
    if guarded {
        roles.guard(&as_owner).await;
    }
    let tenant_id = seed(&as_owner).await;

    let url = roles.service.url(&database);
    let binary = tokio::task::spawn_blocking({
        let url = url.clone();
        move || run_the_commands(&url)
    })
    .await
    .expect("the commands work");
    for table in [
        "participant",
        "answer",
        "conversation_message",
        "invitation",
        "upload",
    ] {
        assert_eq!(
            count(&as_owner, table).await,
            2,
            "{table}: one of three went"
        );
    }

    tokio::task::spawn_blocking(move || set_up_and_take_in(&binary))
        .await
        .expect("the commands work");
    use_the_store(&url, TenantId(tenant_id)).await;
    let as_service = roles.service.connect(&database).await;
    let (upload_id, participant_id) = (Uuid::now_v7(), Uuid::now_v7());
    intake(
        &as_service,
        tenant_id,
        upload_id,
        participant_id,
        time("2024-04-02T00:00:00Z"),
    )
    .await;
    execute(
        &as_service,
        &[
            "UPDATE upload SET row_count = 1, stored_at = CURRENT_TIMESTAMP WHERE row_count = 0"
                .to_owned(),
            "UPDATE participant SET unsubscribed_at = added_at WHERE unsubscribed_at IS NULL"
                .to_owned(),
        ],
    )
    .await;

    let refused_too = match database.backend() {
        Backend::Postgres => REFUSED_ON_POSTGRES,
        _ => &[],
    };
    for statement in REFUSED.iter().chain(refused_too) {
        let error = match as_service.execute_unprepared(statement).await {
            Ok(_) => panic!("the role may, but must not: {statement}"),
            Err(error) => error.to_string(),
        };
        assert!(
            error.contains("denied") || error.contains("must be owner"),
            "{statement}: {error}"
        );
    }
    as_service.close().await.expect("a connection closes");
    as_owner.close().await.expect("a connection closes");
    roles.remove(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_the_service_are_enough_and_no_more_on_postgres() {
    rights_are_enough_and_no_more(scratch(Backend::Postgres).await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_the_service_are_enough_and_no_more_on_postgres_under_the_guard() {
    rights_are_enough_and_no_more(scratch(Backend::Postgres).await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_the_service_are_enough_and_no_more_on_mariadb() {
    rights_are_enough_and_no_more(scratch(Backend::MariaDb).await, false).await;
}
