//! The settings of a session on MariaDB that change what a statement returns or does. Somebody may have
//! set any of them for the server; so each new connection sets all of them, and
//! [`super::requirements`] reads them back.

use sea_orm::sqlx::{self, Executor, MySqlConnection};

/// A setting: its name, the value that is set, and the value that is read back; `None` = it is not.
struct Setting(&'static str, &'static str, Option<&'static str>);

const SETTINGS: [Setting; 14] = [
    // Strict, so that a value that does not fit is refused and never cut.
    Setting(
        "sql_mode",
        "'TRADITIONAL,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'",
        None,
    ),
    Setting("time_zone", "'+00:00'", Some("+00:00")),
    // Otherwise parents go, and their children stay.
    Setting("foreign_key_checks", "1", Some("ON")),
    Setting("unique_checks", "1", Some("ON")),
    Setting("check_constraint_checks", "1", Some("ON")),
    // Otherwise a query returns fewer rows than there are, without a word (`--safe-updates`).
    Setting(
        "sql_select_limit",
        "18446744073709551615",
        Some("18446744073709551615"),
    ),
    // Otherwise statements are refused that read or write much (1175, 1104).
    Setting("sql_safe_updates", "0", Some("OFF")),
    Setting("sql_big_selects", "1", Some("ON")),
    // Otherwise a transaction begins, or goes on, where we did not say so.
    Setting("autocommit", "1", Some("ON")),
    Setting("completion_type", "'NO_CHAIN'", Some("NO_CHAIN")),
    // Otherwise `id IS NULL` finds the row that was inserted last.
    Setting("sql_auto_is_null", "0", Some("OFF")),
    // Otherwise the clock stands still.
    Setting("timestamp", "DEFAULT", None),
    // Otherwise a versioned table shows its rows of once.
    Setting("system_versioning_asof", "DEFAULT", Some("DEFAULT")),
    // Otherwise statements that take long stand in a log with their values: an `import`'s are people. No
    // erasure depends on it, so it is not read back to decide; `super::server_logs` warns.
    Setting("slow_query_log", "0", None),
];

/// Sets all of them.
pub(in crate::store) async fn set(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let assignments: Vec<String> = SETTINGS
        .iter()
        .map(|Setting(name, value, _)| format!("{name} = {value}"))
        .collect();
    let set = format!("SET SESSION {}", assignments.join(", "));
    connection.execute(sqlx::AssertSqlSafe(set)).await?;
    Ok(())
}

/// A table `setting` of those that are read back: their `name`, `value` and `expected` value.
pub(in crate::store) fn read_back() -> String {
    let rows: Vec<String> = SETTINGS
        .iter()
        .filter_map(|Setting(name, _, expected)| {
            let expected = (*expected)?;
            Some(format!(
                "SELECT '{name}' AS name, CAST(@@SESSION.{name} AS CHAR) AS value, \
                 '{expected}' AS expected"
            ))
        })
        .collect();
    format!("({}) AS setting", rows.join(" UNION ALL "))
}
