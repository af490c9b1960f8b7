//! The end of a pass: what was erased is to be gone from the database's files too, as far as
//! `[database] reclaim` asks for it. Nothing that fails here takes an erasure back.

use std::time::Instant;

use crate::config::Reclaim;
use crate::store::reclaim::{Done, Owed};
use crate::store::{StoreError, with_retry};

use super::context::Engine;
use super::error::EngineError;

/// Reclaims the disk space of what was erased and, on SQLite, empties the write-ahead log, where
/// erased values would otherwise stay.
///
/// # Errors
///
/// When either could not be done; the log has been told.
pub async fn clean_up(engine: &Engine) -> Result<(), EngineError> {
    let reclaimed = reclaim(engine).await;
    // Whether or not that went well; and after it, because it writes to the log as well.
    let emptied = empty_write_ahead_log(engine).await;
    reclaimed.and(emptied)
}

/// SQLite: moves what the write-ahead log holds into the file and empties it.
///
/// # Errors
///
/// When other connections kept the log in use all the while; the log has been told.
pub async fn empty_write_ahead_log(engine: &Engine) -> Result<(), EngineError> {
    let emptied = with_retry(&engine.retry, || engine.database.truncate_write_ahead_log()).await;
    emptied.map_err(|error| {
        tracing::warn!(
            event = "write_ahead_log_in_use",
            class = error.class().name(),
            "erased values may still stand in SQLite's write-ahead log; the next run tries again: {error}"
        );
        error.into()
    })
}

async fn reclaim(engine: &Engine) -> Result<(), EngineError> {
    let tier = engine.database.reclaim();
    if tier == Reclaim::None {
        return Ok(());
    }
    let started = Instant::now();
    match reclaim_what_is_owed(engine).await {
        Ok(Some(true)) => {
            tracing::info!(
                event = "reclaimed",
                reclaim = tier.name(),
                duration_seconds = started.elapsed().as_secs_f64(),
                "reclaimed the disk space of what was erased"
            );
            Ok(())
        }
        Ok(Some(false)) => Ok(()),
        Ok(None) => {
            tracing::info!(
                event = "reclaim_postponed",
                reclaim = tier.name(),
                "other tenant-runs are still held; the process that ends last reclaims the disk \
                 space of all"
            );
            Ok(())
        }
        Err(error) => {
            tracing::warn!(
                event = "reclaim_failed",
                reclaim = tier.name(),
                class = error.class().name(),
                code = error.code(),
                duration_seconds = started.elapsed().as_secs_f64(),
                "erased values may still stand in the database's files; the next run tries again: {error}"
            );
            Err(error.into())
        }
    }
}

/// Whether it did anything; `None` if it is up to another process.
async fn reclaim_what_is_owed(engine: &Engine) -> Result<Option<bool>, StoreError> {
    let database = &engine.database;
    match with_retry(&engine.retry, || database.reclaim_owed()).await? {
        Owed::Nothing => Ok(Some(false)),
        Owed::Later => Ok(None),
        // The same point each time: what comes to an end while we wait does not start the wait anew.
        Owed::Until(point) => {
            let done = Done::default();
            with_retry(&engine.retry, || database.reclaim_until(point, &done))
                .await
                .map(Some)
        }
    }
}
