//! The database URL: a secret that can be shown only without its secrets.

use std::fmt;
use std::path::PathBuf;

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

/// Parameters whose values say nothing secret; all others are left out when a URL is shown.
const PARAMETERS_SHOWN: &[&str] = &["mode", "sslmode", "ssl-mode", "statement-cache-capacity"];

/// What a URL may look like, for error messages.
pub(super) const FORMS: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, the same with \
     mysql://, or sqlite://FILE?mode=rwc, with special characters percent-encoded (# as %23, ? as \
     %3F, / as %2F, @ as %40, % as %25)";

/// What a list of them may look like.
pub(super) const LIST_FORMS: &str = "a list of mysql://USER:PASSWORD@HOST:PORT/DATABASE, or one \
     text with spaces between, with special characters percent-encoded (# as %23, ? as %3F, / as \
     %2F, @ as %40, % as %25)";

/// Parameters of a server's URL whose values may hold an `@`.
const PARAMETERS_WITH_AT: &[&str] = &["user", "password", "host", "options", "dbname"];

/// Why a text is no URL that can be used. Holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// sqlx cannot read it, and its messages quote the URL.
    Unreadable,
    /// A character that ends a part of a URL, or begins an encoded one, stands where it is none.
    NotEncoded(char),
}

impl UrlError {
    /// What was found where a list is wanted, for an error message.
    #[must_use]
    pub(super) fn found_in_list(self) -> String {
        match self {
            Self::Unreadable => "no list of database URLs that can be read".to_owned(),
            Self::NotEncoded(_) => format!("a list that holds {}", self.found()),
        }
    }

    /// What was found, for an error message.
    #[must_use]
    pub(super) fn found(self) -> String {
        match self {
            Self::Unreadable => "no database URL that can be read".to_owned(),
            Self::NotEncoded(character) => {
                format!("a database URL with a `{character}` that is not percent-encoded")
            }
        }
    }
}

/// A database URL that sqlx can read.
///
/// `Debug`, `Display` and serialisation leave out user, password and all parameters that might be
/// secret.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// Checks a URL the way sqlx and SeaORM will read it. `mariadb://` is taken as `mysql://`.
    ///
    /// # Errors
    ///
    /// [`UrlError`]. A URL of a server in whose user or password a special character stands as it is
    /// would name another host: `postgres://ann:p@ss#word@db/platform` reads as the host `ss`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = match text.strip_prefix("mariadb://") {
            Some(rest) => format!("mysql://{rest}"),
            None => text.to_owned(),
        };
        let (scheme, _) = url.split_once(':').ok_or(UrlError::Unreadable)?;
        let is_server = matches!(scheme, "postgres" | "postgresql" | "mysql");
        if is_server && let Some(character) = not_encoded(&url) {
            return Err(UrlError::NotEncoded(character));
        }
        let readable = match scheme {
            "postgres" | "postgresql" => readable_by::<PgConnectOptions>(&url),
            "mysql" => readable_by::<MySqlConnectOptions>(&url),
            "sqlite" => readable_by::<SqliteConnectOptions>(&url),
            _ => false,
        };
        if readable {
            Ok(Self(SecretString::from(url)))
        } else {
            Err(UrlError::Unreadable)
        }
    }

    /// URLs with white space between, which no URL holds.
    ///
    /// # Errors
    ///
    /// [`UrlError`] of the first that is none.
    pub(super) fn parse_list(text: &str) -> Result<Vec<Self>, UrlError> {
        text.split_whitespace().map(Self::parse).collect()
    }

    /// Whether it is MariaDB's.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        self.expose().starts_with("mysql:")
    }

    /// Whether it names a SQLite file.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.expose().starts_with("sqlite:")
    }

    /// The whole URL, for the one place that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The file of a SQLite database, and whether it is only to be read.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<(PathBuf, bool)> {
        // Checked by its scheme, because sqlx would take any text for a file's name.
        if !self.is_sqlite() {
            return None;
        }
        let options = self.expose().parse::<SqliteConnectOptions>().ok()?;
        let parameters = self.expose().split_once('?').map_or("", |(_, rest)| rest);
        let is_read_only = parameters
            .split('&')
            .any(|one| one == "mode=ro" || one == "immutable=1");
        let file = options.get_filename().to_path_buf();
        (file.as_os_str() != ":memory:").then_some((file, is_read_only))
    }

    /// A SQLite file that is not there: opening it would create it, which looking must not do.
    #[must_use]
    pub fn names_missing_file(&self) -> bool {
        self.missing_file().is_some()
    }

    /// That file, if opening the URL would make it.
    #[must_use]
    pub fn missing_file_to_create(&self) -> Option<PathBuf> {
        let (_, parameters) = self.expose().split_once('?')?;
        let creates = parameters
            .split('&')
            .any(|parameter| parameter == "mode=rwc");
        self.missing_file().filter(|_| creates)
    }

    fn missing_file(&self) -> Option<PathBuf> {
        // Checked by its scheme, because sqlx would take any text for a file's name.
        if !self.is_sqlite() {
            return None;
        }
        let options = self.expose().parse::<SqliteConnectOptions>().ok()?;
        let file = options.get_filename().to_path_buf();
        (!file.exists()).then_some(file)
    }
}

