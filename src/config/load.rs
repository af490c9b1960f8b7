//! Finds the file, adds the environment, and reads the secrets that are kept in files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};
use zeroize::Zeroizing;

use super::contradictions;
use super::error::{ConfigError, Origin};
use super::interpret::{Interpreted, interpret};
use super::raw::{Raw, SECTIONS};
use super::url::{DatabaseUrl, FORMS, LIST_FORMS};
use super::warning::{self, Warning};
use super::{Config, DatabaseConfig, SuppressionConfig};

use crate::trusted_file::{self, Content, Refusal, Text};

/// Where a configuration is looked for if none is named.
const SEARCHED: [&str; 2] = ["retentiond.toml", "/etc/retentiond/retentiond.toml"];

/// Used if nothing else is configured: no server is needed to try the service.
const DATABASE_URL_DEFAULT: &str = "sqlite://retentiond.db?mode=rwc";

const KEYRING_FILE_DEFAULT: &str = "retentiond.keyring";

/// A longer configuration, or a longer list of URLs, is a mistaken path.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Config {
    /// Reads the configuration.
    ///
    /// The file is `explicit`, else `$RETENTIOND_CONFIG`, else `retentiond.toml` in the working
    /// directory, else `/etc/retentiond/retentiond.toml`. A file that is named must be there.
    /// Relative paths in it are relative to the working directory. Files that somebody else can write are
    /// refused, and so are secrets that everybody can read ([`trusted_file`]).
    ///
    /// # Errors
    ///
    /// See [`ConfigError`]; each is one sentence without secrets.
    pub fn load(
        explicit: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::load_searching(explicit, environment, &SEARCHED.map(PathBuf::from))
    }

    /// [`Config::load`] with another list of places.
    pub(super) fn load_searching(
        explicit: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        searched: &[PathBuf],
    ) -> Result<Self, ConfigError> {
        let environment: HashMap<String, String> = environment.collect();
        let named = explicit
            .map(Path::to_path_buf)
            .or_else(|| environment.get("RETENTIOND_CONFIG").map(PathBuf::from));
        let file = find(named, searched)?;
        let credentials = environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);

        let mut builder = config::Config::builder();
        let read = file.as_ref().map(|(path, _)| path.clone());
        let mut warnings = Vec::new();
        if let Some((path, Text { text, mode })) = file {
            if text.trim().is_empty() {
                // An editor, or whoever brings files here, is in the middle of writing it: its settings are
                // not back at their defaults.
                return Err(ConfigError::Empty { path });
            }
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
            let alone = layered(builder.clone(), &Origin::File(path.clone()))?;
            let mut urls = alone.url.iter().chain(alone.replica_urls.iter().flatten());
            if trusted_file::is_readable_by_all(mode) && urls.any(DatabaseUrl::holds_password) {
                warnings.push(Warning::readable_configuration(&path));
            }
        }
        let builder = builder.add_source(
            Environment::with_prefix("RETENTIOND")
                .separator("__")
                .source(Some(environment.into_iter().collect())),
        );
        // Whatever was wrong in the file has been said above, so this is about the environment.
        let interpreted = layered(builder, &Origin::Environment)?;
        let mut config = finish(interpreted, credentials.as_deref(), read)?;
        warnings.extend(warning::of_database(&config.database));
        config.warnings = warnings;
        Ok(config)
    }
}

/// The text of the first file that is there.
fn find(
    named: Option<PathBuf>,
    searched: &[PathBuf],
) -> Result<Option<(PathBuf, Text)>, ConfigError> {
    let (places, must_be_there) = match named {
        Some(path) => (vec![path], true),
        None => (searched.to_vec(), false),
    };
    for path in places {
        match trusted_file::read_to_string(&path, Content::Orders, FILE_BYTES_MAX) {
            Ok(text) => return Ok(Some((path, text))),
            Err(Refusal::Io(error))
                if error.kind() == std::io::ErrorKind::NotFound && !must_be_there => {}
            Err(refusal) => return Err(not_used("configuration file", &path, refusal)),
        }
    }
    Ok(None)
}

