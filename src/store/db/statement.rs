//! Static SQL with a name of its own and named parameters, bound by position.

use sea_orm::{Statement, Value};

use crate::domain::period::Period;
use crate::domain::run_state::RunState;
use crate::ids::TenantId;

use super::dialect::Dialect;

/// Values by name. A name may be used several times in a statement, or not at all.
pub type Parameters<'a> = Vec<(&'a str, Value)>;

/// Shorthand for a list of named values.
#[must_use]
pub fn parameters<'a, const N: usize>(values: [(&'a str, Value); N]) -> Parameters<'a> {
    Vec::from(values)
}

impl From<TenantId> for Value {
    fn from(tenant: TenantId) -> Self {
        tenant.0.into()
    }
}

impl From<Period> for Value {
    fn from(period: Period) -> Self {
        period.to_string().into()
    }
}

impl From<RunState> for Value {
    fn from(state: RunState) -> Self {
        state.name().into()
    }
}

/// `statement` with its name before it, as a comment. The drivers and the three databases send, keep and show
/// a comment as it is: `pg_stat_statements`, `pg_stat_activity`, MariaDB's process list and slow log.
pub(in crate::store) fn named(name: &'static str, mut statement: Statement) -> Statement {
    debug_assert!(is_name(name), "{name} is no name of a statement");
    statement.sql = format!("/* {name} */ {}", statement.sql);
    statement
}

/// `room.what_it_does`.
fn is_name(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    name.split_once('.')
        .is_some_and(|(room, what)| is_word(room) && is_word(what))
}

/// Puts `name` before `sql`, and replaces every `:name` of `sql` by the dialect's positional placeholder.
///
/// A colon that is doubled (a cast), or that no letter follows (a time format), stays as it is.
///
/// # Panics
///
/// When the statement names a parameter that is missing: a mistake in our own text, found by the
/// first test that runs the statement.
pub(in crate::store) fn bind(
    dialect: Dialect,
    name: &'static str,
    sql: &str,
    parameters: &[(&str, Value)],
) -> Statement {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut values = Vec::with_capacity(parameters.len());
    let mut rest = sql;
    while let Some(position) = rest.find(':') {
        let (before, after) = rest.split_at(position);
        text.push_str(before);
        let after = &after[1..];
        let length = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        let starts_a_name = after.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts_a_name || before.ends_with(':') || text.ends_with(':') {
            text.push(':');
            rest = after;
            continue;
        }
        let parameter = &after[..length];
        let value = parameters
            .iter()
            .find(|(known, _)| *known == parameter)
            .map(|(_, value)| value.clone());
        let value = value.unwrap_or_else(|| panic!("statement without a value for :{parameter}"));
        values.push(match (dialect, value) {
            // Bound as a TIMESTAMP, an instant before 1970 compares as no instant at all.
            (Dialect::MariaDb, Value::ChronoDateTimeUtc(time)) => {
                Value::ChronoDateTime(time.map(|time| time.naive_utc()))
            }
            (_, value) => value,
        });
        match dialect {
            Dialect::Postgres => text.push_str(&format!("${}", values.len())),
            Dialect::MariaDb | Dialect::Sqlite => text.push('?'),
        }
        rest = &after[length..];
    }
    text.push_str(rest);
    named(
        name,
        Statement::from_sql_and_values(dialect.backend(), text, values),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_positions_and_other_colons_stay() {
        let sql = "SELECT :b, :a, :a, x::text, strftime('%H:%M:%f+00:00') WHERE c = :long_name";
        let statement = bind(
            Dialect::Postgres,
            "room.what_it_does",
            sql,
            &[
                ("a", 1.into()),
                ("b", 2.into()),
                ("long_name", 3.into()),
                ("unused", 4.into()),
            ],
        );
        assert_eq!(
            statement.sql,
            "/* room.what_it_does */ SELECT $1, $2, $3, x::text, strftime('%H:%M:%f+00:00') WHERE c = $4"
        );
        let values = statement.values.expect("values").0;
        assert_eq!(values, vec![2.into(), 1.into(), 1.into(), 3.into()]);
    }

    #[test]
    #[should_panic(expected = "SELECT 1 is no name of a statement")]
    fn a_statement_without_a_name_is_our_own_mistake() {
        bind(Dialect::Sqlite, "SELECT 1", "SELECT 1", &[]);
    }

    #[test]
    #[should_panic(expected = "statement without a value for :a")]
    fn a_missing_value_is_our_own_mistake() {
        bind(Dialect::Sqlite, "room.what_it_does", "SELECT :a", &[]);
    }
}
