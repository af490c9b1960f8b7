//! `migrate up` killed after each of its statements: the next one takes it up, and the schema is that of
//! an undisturbed one. On MariaDB what was made stays; on PostgreSQL nothing does.

use std::process::Stdio;
use std::sync::{Arc, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::support::proxy::{Fault, Proxy, Trigger, Victim};
use crate::support::{Backend, Binary, Scratch, holds_within, scratch};

/// A migration that takes longer hangs.
const LONG: std::time::Duration = std::time::Duration::from_secs(120);

/// How the first statement of a migration begins. What comes before it goes over either connection.
const FIRST: &str = "CREATE TABLE";

/// `migrate up` through a proxy that kills it when the answer to a request has been passed on; what it
/// asked for, from the first statement of the migration on.
async fn migrate(database: &Scratch, kill_after: Option<usize>) -> Vec<String> {
    let victim = Victim::default();
    let faults: Vec<_> = kill_after
        .map(|number| (Trigger::Since(FIRST, number), Fault::KillAfter))
        .into_iter()
        .collect();
    let backend = database.backend();
    let proxy = Proxy::start(backend, database.url(), &faults, Arc::clone(&victim)).await;
    // On MariaDB one connection holds the lock, and so all of a migration goes over the other one. With
    // more of them, it would be a matter of chance which of them has prepared a statement before.
    let binary = Binary::new()
        .env("RETENTIOND__DATABASE__URL", &proxy.url(database.url()))
        .env("RETENTIOND__DATABASE__MAX_CONNECTIONS", "2");
    let mut command = binary.command(&["migrate", "up"]);
    {
        // Locked until the process is there: it may come to its fault before we get on.
        let mut victim = victim.lock().expect("no panic");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        *victim = Some(child.expect("the binary starts"));
    }
    let mut succeeded = false;
    let ended = holds_within(LONG, async || {
        let mut victim = victim.lock().unwrap_or_else(PoisonError::into_inner);
        let child = victim.as_mut().expect("started");
        let status = child.try_wait().expect("a child of ours");
        succeeded = status.is_some_and(|status| status.success());
        status.is_some()
    });
    assert!(ended.await, "`migrate up` hangs: {kill_after:?}");
    assert_eq!(succeeded, kill_after.is_none(), "{kill_after:?}");
    assert_eq!(proxy.struck().len(), faults.len(), "{kill_after:?}");
    let seen = proxy.seen().into_iter().map(|seen| seen.text);
    // The number of a prepared statement is the server's.
    let seen = seen.map(|text| match text.starts_with("(execute") {
        true => "(execute)".to_owned(),
        false => text,
    });
    seen.skip_while(|text| !text.starts_with(FIRST)).collect()
}

/// Statements that change the schema or its record, by number.
fn points(seen: &[String]) -> Vec<usize> {
    let is_change = |text: &str| {
        let word = text.split_whitespace().next().unwrap_or_default();
        ["CREATE", "ALTER", "INSERT", "DROP", "UPDATE"].contains(&word.to_uppercase().as_str())
    };
    let is_execute = |index: usize| seen.get(index).is_some_and(|text| text == "(execute)");
    // Prepared first, and then executed; a statement that was prepared before is only executed.
    // What comes after goes over either connection again.
    let last = seen.iter().position(|text| text.contains("RELEASE_LOCK"));
    let changes = (0..last.unwrap_or(seen.len()))
        .filter(|index| is_execute(*index) || (is_change(&seen[*index]) && !is_execute(index + 1)));
    changes.map(|index| index + 1).collect()
}

/// What makes each table, and what has been migrated.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let rows = |sql: String| async move {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        db.query_all_raw(statement).await.expect("rows")
    };
    let of_tables = "SELECT CONVERT(table_name USING utf8mb4) FROM information_schema.tables \
                     WHERE table_schema = DATABASE()";
    let mut all = Vec::new();
    for table in rows(of_tables.to_owned()).await {
        let table: String = table.try_get_by_index(0).expect("a name");
        let shown = rows(format!("SHOW CREATE TABLE `{table}`")).await;
        all.push(shown[0].try_get_by_index(1).expect("a statement"));
    }
    for row in rows("SELECT version FROM seaql_migrations".to_owned()).await {
        all.push(row.try_get_by_index(0).expect("a version"));
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_killed_after_any_statement_is_taken_up_on_mariadb() {
    let undisturbed = scratch(Backend::MariaDb).await;
    let seen = migrate(&undisturbed, None).await;
    let expected = schema(&undisturbed.connect().await).await;
    let points = points(&seen);
    // Thirteen tables, their indexes and columns, and a record of each migration.
    assert!(points.len() > 35, "{seen:#?}");
    for point in points {
        let database = scratch(Backend::MariaDb).await;
        let killed = migrate(&database, Some(point)).await;
        for (number, (killed, seen)) in killed.iter().zip(&seen).take(point).enumerate() {
            assert_eq!(killed, seen, "request {number} on the way to {point}");
        }
        let after = &seen[point.saturating_sub(2)..point];
        Binary::on(&database).run(&["migrate", "up"]).expect_code(0);
        let found = schema(&database.connect().await).await;
        assert_eq!(found, expected, "killed after {after:?}");
    }
}

/// All of it is one transaction there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_killed_leaves_nothing_on_postgres() {
    let undisturbed = scratch(Backend::Postgres).await;
    let seen = migrate(&undisturbed, None).await;
    let points = points(&seen);
    let commit = seen.iter().rposition(|text| text.starts_with("INSERT"));
    let before_it = commit.expect("a record of the last migration");
    for point in [points[0], points[points.len() / 2], before_it] {
        let database = scratch(Backend::Postgres).await;
        migrate(&database, Some(point)).await;
        let db = database.connect().await;
        let tables = || async {
            let sql = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
            let statement = Statement::from_string(db.get_database_backend(), sql);
            let row = db.query_one_raw(statement).await.expect("a query");
            row.expect("a row")
                .try_get_by_index::<i64>(0)
                .expect("a count")
        };
        assert_eq!(tables().await, 0, "killed after {:?}", seen[point - 1]);
        Binary::on(&database).run(&["migrate", "up"]).expect_code(0);
        assert!(tables().await > 10);
    }
}

/// `IF NOT EXISTS` alone would take somebody else's table for ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_somebody_elses_is_not_taken_for_ours() {
    for backend in [Backend::Postgres, Backend::MariaDb] {
        let database = scratch(backend).await;
        let db = database.connect().await;
        db.execute_unprepared("CREATE TABLE participant (id INT PRIMARY KEY, mail VARCHAR(99))")
            .await
            .expect("a table");
        let ended = Binary::on(&database).run(&["migrate", "up"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("a database of its own"), "{ended:?}");
        db.execute_unprepared("SELECT mail FROM participant")
            .await
            .expect("as it was");
    }
}
