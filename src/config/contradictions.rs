//! Settings that cannot be meant together.

use super::EngineConfig;
use super::error::{ConfigError, variable};
use super::url::DatabaseUrl;

/// Refuses settings that contradict each other, or ask of a database what it does not have.
pub(super) fn look_for(
    engine: &EngineConfig,
    max_connections: u32,
    url: &DatabaseUrl,
    replica_urls: &[DatabaseUrl],
) -> Result<(), ConfigError> {
    let refused = |sentence: &str| Err(ConfigError::Contradiction(sentence.to_owned()));
    if engine.retry_backoff_max < engine.retry_backoff_initial {
        return refused(
            "engine.retry_backoff_max is shorter than engine.retry_backoff_initial; make it at \
             least as long",
        );
    }
    if u32::from(engine.workers) > max_connections {
        return refused(&format!(
            "engine.workers is {workers} and database.max_connections is {max_connections}: each worker holds a \
             connection, so some would wait in vain for one; set database.max_connections to {workers} at \
             least, or engine.workers to {max_connections} at most",
            workers = engine.workers,
        ));
    }
    if !url.is_mariadb() && !replica_urls.is_empty() {
        return refused(
            "database.replica_urls is for MariaDB only, whose primary does not know how far its \
             replicas are behind; remove it",
        );
    }
    if !replica_urls.iter().all(DatabaseUrl::is_mariadb) {
        return refused(
            "database.replica_urls holds a URL that is no MariaDB server's; each must begin with \
             mysql:// or mariadb://",
        );
    }
    if engine.replica_lag_max.is_some() && url.is_mariadb() && replica_urls.is_empty() {
        return refused(
            "engine.replica_lag_max needs database.replica_urls on MariaDB, whose primary does not \
             know how far its replicas are behind; set it to the replicas' URLs",
        );
    }
    if url.is_sqlite() && engine.replica_lag_max.is_some() {
        return refused("engine.replica_lag_max is set, and SQLite has no replicas; remove it");
    }
    if url.is_sqlite() && engine.wal_bytes_per_second_max.is_some() {
        return refused(
            "engine.wal_bytes_per_second_max is set, and SQLite does not tell how much it writes; \
             remove it (engine.rows_per_second_max works on SQLite too)",
        );
    }
    Ok(())
}

/// `database.KEY` and `database.KEY_file` are both set.
pub(super) fn set_twice(key: &str) -> ConfigError {
    let (inline, file) = (format!("database.{key}"), format!("database.{key}_file"));
    ConfigError::Contradiction(format!(
        "{inline} and {file} are both set (perhaps one of them as {} or {}); keep one",
        variable(&inline),
        variable(&file)
    ))
}