/// The character of a server's URL that should have been percent-encoded, if one is found.
fn not_encoded(url: &str) -> Option<char> {
    let (_, rest) = url.split_once("://")?;
    // A database's URL has no fragment.
    if rest.contains('#') {
        return Some('#');
    }
    let (place, parameters) = match rest.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (rest, None),
    };
    let authority = place.split('/').next().unwrap_or(place);
    // The one that ends user and password is the only one that may stand there.
    if authority.matches('@').count() > 1 {
        return Some('@');
    }
    if place.len() > authority.len() && place[authority.len()..].contains('@') {
        // Of a password with a `/`, or of the database's name.
        return Some(if authority.contains('@') { '@' } else { '/' });
    }
    let with_at = parameters
        .into_iter()
        .flat_map(|parameters| parameters.split('&'))
        .filter(|parameter| parameter.contains('@'));
    for parameter in with_at {
        let name = parameter.split_once('=').map_or("", |(name, _)| name);
        let names_database = place.len() > authority.len() + 1 || place.is_empty();
        // A `/` after it looks like a host and a database: that is the end of a password with a `?`.
        let looks_like_host = parameter
            .rsplit('@')
            .next()
            .is_some_and(|end| end.contains('/'));
        if !PARAMETERS_WITH_AT.contains(&name)
            || !names_database
            || (looks_like_host && name != "host")
        {
            return Some('?');
        }
    }
    let mut encoded = rest.split('%').skip(1);
    let is_encoded =
        |part: &str| part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    (!encoded.all(is_encoded)).then_some('%')
}

