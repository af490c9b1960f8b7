//! The database URL: a secret that can be shown only without its secrets.

use std::fmt;
use std::path::PathBuf;

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::mysql::MySqlConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

mod encoding;
mod parameters;
#[cfg(test)]
mod tests;
mod tls;

use encoding::not_encoded;
pub use parameters::ParameterError;

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

/// Why a text is no URL that can be used. Holds nothing of it but a parameter's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// sqlx cannot read it, and its messages quote the URL.
    Unreadable,
    /// A character that ends a part of a URL, or begins an encoded one, stands where it is none.
    NotEncoded(char),
    /// More than one host, of which sqlx would make one name.
    SeveralHosts,
    /// Of PostgreSQL, and no host: sqlx would take a socket in `/tmp`, which anybody can make.
    NoHost,
    /// A parameter that sqlx would not read, or one without its companion.
    Parameter(ParameterError),
}

impl UrlError {
    /// What was found where a list is wanted, for an error message.
    #[must_use]
    pub(super) fn found_in_list(&self) -> String {
        match self {
            Self::Unreadable => "no list of database URLs that can be read".to_owned(),
            _ => format!("a list that holds {}", self.found()),
        }
    }

    /// What was found, for an error message.
    #[must_use]
    pub(super) fn found(&self) -> String {
        match self {
            Self::Unreadable => "no database URL that can be read".to_owned(),
            Self::NotEncoded(character) => {
                format!("a database URL with a `{character}` that is not percent-encoded")
            }
            Self::SeveralHosts => "a database URL with several hosts".to_owned(),
            Self::NoHost => "a database URL that names no host".to_owned(),
            Self::Parameter(error) => format!("a database URL with {}", error.found()),
        }
    }

    /// What may stand there instead: `forms`, unless more is known.
    #[must_use]
    pub(super) fn allowed(&self, forms: &str) -> String {
        match self {
            Self::Unreadable | Self::NotEncoded(_) => forms.to_owned(),
            Self::SeveralHosts => ONE_HOST.to_owned(),
            Self::NoHost => {
                "one with a host, or with the folder of its socket: ?host=/var/run/postgresql"
                    .to_owned()
            }
            Self::Parameter(error) => error.allowed(),
        }
    }
}

/// What to do about several hosts.
const ONE_HOST: &str = "one host that follows the primary (the writer endpoint of your provider, \
     HAProxy, or a virtual address)";

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
        if is_server && names_several_hosts(&url) {
            return Err(UrlError::SeveralHosts);
        }
        if matches!(scheme, "postgres" | "postgresql") && names_no_host(&url) {
            return Err(UrlError::NoHost);
        }
        parameters::check(scheme, &url).map_err(UrlError::Parameter)?;
        let read = Self(SecretString::from(url.as_str()));
        let whole = read.to_connect();
        let readable = match scheme {
            "postgres" | "postgresql" => readable_by::<PgConnectOptions>(&whole),
            "mysql" => readable_by::<MySqlConnectOptions>(&whole),
            "sqlite" => readable_by::<SqliteConnectOptions>(&whole),
            _ => false,
        };
        if readable {
            Ok(read)
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

    /// The whole URL as it was written. Whoever connects takes [`DatabaseUrl::to_connect`].
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

    /// The files for TLS that it names, each with its parameter.
    #[must_use]
    pub fn tls_files(&self) -> Vec<(&'static str, PathBuf)> {
        if self.is_sqlite() {
            return Vec::new();
        }
        let (_, parameters) = self.expose().split_once('?').unwrap_or_default();
        parameters::tls_files(parameters)
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

fn names_no_host(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or(place);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let in_parameters = parameters
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, value)| matches!(name, "host" | "hostaddr") && !value.is_empty());
    host.split(':').next().unwrap_or_default().is_empty()
        && !host.starts_with('[')
        && !in_parameters
}

/// libpq's form of a failover, which sqlx does not know.
fn names_several_hosts(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or(place);
    let hosts = authority.rsplit('@').next().unwrap_or(authority);
    let in_parameters = parameters
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, value)| {
            matches!(name, "host" | "hostaddr" | "port")
                && (value.contains(',') || value.to_ascii_lowercase().contains("%2c"))
        });
    hosts.contains(',') || in_parameters
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
