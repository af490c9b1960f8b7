//! What differs between PostgreSQL, MariaDB and SQLite.
//!
//! The text of a statement is the same at every call (drivers cache prepared statements by their
//! text, and evicting one stalls), so lists of ids travel as one parameter: an array on PostgreSQL,
//! a JSON document elsewhere.

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Value};
use uuid::Uuid;

/// A database that the service runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL 15 and up.
    Postgres,
    /// MariaDB 10.11 and up.
    MariaDb,
    /// SQLite 3.45 and up, embedded.
    Sqlite,
}

impl Dialect {
    /// MariaDB's table `list` with a row for each of `:ids`. MariaDB 10.11 runs `IN (SELECT …)` in an UPDATE or
    /// DELETE once for every row of the table; a join that starts at the list looks every id up by key.
    pub const MARIADB_IDS: &str = "JSON_TABLE(:ids, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list";

    /// How many tenants gain by being erased side by side: where a page holds rows of many of them, as
    /// it does on PostgreSQL, it is read and written once for all. MariaDB keeps a tenant's rows
    /// together, and on SQLite it made no difference (`docs/performance.md`).
    #[must_use]
    pub fn tenants_side_by_side(self) -> u16 {
        match self {
            Self::Postgres => 32,
            Self::MariaDb | Self::Sqlite => 1,
        }
    }