fn unreadable(what: &'static str, path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::Unreadable {
        what,
        path: path.to_path_buf(),
        fault: error.into(),
    }
}

fn not_used(what: &'static str, path: &Path, refusal: Refusal) -> ConfigError {
    match refusal {
        Refusal::Io(error) => unreadable(what, path, &error),
        Refusal::Untrusted(reason) => ConfigError::Untrusted {
            what: what.to_owned(),
            path: path.to_path_buf(),
            reason,
        },
    }
}

/// All layers so far, of which `origin` is the newest.
fn layered(
    builder: config::ConfigBuilder<config::builder::DefaultState>,
    origin: &Origin,
) -> Result<Interpreted, ConfigError> {
    let raw = builder
        .build()
        .and_then(config::Config::try_deserialize::<Raw>)
        .map_err(|error| in_our_words(error, origin))?;
    interpret(raw, origin)
}

/// The `config` crate's messages quote values, and the TOML parser's quote lines.
fn in_our_words(error: config::ConfigError, origin: &Origin) -> ConfigError {
    let place = match origin {
        Origin::File(path) => path.display().to_string(),
        Origin::Environment => "the RETENTIOND__ variables".to_owned(),
    };
    let (key, error) = match error {
        config::ConfigError::At { error, key, .. } => (key.unwrap_or_default(), *error),
        other => (String::new(), other),
    };
    match (error, origin) {
        (config::ConfigError::FileParse { cause, .. }, Origin::File(path)) => {
            let message = cause.to_string();
            let position = message
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("TOML parse error at "))
                .unwrap_or("some place")
                .to_owned();
            ConfigError::NotToml {
                path: path.clone(),
                position,
            }
        }
        (config::ConfigError::Message(message), _) if message.starts_with("unknown field `") => {
            // The name is all that we take from the message; it is a key, not a value.
            let name = message.split('`').nth(1).unwrap_or_default();
            let full = if key.is_empty() {
                name.to_owned()
            } else {
                format!("{key}.{name}")
            };
            ConfigError::UnknownKey {
                setting: origin.name(&full),
                allowed: allowed_in(&key),
            }
        }
        (config::ConfigError::Message(_) | config::ConfigError::Type { .. }, _)
            if SECTIONS.iter().any(|(section, _)| *section == key) =>
        {
            ConfigError::NotASection {
                setting: origin.name(&key),
            }
        }
        _ => ConfigError::Shape { place },
    }
}

fn allowed_in(section: &str) -> String {
    SECTIONS
        .iter()
        .find(|(name, _)| *name == section)
        .map_or_else(
            || {
                let sections: Vec<String> = SECTIONS
                    .iter()
                    .map(|(name, _)| format!("[{name}]"))
                    .collect();
                sections.join(", ")
            },
            |(_, keys)| keys.join(", "),
        )
}

