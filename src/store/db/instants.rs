//! What of a column of times is an instant that we can read, asked in SQL.
//!
//! Each database can store something else in such a column: infinities and years that no calendar
//! library has (PostgreSQL), `0000-00-00`, `2024-00-00` and, in some modes, `2024-02-31` (MariaDB), and
//! anything at all (SQLite). A driver that meets one fails or panics, and takes the whole page with it; and
//! in SQLite, which compares texts, another form sorts elsewhere than its time.

use super::dialect::Dialect;

impl Dialect {
    /// Condition that `column` holds an instant, in the form in which we store it. It is never NULL unless
    /// the column is, and it raises no warning, which a strict MariaDB would make an error of a write.
    #[must_use]
    pub fn is_instant(self, column: &str) -> String {
        match self {
            Self::Postgres => format!(
                "({column} >= TIMESTAMPTZ '0001-01-01 00:00:00+00' \
                 AND {column} < TIMESTAMPTZ '10000-01-01 00:00:00+00')"
            ),
            // The length of February by the rule itself: functions that know the calendar warn.
            Self::MariaDb => format!(
                "(YEAR({column}) >= 1 AND MONTH({column}) >= 1 AND DAYOFMONTH({column}) >= 1 \
                 AND DAYOFMONTH({column}) <= CASE WHEN MONTH({column}) IN (4, 6, 9, 11) THEN 30 \
                 WHEN MONTH({column}) <> 2 THEN 31 \
                 WHEN YEAR({column}) % 4 = 0 AND (YEAR({column}) % 100 <> 0 \
                 OR YEAR({column}) % 400 = 0) THEN 29 ELSE 28 END)"
            ),
            // `2024-02-29T22:59:59+00:00`, or with a fraction of up to nine digits after the seconds. SQLite
            // normalises 31 February to March, so what it reads must be what stands there.
            Self::Sqlite => format!(
                "(typeof({column}) = 'text' AND length({column}) IN (25, 27, 28, 29, 30, 31, 32, 33, 34, 35) \
                 AND strftime('%Y-%m-%dT%H:%M:%S', substr({column}, 1, 19)) = substr({column}, 1, 19) \
                 AND substr({column}, -6) = '+00:00' AND (length({column}) = 25 \
                 OR (substr({column}, 20, 1) = '.' \
                 AND substr({column}, 21, length({column}) - 26) NOT GLOB '*[^0-9]*')))"
            ),
        }
    }

    /// The month of `column` in UTC, `2024-04`; NULL or no month where it holds no instant.
    #[must_use]
    pub fn month_of(self, column: &str) -> String {
        match self {
            Self::Postgres => format!(
                "CASE WHEN {} THEN to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM') END",
                self.is_instant(column)
            ),
            Self::MariaDb => format!(
                "CASE WHEN {} THEN DATE_FORMAT({column}, '%Y-%m') END",
                self.is_instant(column)
            ),
            // Of whatever form it is, as long as SQLite can read it: a mark set by SQL may have another.
            Self::Sqlite => {
                format!("CASE WHEN typeof({column}) = 'text' THEN strftime('%Y-%m', {column}) END")
            }
        }
    }

    /// The first instant, in UTC, of the month that [`Dialect::month_of`] reads from `column`; `otherwise`
    /// where it reads none.
    #[must_use]
    pub fn month_start_of(self, column: &str, otherwise: &str) -> String {
        let (condition, start) = match self {
            Self::Postgres => (
                self.is_instant(column),
                format!("date_trunc('month', {column}, 'UTC')"),
            ),
            Self::MariaDb => (
                self.is_instant(column),
                format!("CAST(DATE_FORMAT({column}, '%Y-%m-01') AS DATETIME(6))"),
            ),
            Self::Sqlite => (
                format!("typeof({column}) = 'text' AND strftime('%Y-%m', {column}) IS NOT NULL"),
                format!("strftime('%Y-%m-01T00:00:00+00:00', {column})"),
            ),
        };
        format!("CASE WHEN {condition} THEN {start} ELSE {otherwise} END")
    }

    /// What is set on an invitation that is called off: of the instant at which it was to be sent, only the
    /// month stays. Nothing was sent, and an exact instant may tell whose it was.
    #[must_use]
    pub fn call_off(self) -> String {
        let otherwise = match self {
            // A strict session may not write back what is no date.
            Self::MariaDb => format!(
                "CAST(DATE_FORMAT({}, '%Y-%m-01') AS DATETIME(6))",
                self.now()
            ),
            _ => "invitation.send_at".to_owned(),
        };
        let month = self.month_start_of("invitation.send_at", &otherwise);
        format!("state = 'expired', send_at = {month}")
    }
}
