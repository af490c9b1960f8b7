//! How the stored statements and their plans are written.

use std::collections::BTreeMap;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, TransactionTrait, Value};

use crate::support::{Backend, World};

/// Clauses that begin a line in the stored files.
const CLAUSES: [&str; 13] = [
    " FROM ",
    " LEFT JOIN ",
    " JOIN ",
    " STRAIGHT_JOIN ",
    " ON ",
    " SET ",
    " WHERE ",
    " AND ",
    " GROUP BY ",
    " ORDER BY ",
    " LIMIT ",
    " FOR UPDATE",
    " VALUES ",
];

/// The server's major version, which its plans are of.
pub async fn version(world: &World) -> String {
    let (ask, parts) = match world.scratch.backend() {
        Backend::Postgres => ("SELECT current_setting('server_version')", 1),
        Backend::MariaDb => ("SELECT version()", 2),
        Backend::Sqlite => ("SELECT sqlite_version()", 2),
    };
    let ask = Statement::from_string(world.db.get_database_backend(), ask);
    let row = world.db.query_one_raw(ask).await.expect("a version");
    let version: String = row.expect("a row").try_get_by_index(0).expect("a text");
    version.split('.').take(parts).collect::<Vec<_>>().join(".")
}

/// The plan, line by line.
pub async fn plan_of(world: &World, statement: &Statement) -> Vec<String> {
    let transaction = world.db.begin().await.expect("a transaction");
    let plan = match world.scratch.backend() {
        Backend::Postgres => postgres_plan(&transaction, statement).await,
        Backend::MariaDb => mariadb_plan(&transaction, statement).await,
        Backend::Sqlite => sqlite_plan(&transaction, statement).await,
    };
    transaction.rollback().await.expect("the end");
    plan
}

/// The plan that PostgreSQL keeps for a prepared statement: by the statistics, and not by the values.
async fn postgres_plan(transaction: &DatabaseTransaction, statement: &Statement) -> Vec<String> {
    let values = statement.values.iter().flat_map(|values| &values.0);
    let types: Vec<&str> = values.map(postgres_type).collect();
    let (declared, arguments) = if types.is_empty() {
        (String::new(), String::new())
    } else {
        (
            format!("({})", types.join(", ")),
            format!("({})", vec!["NULL"; types.len()].join(", ")),
        )
    };
    for sql in [
        "SET LOCAL plan_cache_mode = force_generic_plan".to_owned(),
        "SET LOCAL jit = off".to_owned(),
        format!("PREPARE explained {declared} AS {}", statement.sql),
    ] {
        let done = transaction.execute_unprepared(&sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE explained {arguments}");
    let explain = Statement::from_string(transaction.get_database_backend(), explain);
    let rows = transaction.query_all_raw(explain).await.expect("a plan");
    transaction
        .execute_unprepared("DEALLOCATE explained")
        .await
        .expect("forgotten");
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a line"))
        .collect()
}

fn postgres_type(value: &Value) -> &'static str {
    match value {
        Value::Int(_) => "int",
        Value::SmallInt(_) => "smallint",
        Value::BigInt(_) => "bigint",
        Value::Double(_) => "float8",
        Value::Bool(_) => "bool",
        Value::String(_) => "text",
        Value::Bytes(_) => "bytea",
        Value::Uuid(_) => "uuid",
        Value::ChronoDateTimeUtc(_) => "timestamptz",
        Value::Array(ArrayType::Uuid, _) => "uuid[]",
        Value::Array(ArrayType::Bytes, _) => "bytea[]",
        other => panic!("the type of {other:?} is not known here"),
    }
}

/// What MariaDB says of each table, but for names of the scratch database; how many rows it expects depends on the day.
async fn mariadb_plan(transaction: &DatabaseTransaction, statement: &Statement) -> Vec<String> {
    const COLUMNS: [&str; 6] = ["select_type", "table", "type", "key", "key_len", "Extra"];
    // A setting for one statement goes before EXPLAIN, and does not change its plan.
    let sql = match statement.sql.split_once(" FOR INSERT ") {
        Some((_, insert)) => format!("EXPLAIN INSERT {insert}"),
        None => format!("EXPLAIN {}", statement.sql),
    };
    let explain = Statement {
        sql,
        ..statement.clone()
    };
    let rows = transaction.query_all_raw(explain).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
    let line = |row: &sea_orm::QueryResult| {
        COLUMNS
            .map(|column| {
                row.try_get::<Option<String>>("", column)
                    .ok()
                    .flatten()
                    .filter(|said| !said.is_empty())
                    .unwrap_or("-".to_owned())
            })
            .join(" | ")
    };
    std::iter::once(COLUMNS.join(" | "))
        .chain(rows.iter().map(line))
        .collect()
}

/// SQLite's steps, each below the one that it belongs to.
async fn sqlite_plan(transaction: &DatabaseTransaction, statement: &Statement) -> Vec<String> {
    let explain = Statement {
        sql: format!("EXPLAIN QUERY PLAN {}", statement.sql),
        ..statement.clone()
    };
    let rows = transaction.query_all_raw(explain).await.expect("a plan");
    let mut depths = BTreeMap::from([(0, 0)]);
    let mut lines = Vec::new();
    for row in &rows {
        let number = |column| row.try_get::<i32>("", column).expect("a number");
        let depth = depths.get(&number("parent")).copied().unwrap_or_default();
        depths.insert(number("id"), depth + 1);
        let detail: String = row.try_get("", "detail").expect("a text");
        lines.push(format!("{}{detail}", "  ".repeat(depth)));
    }
    lines
}

/// A clause a line, so that a difference is one of a line. Expressions stay on theirs.
pub fn in_lines(sql: &str) -> String {
    let mut lines = String::with_capacity(sql.len() * 2);
    let (mut depth, mut cases) = (0_usize, 0_usize);
    let mut rest = sql.trim_end();
    while let Some(next) = rest.chars().next() {
        if cases == 0 && CLAUSES.iter().any(|clause| rest.starts_with(clause)) {
            lines.push_str(&format!("\n{}", "  ".repeat(depth + 1)));
            rest = &rest[1..];
        } else {
            match next {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if rest.starts_with("CASE ") => cases += 1,
                _ if rest.starts_with("END") && cases > 0 => cases -= 1,
                _ => {}
            }
            lines.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    lines
}