fn readable_by<O: ConnectOptions>(url: &str) -> bool {
    // The parsed type is sqlx's own idea of a URL, which `from_url` names for us.
    match url.parse() {
        Ok(parsed) => O::from_url(&parsed).is_ok(),
        Err(_) => false,
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.expose().split_once(':').unwrap_or_default();
        let (mut place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        write!(formatter, "{scheme}:")?;
        if scheme != "sqlite" {
            formatter.write_str("//")?;
            // Perhaps a password in which somebody forgot to encode a `?`, perhaps a password
            // among the parameters: what is secret here, nobody can tell.
            if parameters.contains('@') {
                return formatter.write_str("***");
            }
            place = place.strip_prefix("//").unwrap_or(place);
            // After the last `@` of all, because it may be the password that holds the others.
            place = place.rsplit_once('@').map_or(place, |(_, host)| host);
        }
        formatter.write_str(place)?;
        let mut separator = '?';
        for parameter in parameters.split('&') {
            let name = parameter.split_once('=').map_or("", |(name, _)| name);
            let shown = PARAMETERS_SHOWN.contains(&name);
            if shown {
                write!(formatter, "{separator}{parameter}")?;
                separator = '&';
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for DatabaseUrl {}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            (
                "postgres://ann:hunter2@db.internal:5432/platform",
                "postgres://db.internal:5432/platform",
            ),
            (
                "postgres://ann:hunter2@db/platform?sslmode=require&password=hunter2&sslpassword=hunter2",
                "postgres://db/platform?sslmode=require",
            ),
            (
                "mariadb://ann:hunter2@[::1]/platform",
                "mysql://[::1]/platform",
            ),
            (
                "mysql://ann:hunt%40er2@db/platform?ssl-mode=REQUIRED",
                "mysql://db/platform?ssl-mode=REQUIRED",
            ),
            (
                "sqlite://retentiond.db?mode=rwc",
                "sqlite://retentiond.db?mode=rwc",
            ),
            ("sqlite:///var/lib/a@b.db", "sqlite:///var/lib/a@b.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            (
                "postgres:///platform?host=/run/postgresql&user=ann&password=hunter2",
                "postgres:///platform",
            ),
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap_or_else(|_| panic!("{url} is a URL"));
            assert_eq!(parsed.to_string(), shown, "{url}");
            assert_eq!(format!("{parsed:?}"), format!("DatabaseUrl({shown})"));
            assert_eq!(serde_json::to_value(&parsed).unwrap(), shown);
        }
    }

    #[test]
    fn a_password_that_was_not_encoded_shows_in_no_part() {
        for (url, expected) in [
            (
                "mysql://ann:hunter2@hunter3@db/platform",
                "mysql://db/platform",
            ),
            (
                "mysql://ann:hunter2/hunter3@db/platform",
                "mysql://db/platform",
            ),
            (
                "mysql://ann:hunter2#hunter3@db/platform",
                "mysql://db/platform",
            ),
            ("mysql://ann:hunter2?hunter3@db/platform", "mysql://***"),
            (
                "mysql://ann:hunter2?mode=hunter3&x@db/platform",
                "mysql://***",
            ),
            (
                "mysql://db/platform?user=ann&password=hunter2@hunter3",
                "mysql://***",
            ),
        ] {
            // Whether or not it can be used.
            let shown = DatabaseUrl(SecretString::from(url)).to_string();
            assert_eq!(shown, expected, "{url}");
        }
    }

    #[test]
    fn d10_what_is_not_percent_encoded_is_refused_and_named() {
        for (url, character) in [
            ("postgres://u:p@ss#word@h/d", '#'),
            ("postgres://u:pass#word@h/d", '#'),
            ("postgres://u#x:pass@h/d", '#'),
            ("mysql://u:12#3@h/d", '#'),
            ("postgres://h/d#x", '#'),
            ("postgres://u:p@ss@h/d", '@'),
            ("mysql://u@x:pass@h/d", '@'),
            ("postgres://u:12/3@h/d", '/'),
            ("postgres://u/x:3@h/d", '/'),
            ("postgres://u:p@s/s@h/d", '@'),
            ("postgres://u:12?3@h/d", '?'),
            ("postgres://u:12?x=3@h/d", '?'),
            ("postgres://u:12?password=3@h/d", '?'),
            ("postgres://u@x?3@h/d", '?'),
            ("postgres://u:12/x?password=3@h/d", '?'),
            ("postgres://u:50%@h/d", '%'),
            ("mysql://u:50%zz@h/d", '%'),
            ("mariadb://u:a%2@h/d", '%'),
        ] {
            let error = DatabaseUrl::parse(url).expect_err(url);
            assert_eq!(error, UrlError::NotEncoded(character), "{url}");
            let shown = error.found();
            assert!(!shown.contains("word") && !shown.contains("ss"), "{shown}");
        }
        for url in [
            "postgres://u:p%40ss%23word%2F%3F%25@h/d",
            "postgres://h/d",
            "postgres://u@h",
            "postgres://u:p@[::1]:5432/d?sslmode=require",
            "postgres:///d?host=/run/postgresql&user=a@b&password=p@ss",
            "postgres://h:5432/d?user=ann&password=p@ss",
            "mysql://u:p@h:3306/d?ssl-mode=REQUIRED",
            "sqlite:///var/lib/a@b.db",
        ] {
            assert!(DatabaseUrl::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn only_a_sqlite_file_can_be_missing() {
        for (url, missing) in [
            ("postgres://db/platform", false),
            ("mysql://db/platform", false),
            ("sqlite://no/such.db?mode=rwc", true),
            ("sqlite://Cargo.toml?mode=ro", false),
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap_or_else(|_| panic!("{url} is a URL"));
            assert_eq!(parsed.names_missing_file(), missing, "{url}");
        }
    }

    #[test]
    fn a_url_that_sqlx_could_not_read_is_refused() {
        for url in [
            "",
            "postgres",
            "oracle://db/platform",
            "postgres://db:port/platform",
            "postgres://db:99999/platform",
            "sqlite://my data.db",
            "sqlite://x.db?mode=sometimes",
            "postgres://db/platform?sslmode=sometimes",
            "/var/lib/retentiond.db",
        ] {
            assert_eq!(DatabaseUrl::parse(url), Err(UrlError::Unreadable), "{url}");
        }
    }
}
