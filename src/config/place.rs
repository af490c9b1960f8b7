//! Which database a URL names, whoever connects and however: what a reload may not change.

use std::path::PathBuf;

use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;

use super::url::DatabaseUrl;

/// A database, by address and name.
#[derive(Debug, PartialEq, Eq)]
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
            let options = self.expose().parse::<MySqlConnectOptions>().ok()?;
            (
                "mysql",
                options.get_host().to_owned(),
                options.get_socket().cloned(),
                options.get_port(),
                options.get_database().map(PathBuf::from),
                None,
            )
        } else {
            let options = self.expose().parse::<PgConnectOptions>().ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