    /// The dialect of a SeaORM backend.
    #[must_use]
    pub fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::MySql => Self::MariaDb,
            DbBackend::Sqlite => Self::Sqlite,
            _ => Self::Postgres,
        }
    }

    /// The SeaORM backend of this dialect.
    #[must_use]
    pub fn backend(self) -> DbBackend {
        match self {
            Self::Postgres => DbBackend::Postgres,
            Self::MariaDb => DbBackend::MySql,
            Self::Sqlite => DbBackend::Sqlite,
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }

    /// The type to which a sum is cast: of whole numbers it is a DECIMAL on the servers.
    #[must_use]
    pub fn integer(self) -> &'static str {
        match self {
            Self::MariaDb => "SIGNED",
            Self::Postgres | Self::Sqlite => "BIGINT",
        }
    }

    /// The newest month that has begun anywhere on Earth by the instant `instant`; see
    /// [`crate::domain::record::MonthsCome`].
    #[must_use]
    pub fn month_begun_by(self, instant: &str) -> String {
        match self {
            Self::Postgres => {
                format!("to_char(({instant} + interval '15 hours') AT TIME ZONE 'UTC', 'YYYY-MM')")
            }
            Self::MariaDb => {
                format!("CONVERT(DATE_FORMAT({instant} + INTERVAL 15 HOUR, '%Y-%m') USING utf8mb4)")
            }
            Self::Sqlite => format!("strftime('%Y-%m', {instant}, '+15 hours')"),
        }
    }

    /// The server that executes the statement, as it names itself: address, database, and on the servers what
    /// tells one from another of the same address. At most 255 characters.
    #[must_use]
    pub fn server(self) -> &'static str {
        match self {
            Self::Postgres => {
                "(SELECT left(COALESCE(host(inet_server_addr()) || ':' || inet_server_port(), 'socket') \
                 || '/' || current_database() || ' (system ' || system_identifier || ')', 255) \
                 FROM pg_control_system())"
            }
            Self::MariaDb => {
                "LEFT(CONCAT(@@hostname, ':', @@port, '/', COALESCE(DATABASE(), '-'), ' (server_id ', \
                 @@GLOBAL.server_id, ')'), 255)"
            }
            Self::Sqlite => {
                "(SELECT substr(file, -255) FROM pragma_database_list WHERE name = 'main')"
            }
        }
    }

    /// The database's clock, in UTC: the moment of the call, not the start of the transaction.
    #[must_use]
    pub fn now(self) -> &'static str {
        match self {
            Self::Postgres => "clock_timestamp()",
            Self::MariaDb => "UTC_TIMESTAMP(6)",
            Self::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
        }
    }

    /// The database's clock plus the parameter `:seconds` (a fraction is allowed).
    #[must_use]
    pub fn now_plus_seconds(self) -> &'static str {
        match self {
            Self::Postgres => "clock_timestamp() + make_interval(secs => :seconds)",
            Self::MariaDb => {
                "UTC_TIMESTAMP(6) + INTERVAL CAST(:seconds * 1000000 AS SIGNED) MICROSECOND"
            }
            Self::Sqlite => {
                "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+f seconds', :seconds))"
            }
        }
    }

    /// Condition that the row comes after the cursor `(:cursor_added_at, :cursor_id)`.
    ///
    /// MariaDB reads an index only as far as a row comparison's first column; spelled out as two
    /// ranges it seeks to the cursor even when a million rows share one `added_at`.
    #[must_use]
    pub fn after_cursor(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "(added_at, id) > (:cursor_added_at, :cursor_id)",
            Self::MariaDb => {
                "((added_at = :cursor_added_at AND id > :cursor_id) OR added_at > :cursor_added_at)"
            }
        }
    }

    /// A participant's address, for [`Dialect::address`] to read. In hexadecimal on SQLite, whose
    /// columns take any value: what is no text would fail the read of the whole page.
    #[must_use]
    pub fn select_address(self) -> &'static str {
        match self {
            Self::Sqlite => "CASE WHEN email IS NOT NULL THEN hex(email) END",
            _ => "email",
        }
    }

    /// The address that was selected; `None` when it is no text.
    #[must_use]
    pub fn address(self, selected: &str) -> Option<String> {
        match self {
            Self::Sqlite => String::from_utf8(hex::decode(selected).ok()?).ok(),
            _ => Some(selected.to_owned()),
        }
    }

    /// Locks the selected rows until the end of the transaction. SQLite locks the whole database
    /// at the start of a writing transaction instead.
    #[must_use]
    pub fn for_update(self, skip_locked: bool) -> &'static str {
        match (self, skip_locked) {
            (Self::Sqlite, _) => "",
            (_, true) => "FOR UPDATE SKIP LOCKED",
            (_, false) => "FOR UPDATE",
        }
    }

    /// Locks a row that others refer to, without stopping them from referring to it where the
    /// database can tell the two apart.
    #[must_use]
    pub fn for_no_key_update(self) -> &'static str {
        match self {
            Self::Postgres => "FOR NO KEY UPDATE",
            Self::MariaDb => "FOR UPDATE",
            Self::Sqlite => "",
        }
    }

    /// `SELECT {columns} FROM {table}` for the rows whose `key` is in `:ids`, within the tenant.
    #[must_use]
    pub fn select_by_ids(self, columns: &str, table: &str, key: &str, condition: &str) -> String {
        match self {
            Self::MariaDb => format!(
                "SELECT {columns} FROM {list} STRAIGHT_JOIN {table} \
                 ON {table}.tenant_id = :tenant AND {table}.{key} = UNHEX(list.h) WHERE {condition}",
                list = Self::MARIADB_IDS
            ),
            _ => format!(
                "SELECT {columns} FROM {table} WHERE tenant_id = :tenant AND {key} {} \
                 AND {condition}",
                self.in_ids()
            ),
        }
    }

    /// `UPDATE {table}` of the rows whose `key` is in `:ids`, within the tenant.
    #[must_use]
    pub fn update_by_ids(self, table: &str, key: &str, set: &str, condition: &str) -> String {
        match self {
            Self::MariaDb => format!(
                "UPDATE {list} STRAIGHT_JOIN {table} \
                 ON {table}.tenant_id = :tenant AND {table}.{key} = UNHEX(list.h) \
                 SET {set} WHERE {condition}",
                list = Self::MARIADB_IDS
            ),
            _ => format!(
                "UPDATE {table} SET {set} WHERE tenant_id = :tenant AND {key} {} AND {condition}",
                self.in_ids()
            ),
        }
    }

    /// Value of the parameter `:ids`.
    #[must_use]
    pub fn ids(self, ids: &[Uuid]) -> Value {
        match self {
            Self::Postgres => Value::Array(
                ArrayType::Uuid,
                Some(Box::new(ids.iter().map(|id| Value::from(*id)).collect())),
            ),
            Self::MariaDb | Self::Sqlite => {
                let mut json = String::with_capacity(2 + ids.len() * 35);
                json.push('[');
                for (position, id) in ids.iter().enumerate() {
                    if position > 0 {
                        json.push(',');
                    }
                    json.push('"');
                    json.push_str(&id.simple().to_string());
                    json.push('"');
                }
                json.push(']');
                Value::from(json)
            }
        }
    }

    /// Condition that the 32-byte value `column` is in `:hmacs`.
    #[must_use]
    pub fn in_hmacs(self, column: &str) -> String {
        match self {
            Self::Postgres => format!("{column} = ANY(:hmacs)"),
            Self::Sqlite => format!("{column} IN (SELECT unhex(value) FROM json_each(:hmacs))"),
            Self::MariaDb => format!(
                "{column} IN (SELECT UNHEX(h) FROM \
                 JSON_TABLE(:hmacs, '$[*]' COLUMNS (h CHAR(64) PATH '$')) AS list)"
            ),
        }
    }

    /// Value of the parameter `:hmacs`.
    #[must_use]
    pub fn hmacs(self, hmacs: &[[u8; 32]]) -> Value {
        match self {
            Self::Postgres => Value::Array(
                ArrayType::Bytes,
                Some(Box::new(
                    hmacs
                        .iter()
                        .map(|hmac| Value::from(hmac.to_vec()))
                        .collect(),
                )),
            ),
            Self::MariaDb | Self::Sqlite => {
                let list: Vec<String> = hmacs.iter().map(hex::encode).collect();
                Value::from(format!("[\"{}\"]", list.join("\",\"")))
            }
        }
    }

    /// Value of the parameter `:entries` of [`Dialect::list_of_texts`].
    #[must_use]
    pub(in crate::store) fn texts(self, texts: &[String]) -> Value {
        match self {
            Self::Postgres => Value::Array(
                ArrayType::String,
                Some(Box::new(texts.iter().map(Value::from).collect())),
            ),
            Self::MariaDb | Self::Sqlite => Value::from(serde_json::json!(texts).to_string()),
        }
    }

    /// A table `list` with a row for each text of `:entries`, in the column `entry`.
    #[must_use]
    pub(in crate::store) fn list_of_texts(self) -> &'static str {
        match self {
            Self::Postgres => "unnest(:entries) AS list(entry)",
            Self::MariaDb => {
                "JSON_TABLE(:entries, '$[*]' COLUMNS (entry VARCHAR(255) CHARACTER SET utf8mb4 \
                 COLLATE utf8mb4_nopad_bin PATH '$')) AS list"
            }
            Self::Sqlite => "(SELECT value AS entry FROM json_each(:entries)) AS list",
        }
    }

    /// The bytes of a text of hexadecimal digits.
    #[must_use]
    pub(in crate::store) fn of_hex(self, text: &str) -> String {
        match self {
            Self::Postgres => format!("decode({text}, 'hex')"),
            Self::MariaDb | Self::Sqlite => format!("UNHEX({text})"),
        }
    }

    /// The sum of whole numbers, as one; 0 of no rows.
    #[must_use]
    pub fn sum(self, of: &str) -> String {
        let whole = match self {
            Self::MariaDb => "SIGNED",
            Self::Postgres | Self::Sqlite => "BIGINT",
        };
        format!("CAST(COALESCE(SUM({of}), 0) AS {whole})")
    }

    /// Condition that the row's `id` is in `:ids`; for reading, see [`Dialect::update_by_ids`] for writing.
    #[must_use]
    pub fn id_in_ids(self) -> String {
        format!("id {}", self.in_ids())
    }

    /// Condition that the row's `id` is not in `:ids`.
    #[must_use]
    pub fn id_not_in_ids(self) -> String {
        format!("NOT (id {})", self.in_ids())
    }

    fn in_ids(self) -> &'static str {
        match self {
            Self::Postgres => "= ANY(:ids)",
            Self::Sqlite => "IN (SELECT unhex(value) FROM json_each(:ids))",
            Self::MariaDb => {
                "IN (SELECT UNHEX(h) FROM JSON_TABLE(:ids, '$[*]' COLUMNS (h CHAR(32) PATH '$')) AS list)"
            }
        }
    }
}
