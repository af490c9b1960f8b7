//! Settings of a server that write the values of statements into its logs: an `import` sends its rows as
//! values, so these would hold people in clear, out of reach of any run.
//!
//! What a session may set itself is set: on MariaDB `slow_query_log`, on PostgreSQL
//! `log_parameter_max_length_on_error` and `debug_print_*`. The rest is an administrator's
//! (`deploy/sql/postgres-server-log.sql`); here it is found, so that somebody hears of it.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use super::connect::Database;
use super::dialect::Dialect;
use super::error::StoreError;
use super::transaction::Transaction;

/// Settings of PostgreSQL that are looked at, as they hold for our session: those of the role included.
/// Settings of a module that is not loaded are not there.
const POSTGRES: &str = "SELECT CAST(name AS text) AS name, CAST(setting AS text) AS setting \
     FROM pg_settings WHERE name IN ('log_parameter_max_length', 'log_statement', \
     'log_min_duration_statement', 'log_min_duration_sample', 'log_statement_sample_rate', \
     'log_transaction_sample_rate', 'auto_explain.log_min_duration', 'auto_explain.sample_rate', \
     'pgaudit.log', 'pgaudit.log_parameter')";

/// As [`POSTGRES`]. A variable that is global only stands among those of the session, too.
const MARIADB: &str = "SELECT CAST(LOWER(variable_name) AS CHAR) AS name, \
     CAST(variable_value AS CHAR) AS setting FROM information_schema.session_variables \
     WHERE variable_name IN ('general_log', 'sql_log_off', 'slow_query_log', 'log_bin', 'sql_log_bin', \
     'binlog_format', 'binlog_annotate_row_events', 'server_audit_logging', 'server_audit_events', \
     'server_audit_incl_users', 'server_audit_excl_users') \
     UNION ALL SELECT 'our user', SUBSTRING_INDEX(USER(), '@', 1)";

/// The settings by which the server would write people into its logs, each as `name=value`; empty if there
/// are none.
pub async fn settings_that_log_people(database: &Database) -> Result<Vec<String>, StoreError> {
    let sql = match database.dialect() {
        Dialect::Postgres => POSTGRES,
        Dialect::MariaDb => MARIADB,
        Dialect::Sqlite => return Ok(Vec::new()),
    };
    let transaction = database
        .begin_read("asking what the server writes into its logs")
        .await?;
    let found = read(&transaction, sql).await;
    transaction.rollback().await?;
    Ok(found?.judge(database.dialect()))
}

async fn read(transaction: &Transaction, sql: &str) -> Result<Settings, StoreError> {
    let rows = transaction
        .rows::<Row>("server_logs.settings", sql, &[])
        .await?;
    let settings = rows.into_iter().map(|row| (row.name, row.setting));
    Ok(Settings(settings.collect()))
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    setting: String,
}

/// Values by name.
struct Settings(BTreeMap<String, String>);

impl Settings {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn is_on(&self, name: &str) -> bool {
        ["on", "1", "yes", "true"].contains(&self.get(name).to_ascii_lowercase().as_str())
    }

    /// Whether the setting, a list, has this element.
    fn lists(&self, name: &str, element: &str) -> bool {
        let mut elements = self.get(name).split(',').map(str::trim);
        elements.any(|one| !one.is_empty() && one.eq_ignore_ascii_case(element))
    }

    /// Whether a duration from which on something is logged is set; -1 is none.
    fn logs_from(&self, name: &str) -> bool {
        self.get(name).parse::<f64>().is_ok_and(|from| from >= 0.0)
    }

    fn has_share(&self, name: &str) -> bool {
        self.get(name).parse::<f64>().is_ok_and(|share| share > 0.0)
    }

    fn judge(&self, dialect: Dialect) -> Vec<String> {
        let mut names = match dialect {
            Dialect::Postgres => self.judge_postgres(),
            Dialect::MariaDb => self.judge_mariadb(),
            Dialect::Sqlite => Vec::new(),
        };
        names.sort_unstable();
        names.dedup();
        let shown = names
            .iter()
            .map(|name| format!("{name}={}", self.get(name)));
        shown.collect()
    }

    fn judge_postgres(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.get("log_parameter_max_length") != "0" {
            if ["all", "mod"].contains(&self.get("log_statement")) {
                names.push("log_statement");
            }
            if self.logs_from("log_min_duration_statement") {
                names.push("log_min_duration_statement");
            }
            if self.logs_from("log_min_duration_sample")
                && self.has_share("log_statement_sample_rate")
            {
                names.push("log_min_duration_sample");
            }
            if self.has_share("log_transaction_sample_rate") {
                names.push("log_transaction_sample_rate");
            }
            if !names.is_empty() {
                names.push("log_parameter_max_length");
            }
        }
        // A plan holds values of its own, whatever is said of parameters.
        if self.logs_from("auto_explain.log_min_duration")
            && self.has_share("auto_explain.sample_rate")
        {
            names.push("auto_explain.log_min_duration");
        }
        let audits = self.lists("pgaudit.log", "write")
            || (self.lists("pgaudit.log", "all") && !self.lists("pgaudit.log", "-write"));
        if audits && self.is_on("pgaudit.log_parameter") {
            names.extend(["pgaudit.log", "pgaudit.log_parameter"]);
        }
        names
    }

