//! Green means that people go: for every way to make the database smaller, more lenient or another than the
//! service thinks, somebody who is due is either gone with everything that belongs to them, or nobody is told
//! that all is well. To add a way is one line in [`WAYS`].

use std::time::Duration;

use retentiond::ids::TenantId;
use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::support::database::scratch_on;
use crate::support::own_mariadb::OwnMariadb;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Person, World, holds_within, scratch};

/// Something that an operator, a dump or a managed server does.
struct Way {
    backend: Backend,
    /// By the owner, on the database in which somebody is due. `DATABASE` stands for its name.
    done: &'static str,
    /// What mends it, where the daemon must go on by itself then.
    undone: &'static str,
    /// The requirement by which it is refused; `None` = the service must work all the same.
    class: Option<&'static str>,
}

const fn way(
    backend: Backend,
    done: &'static str,
    undone: &'static str,
    class: Option<&'static str>,
) -> Way {
    Way {
        backend,
        done,
        undone,
        class,
    }
}

const ROW_SECURITY: Option<&str> = Some("row_security");
const FOREIGN_KEYS: Option<&str> = Some("foreign_keys");
const READ_ONLY: Option<&str> = Some("database_read_only");

#[rustfmt::skip]
const WAYS: &[Way] = &[
    way(Backend::Postgres, "ALTER TABLE participant ENABLE ROW LEVEL SECURITY; CREATE POLICY tenant_isolation ON participant USING (tenant_id = NULLIF(current_setting('app.tenant', true), '')::bigint)", "ALTER TABLE participant DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE tenant ENABLE ROW LEVEL SECURITY", "ALTER TABLE tenant DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE policy ENABLE ROW LEVEL SECURITY", "ALTER TABLE policy DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE upload ENABLE ROW LEVEL SECURITY", "ALTER TABLE upload DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE suppression ENABLE ROW LEVEL SECURITY", "ALTER TABLE suppression DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE participant ENABLE ROW LEVEL SECURITY; CREATE POLICY retentiond_guard_delete ON participant AS RESTRICTIVE FOR DELETE USING (true)", "ALTER TABLE participant DISABLE ROW LEVEL SECURITY", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE participant ENABLE ROW LEVEL SECURITY; CREATE POLICY retentiond_guard_admits ON participant USING (true); CREATE POLICY other ON participant AS RESTRICTIVE FOR SELECT USING (tenant_id = 0)", "DROP POLICY other ON participant", ROW_SECURITY),
    way(Backend::Postgres, "ALTER TABLE answer DROP CONSTRAINT answer_participant", "ALTER TABLE answer ADD CONSTRAINT answer_participant FOREIGN KEY (tenant_id, participant_id) REFERENCES participant (tenant_id, id) ON DELETE CASCADE", FOREIGN_KEYS),
    way(Backend::Postgres, "ALTER TABLE participant DISABLE TRIGGER ALL", "ALTER TABLE participant ENABLE TRIGGER ALL", FOREIGN_KEYS),
    way(Backend::Postgres, "ALTER TABLE invitation DISABLE TRIGGER ALL", "ALTER TABLE invitation ENABLE TRIGGER ALL", FOREIGN_KEYS),
    way(Backend::Postgres, "ALTER DATABASE DATABASE SET session_replication_role = 'replica'", "ALTER DATABASE DATABASE RESET session_replication_role", FOREIGN_KEYS),
    way(Backend::Postgres, "ALTER DATABASE DATABASE SET default_transaction_read_only = on", "BEGIN READ WRITE; ALTER DATABASE DATABASE RESET default_transaction_read_only; COMMIT", READ_ONLY),
    way(Backend::Postgres, "ALTER DATABASE DATABASE SET TimeZone = 'Pacific/Kiritimati'; ALTER DATABASE DATABASE SET DateStyle = 'SQL, DMY'; ALTER DATABASE DATABASE SET transform_null_equals = on; ALTER DATABASE DATABASE SET row_security = off", "SELECT 1", None),
    way(Backend::MariaDb, "ALTER TABLE answer DROP FOREIGN KEY answer_participant", "ALTER TABLE answer ADD CONSTRAINT answer_participant FOREIGN KEY (tenant_id, participant_id) REFERENCES participant (tenant_id, id) ON DELETE CASCADE", FOREIGN_KEYS),
    way(Backend::MariaDb, "ALTER TABLE answer ADD SYSTEM VERSIONING", "ALTER TABLE answer DROP SYSTEM VERSIONING", Some("system_versioning")),
    way(Backend::Sqlite, "CREATE TABLE keyless AS SELECT * FROM answer; DROP TABLE answer; ALTER TABLE keyless RENAME TO answer", "SELECT 1", FOREIGN_KEYS),
];

/// Somebody who is due to be deleted, at a tenant with a policy; and the daemon's role, which is neither
/// owner nor superuser, so that row-level security concerns it.
async fn platform(backend: Backend) -> (World, Option<String>) {
    let world = World::new(scratch(backend).await, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
        .await;
    let person = Person {
        added_at: "2022-06-15T12:00:00Z",
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    };
    world.person(tenant, person).await;
    let role = match backend {
        Backend::Postgres => Some(role(&world).await),
        Backend::MariaDb | Backend::Sqlite => None,
    };
    (world, role)
}

/// A role with every right on the tables; its name, which is also its password.
async fn role(world: &World) -> String {
    let role = format!("requirements_{}", uuid::Uuid::new_v4().simple());
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"),
    ] {
        world.sql(&statement).await;
    }
    role
}

async fn count(world: &World, table: &str) -> i64 {
    world.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

async fn tried(way: &Way) {
    let (world, role) = platform(way.backend).await;
    let database = world.scratch.name().to_owned();
    let named = |text: &str| text.replace("DATABASE DATABASE", &format!("DATABASE {database}"));
    world.sql(&named(way.done)).await;
    let mut binary = world.binary();
    if let Some(role) = &role {
        let (_, place) = world.scratch.url().split_once('@').expect("a host");
        let url = format!("postgres://{role}:{role}@{place}");
        binary = binary.env("RETENTIOND__DATABASE__URL", &url);
    }
    let what = way.done;
    if let Some(class) = way.class {
        // A server that takes no writes can be counted on, and its verdict is that nothing was done.
        let [verify, plan] = if way.class == READ_ONLY {
            [1, 0]
        } else {
            [4, 4]
        };
        for (command, code) in [("run", 4), ("verify", verify), ("plan", plan)] {
            let ended = binary.run(&[command]);
            assert_eq!(
                ended.code, code,
                "{what}: {command}: {} {}",
                ended.stdout, ended.stderr
            );
        }
        let serving = binary.serve();
        let within = Duration::from_secs(60);
        let refused = holds_within(within, async || serving.log().contains(class)).await;
        assert!(refused, "{what}: {}", serving.log());
        let (status, body) = serving.get("/readyz").expect("an answer");
        assert_eq!(status, 503, "{what}: {body}");
        // The condition of RetentiondNotReady, at the first look.
        assert_eq!(serving.metric("retention_ready"), Some(0.0), "{what}");
        assert_eq!(count(&world, "participant").await, 1, "{what}");
        assert_eq!(count(&world, "answer").await, 2, "{what}");
        serving.terminate(within).await;
        // What cannot be mended in place is not tried again.
        if way.undone == "SELECT 1" {
            return;
        }
        let db = world.scratch.connect().await;
        db.execute_unprepared(&named(way.undone))
            .await
            .expect("mended");
    }
    let ended = binary.run(&["run"]);
    assert_eq!(ended.code, 0, "{what}: {} {}", ended.stdout, ended.stderr);
    binary.run(&["verify"]).expect_code(0);
    for table in ["participant", "answer", "invitation", "upload"] {
        assert_eq!(count(&world, table).await, 0, "{what}: {table}");
    }
    if let Some(role) = role {
        world.sql(&format!("DROP OWNED BY {role}")).await;
        world.sql(&format!("DROP ROLE {role}")).await;
    }
}

async fn all_of(backend: Backend) {
    let mut tried_ways = 0;
    for way in WAYS.iter().filter(|way| way.backend == backend) {
        tried(way).await;
        tried_ways += 1;
    }
    assert!(tried_ways > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_to_make_postgres_smaller_is_green() {
    all_of(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_to_make_mariadb_smaller_is_green() {
    all_of(Backend::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_to_make_sqlite_smaller_is_green() {
    all_of(Backend::Sqlite).await;
}

/// Settings of a whole server that change what a session's statements return or do, and what the service
/// makes of them: it sets its own, or says why it does not work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_of_a_mariadb_server_is_green_and_leaves_people() {
    let server = OwnMariadb::start().await;
    let database = scratch_on(Backend::MariaDb, server.url()).await;
    let world = World::new(database, "2024-04-02T00:00:00Z").await;
    // More than the ten rows of --safe-updates.
    for number in 0..15 {
        let tenant = world.tenant(&format!("t{number}"), "UTC").await;
        world
            .policy(tenant, None, Some(12), "2020-01-01T00:00:00Z")
            .await;
    }
    let binary = world.binary();
    for setting in [
        "sql_select_limit = 10",
        "sql_safe_updates = 1",
        "autocommit = 0",
        "completion_type = CHAIN",
        "foreign_key_checks = 0",
        "unique_checks = 0",
        "check_constraint_checks = 0",
        "sql_auto_is_null = 1",
        "sql_big_selects = 0, GLOBAL max_join_size = 1",
        "sql_mode = ''",
        "time_zone = '-11:00'",
        "tx_isolation = 'SERIALIZABLE'",
    ] {
        for tenant in 1..=15 {
            let person = Person {
                added_at: "2022-06-15T12:00:00Z",
                email: None,
                unsubscribed_at: None,
            };
            world.person(TenantId(tenant), person).await;
        }
        world
            .rewrite("UPDATE tenant_run SET state = 'pending'")
            .await;
        world.sql(&format!("SET GLOBAL {setting}")).await;
        let ended = binary.run(&["run"]);
        assert_eq!(
            ended.code, 0,
            "{setting}: {} {}",
            ended.stdout, ended.stderr
        );
        let verified = binary.run(&["verify", "--output", "json"]).expect_code(0);
        let verified: Value = serde_json::from_str(&verified.stdout).expect("JSON");
        assert_eq!(
            verified["tenants"].as_array().expect("tenants").len(),
            15,
            "{setting}"
        );
        // For the connections of the test itself.
        for (name, _) in setting
            .split(", GLOBAL ")
            .filter_map(|one| one.split_once(" = "))
        {
            world.sql(&format!("SET GLOBAL {name} = DEFAULT")).await;
        }
        for table in ["participant", "answer", "invitation", "upload"] {
            assert_eq!(count(&world, table).await, 0, "{setting}: {table}");
        }
    }
    for setting in ["read_only = 1", "tx_read_only = 1"] {
        world.sql(&format!("SET GLOBAL {setting}")).await;
        let ended = binary.run(&["run"]);
        assert_eq!(
            ended.code, 4,
            "{setting}: {} {}",
            ended.stdout, ended.stderr
        );
        let setting = setting.replace('1', "0");
        world.sql(&format!("SET GLOBAL {setting}")).await;
    }
    binary.run(&["verify"]).expect_code(0);
}
