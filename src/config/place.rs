//! Which database a URL names, whoever connects and however: what a reload may not change.

use std::fmt;
use std::path::PathBuf;

use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::url::DatabaseUrl;

/// A database, by address and name. Shows neither user nor password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabasePlace {
    kind: &'static str,
    /// The host, or the folder of its socket.
    host: String,
    port: u16,
    /// The database, or the file.
    name: Option<PathBuf>,
    /// PostgreSQL's `options`, which may name another schema of it.
    options: Option<String>,
}

impl DatabaseUrl {
    /// The database that it names. A URL that sqlx does not read names none; there is no such value.
    #[must_use]
    pub fn place(&self) -> Option<DatabasePlace> {
        if self.is_sqlite() {
            return Some(DatabasePlace {
                kind: "sqlite",
                host: String::new(),
                port: 0,
                name: self.sqlite_file().map(|(file, _)| file),
                options: None,
            });
        }
        let (kind, host, socket, port, name, sent) = if self.is_mariadb() {
            let options = self.to_connect().parse::<MySqlConnectOptions>().ok()?;
            (
                "mariadb",
                options.get_host().to_owned(),
                options.get_socket().cloned(),
                options.get_port(),
                options.get_database().map(PathBuf::from),
                None,
            )
        } else {
            let options = self.to_connect().parse::<PgConnectOptions>().ok()?;
            (
                "postgres",
                options.get_host().to_owned(),
                options.get_socket().cloned(),
                options.get_port(),
                // Where none is named, it is the one of the user's name.
                options
                    .get_database()
                    .or_else(|| Some(options.get_username()))
                    .map(PathBuf::from),
                options.get_options().map(str::to_owned),
            )
        };
        Some(DatabasePlace {
            kind,
            host: socket.map_or(host, |socket| socket.display().to_string()),
            port,
            name,
            options: sent,
        })
    }
}

impl DatabasePlace {
    /// The whole path of a SQLite file.
    fn file(&self) -> Option<String> {
        let name = self.name.as_ref().filter(|_| self.kind == "sqlite")?;
        let whole = std::path::absolute(name).unwrap_or_else(|_| name.clone());
        Some(whole.display().to_string())
    }

    fn name(&self) -> String {
        let name = self.name.as_ref();
        name.map_or_else(String::new, |name| name.display().to_string())
    }
}

impl fmt::Display for DatabasePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        match self.file() {
            Some(file) => write!(formatter, "{kind} {file}"),
            None if kind == "sqlite" => write!(formatter, "{kind} in memory"),
            None => {
                let (host, port, name) = (&self.host, self.port, self.name());
                write!(formatter, "{kind} {host}:{port}/{name}")
            }
        }
    }
}

impl Serialize for DatabasePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind)?;
        if self.kind == "sqlite" {
            map.serialize_entry("file", &self.file())?;
        } else {
            map.serialize_entry("host", &self.host)?;
            map.serialize_entry("port", &self.port)?;
            map.serialize_entry("name", &self.name())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_without_user_password_and_parameters() {
        let shown = |text: &str| {
            let place = DatabaseUrl::parse(text).unwrap().place().unwrap();
            let json = serde_json::to_string(&place).unwrap();
            assert!(!format!("{place}{json}").contains("hunter2"));
            (place.to_string(), json)
        };
        let (text, json) = shown("postgres://hunter2:hunter2@db/platform?password=hunter2");
        assert_eq!(text, "postgres db:5432/platform");
        assert_eq!(
            json,
            r#"{"kind":"postgres","host":"db","port":5432,"name":"platform"}"#
        );
        let (text, _) = shown("postgres://ann@elsewhere/platform?host=db.example.org&port=1");
        assert_eq!(text, "postgres db.example.org:1/platform");
        let (text, _) = shown("mariadb://ann:hunter2@db:7/platform");
        assert_eq!(text, "mariadb db:7/platform");
        let (text, json) = shown("sqlite:///var/lib/people.db?mode=rwc");
        assert_eq!(text, "sqlite /var/lib/people.db");
        assert_eq!(json, r#"{"kind":"sqlite","file":"/var/lib/people.db"}"#);
        let (text, _) = shown("sqlite://people.db");
        assert!(
            text.starts_with("sqlite /") && text.ends_with("/people.db"),
            "{text}"
        );
    }

    #[test]
    fn user_password_and_parameters_may_change_and_the_rest_may_not() {
        let place = |text: &str| DatabaseUrl::parse(text).unwrap().place().unwrap();
        let before = place("postgres://ann:old@db/platform");
        for same in [
            "postgres://bob:new@db:5432/platform?sslmode=require",
            "postgresql://db/platform",
        ] {
            assert_eq!(place(same), before, "{same}");
        }
        for other in [
            "postgres://ann:old@db2/platform",
            "postgres://ann:old@db:5433/platform",
            "postgres://ann:old@db/other",
            "mysql://ann:old@db:5432/platform",
            "sqlite://platform",
            "postgres:///platform?host=/run/postgresql",
        ] {
            assert_ne!(place(other), before, "{other}");
        }
        assert_ne!(place("postgres://ann@db"), place("postgres://bob@db"));
        assert_eq!(
            place("postgres://ann:old@db"),
            place("postgres://ann:new@db/ann")
        );
        assert_ne!(
            place("postgres://db/platform?options=-csearch_path%3Dother"),
            before
        );
        let file = place("sqlite://retentiond.db?mode=rwc");
        assert_eq!(place("sqlite://retentiond.db"), file);
        assert_ne!(place("sqlite://other.db?mode=rwc"), file);
    }
}