    fn judge_mariadb(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.is_on("general_log") && !self.is_on("sql_log_off") {
            names.push("general_log");
        }
        // We switch it off; somebody between us and the server may have switched it on again.
        if self.is_on("slow_query_log") {
            names.push("slow_query_log");
        }
        if self.is_on("log_bin") && self.is_on("sql_log_bin") {
            if self.get("binlog_format").eq_ignore_ascii_case("STATEMENT") {
                names.push("binlog_format");
            } else if self.is_on("binlog_annotate_row_events") {
                names.push("binlog_annotate_row_events");
            }
        }
        let is_audited = match self.get("server_audit_incl_users") {
            // Those who are included count first.
            "" => !self.lists("server_audit_excl_users", self.get("our user")),
            _ => self.lists("server_audit_incl_users", self.get("our user")),
        };
        let events = self.get("server_audit_events").to_ascii_uppercase();
        let holds_statements = events.is_empty() || events.contains("QUERY");
        if self.is_on("server_audit_logging") && is_audited && holds_statements {
            names.push("server_audit_logging");
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(dialect: Dialect, settings: &[(&str, &str)]) -> Vec<String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Settings(settings.iter().map(own).collect()).judge(dialect)
    }

    #[test]
    fn postgres_logs_people_by_statement_or_plan_unless_parameters_are_left_out() {
        let defaults = [
            ("log_parameter_max_length", "-1"),
            ("log_statement", "none"),
            ("log_min_duration_statement", "-1"),
            ("log_min_duration_sample", "-1"),
            ("log_statement_sample_rate", "1"),
            ("log_transaction_sample_rate", "0"),
        ];
        let with = |more: &[(&'static str, &'static str)]| {
            judged(Dialect::Postgres, &[&defaults[..], more].concat())
        };
        assert_eq!(with(&[]), [""; 0]);
        for (name, value) in [
            ("log_statement", "all"),
            ("log_statement", "mod"),
            ("log_min_duration_statement", "0"),
            ("log_min_duration_statement", "250"),
            ("log_min_duration_sample", "0"),
            ("log_transaction_sample_rate", "0.01"),
        ] {
            let mut expected = vec![
                format!("{name}={value}"),
                "log_parameter_max_length=-1".to_owned(),
            ];
            expected.sort();
            assert_eq!(with(&[(name, value)]), expected);
            let left_out = with(&[(name, value), ("log_parameter_max_length", "0")]);
            assert_eq!(left_out, [""; 0], "{name}");
        }
        assert_eq!(with(&[("log_statement", "ddl")]), [""; 0]);
        let explains = [
            ("log_parameter_max_length", "0"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.sample_rate", "1"),
        ];
        assert_eq!(with(&explains), ["auto_explain.log_min_duration=0"]);
        let audits = [
            ("pgaudit.log", "write, read"),
            ("pgaudit.log_parameter", "on"),
        ];
        assert_eq!(with(&audits).len(), 2);
        assert_eq!(with(&audits[..1]), [""; 0]);
        for (what, logged) in [
            ("all", 2),
            ("ddl, role", 0),
            ("all, -write", 0),
            ("none", 0),
        ] {
            let audits = [("pgaudit.log", what), audits[1]];
            assert_eq!(with(&audits).len(), logged, "{what}");
        }
    }

    #[test]
    fn mariadb_logs_people_by_whatever_holds_the_text_of_a_statement() {
        let defaults = [
            ("general_log", "OFF"),
            ("sql_log_off", "OFF"),
            ("slow_query_log", "OFF"),
            ("log_bin", "OFF"),
            ("sql_log_bin", "ON"),
            ("binlog_format", "MIXED"),
            ("binlog_annotate_row_events", "ON"),
        ];
        let with = |more: &[(&'static str, &'static str)]| {
            judged(Dialect::MariaDb, &[&defaults[..], more].concat())
        };
        assert_eq!(with(&[]), [""; 0]);
        assert_eq!(with(&[("general_log", "ON")]), ["general_log=ON"]);
        assert_eq!(
            with(&[("general_log", "ON"), ("sql_log_off", "ON")]),
            [""; 0]
        );
        assert_eq!(with(&[("slow_query_log", "ON")]), ["slow_query_log=ON"]);
        let annotates = ["binlog_annotate_row_events=ON"];
        assert_eq!(with(&[("log_bin", "ON")]), annotates);
        let quiet = [("log_bin", "ON"), ("binlog_annotate_row_events", "OFF")];
        assert_eq!(with(&quiet), [""; 0]);
        let statements = [("log_bin", "ON"), ("binlog_format", "STATEMENT")];
        assert_eq!(with(&statements), ["binlog_format=STATEMENT"]);
        assert_eq!(
            with(&[("server_audit_logging", "ON")]),
            ["server_audit_logging=ON"]
        );
        let us = ("our user", "retentiond_run");
        let audits = ("server_audit_logging", "ON");
        for (setting, is_logged) in [
            (
                ("server_audit_excl_users", "platform,retentiond_run"),
                false,
            ),
            (("server_audit_excl_users", "platform"), true),
            (("server_audit_incl_users", "platform"), false),
            (("server_audit_incl_users", "retentiond_run"), true),
            (("server_audit_events", "CONNECT,TABLE"), false),
            (("server_audit_events", "query_dml"), true),
        ] {
            assert_eq!(
                !with(&[us, audits, setting]).is_empty(),
                is_logged,
                "{setting:?}"
            );
        }
    }
}