/// Checks what concerns several settings at once, and reads the secrets kept in files.
fn finish(
    parts: Interpreted,
    credentials: Option<&Path>,
    file: Option<PathBuf>,
) -> Result<Config, ConfigError> {
    let url = match (parts.url, parts.url_file) {
        (Some(_), Some(_)) => {
            return Err(contradictions::set_twice("url"));
        }
        (Some(url), None) => Some(url),
        (None, Some(file)) => Some(url_from(&file)?),
        (None, None) => match credential(credentials, "database_url")? {
            Some(file) => Some(url_from(&file)?),
            None => None,
        },
    };
    let is_database_default = url.is_none();
    let url = url.unwrap_or_else(|| {
        DatabaseUrl::parse(DATABASE_URL_DEFAULT).expect("the default is a database URL")
    });
    let replica_urls = match (parts.replica_urls, parts.replica_urls_file) {
        (Some(_), Some(_)) => return Err(contradictions::set_twice("replica_urls")),
        (Some(urls), None) => urls,
        (None, Some(file)) => urls_from(&file)?,
        (None, None) => match credential(credentials, "replica_urls")? {
            Some(file) => urls_from(&file)?,
            None => Vec::new(),
        },
    };
    contradictions::look_for(&parts.engine, parts.max_connections, &url, &replica_urls)?;
    for url in std::iter::once(&url).chain(&replica_urls) {
        believe_tls_files(url)?;
    }
    let keyring_file = match parts.keyring_file {
        Some(file) => file,
        None => credential(credentials, "keyring")?
            .unwrap_or_else(|| PathBuf::from(KEYRING_FILE_DEFAULT)),
    };
    Ok(Config {
        database: DatabaseConfig {
            url,
            replica_urls,
            max_connections: parts.max_connections,
            connect_timeout: parts.connect_timeout,
            statement_timeout: parts.statement_timeout,
            scan_timeout: parts.scan_timeout,
            lock_timeout: parts.lock_timeout,
            reclaim: parts.reclaim,
            reclaim_timeout: parts.reclaim_timeout,
            replication_source: parts.replication_source,
        },
        schedule: parts.schedule,
        engine: parts.engine,
        safety: parts.safety,
        suppression: SuppressionConfig { keyring_file },
        http: parts.http,
        log: parts.log,
        shutdown: parts.shutdown,
        file,
        is_database_default,
        warnings: Vec::new(),
    })
}

/// A file of `$CREDENTIALS_DIRECTORY`, if it is there. Not being able to tell is an error: the
/// default that would be used instead is another database, or another key.
fn credential(directory: Option<&Path>, name: &str) -> Result<Option<PathBuf>, ConfigError> {
    let Some(file) = directory.map(|directory| directory.join(name)) else {
        return Ok(None);
    };
    match file.try_exists() {
        Ok(true) => Ok(Some(file)),
        Ok(false) => Ok(None),
        Err(error) => Err(unreadable("credential", &file, &error)),
    }
}

fn secret(what: &'static str, file: &Path) -> Result<Zeroizing<String>, ConfigError> {
    trusted_file::read_to_string(file, Content::Secrets, FILE_BYTES_MAX)
        .map(|read| Zeroizing::new(read.text))
        .map_err(|refusal| not_used(what, file, refusal))
}

/// Refuses files for TLS that are somebody else's. One that is not there is told of when a connection is made:
/// it may come.
fn believe_tls_files(url: &DatabaseUrl) -> Result<(), ConfigError> {
    for (parameter, file) in url.tls_files() {
        let content = match parameter {
            "sslkey" | "ssl-key" => Content::Secrets,
            _ => Content::Orders,
        };
        if let Err(Refusal::Untrusted(reason)) = trusted_file::open(&file, content) {
            return Err(ConfigError::Untrusted {
                what: format!("file of `{parameter}` in the database URL,"),
                path: file,
                reason,
            });
        }
    }
    Ok(())
}

/// Reads a URL from a file that holds nothing else.
fn url_from(file: &Path) -> Result<DatabaseUrl, ConfigError> {
    let text = secret("file of the database URL", file)?;
    DatabaseUrl::parse(text.trim()).map_err(|error| ConfigError::Value {
        setting: format!("the content of {}", file.display()),
        found: error.found(),
        allowed: error.allowed(FORMS),
    })
}

/// Reads the replicas' URLs from a file that holds nothing else, one a line.
fn urls_from(file: &Path) -> Result<Vec<DatabaseUrl>, ConfigError> {
    let text = secret("file of the replicas' URLs", file)?;
    DatabaseUrl::parse_list(&text).map_err(|error| ConfigError::Value {
        setting: format!("the content of {}", file.display()),
        found: error.found_in_list(),
        allowed: error.allowed(LIST_FORMS),
    })
}
