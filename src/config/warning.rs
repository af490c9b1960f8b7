//! What is allowed and lets somebody else in: said at each start and by `config check`.

use std::path::Path;

use crate::trusted_file;

use super::url::DatabaseUrl;
use super::{Config, DatabaseConfig};

/// Something that is allowed, and lets somebody else in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// A word for programs: `tls`, `database_file` or `configuration_file`.
    pub about: &'static str,
    /// What, where, what to do.
    pub sentence: String,
}

impl Warning {
    /// A configuration that holds a password, and that everybody can read.
    pub(super) fn readable_configuration(path: &Path) -> Self {
        Self {
            about: "configuration_file",
            sentence: format!(
                "everybody can read {}, which holds a database password; run `chmod 0600` on it, or move \
                 the URL into a file of its own and name that with [database] url_file",
                path.display()
            ),
        }
    }
}

impl Config {
    /// Logs what is allowed and lets somebody else in.
    pub fn log_warnings(&self) {
        for Warning { about, sentence } in &self.warnings {
            tracing::warn!(event = "security_warning", about, "{sentence}");
        }
    }
}

/// Of the database and its replicas.
pub(super) fn of_database(database: &DatabaseConfig) -> Vec<Warning> {
    let urls = std::iter::once(&database.url).chain(&database.replica_urls);
    let weak = urls.filter_map(DatabaseUrl::weakness);
    let mut warnings: Vec<Warning> = weak
        .map(|sentence| Warning {
            about: "tls",
            sentence,
        })
        .collect();
    warnings.dedup();
    warnings.extend(of_file(&database.url));
    warnings
}

/// A SQLite file that everybody may read. A new one is made for its owner alone.
fn of_file(url: &DatabaseUrl) -> Option<Warning> {
    let (path, _) = url.sqlite_file()?;
    let metadata = trusted_file::inspect(&path).ok().flatten()?;
    let mode = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777;
    trusted_file::is_readable_by_all(mode).then(|| Warning {
        about: "database_file",
        sentence: format!(
            "the database {0} has mode {mode:04o}, so that everybody may read the people in it; run `chmod \
             0600` on it and on {0}-wal and {0}-shm",
            path.display()
        ),
    })
}
