//! Keeps a run's lease while its holder waits: for its turn, for a count, for a pause, for its share of the
//! rate.
//!
//! A batch renews the lease by its fence. Whoever does something else for longer than the lease lasts
//! would lose the run to another process, which would then do the same and lose it again.

use tokio_util::sync::CancellationToken;

use crate::store::{ErrorClass, StoreError};

use super::batch::ClaimedRun;
use super::context::Engine;
use super::error::EngineError;

/// Renews the lease while `wait`, which writes nothing, takes its time; a request to stop ends it.
///
/// # Errors
///
/// [`EngineError::Stopped`], [`EngineError::LeaseLost`], or that of `wait`.
pub(super) async fn with_heartbeat<T>(
    engine: &Engine,
    run: &ClaimedRun,
    wait: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let done = CancellationToken::new();
    let work = async {
        let result = wait.await;
        done.cancel();
        result
    };
    // Beside each other: a heartbeat that waits for a connection must not stop the work that holds
    // the last one. One that is on its way when the work is done is waited for: dropped in mid-call
    // it would cost the pool its connections.
    let both = async { tokio::try_join!(work, heartbeats(engine, run, &done)) };
    tokio::select! {
        result = both => result.map(|(value, ())| value),
        // What a count found so far is of no use to anybody.
        () = engine.stop.cancelled() => Err(EngineError::Stopped),
    }
}

/// Renews the lease again and again, until that is no longer possible, or the work is done.
async fn heartbeats(
    engine: &Engine,
    run: &ClaimedRun,
    done: &CancellationToken,
) -> Result<(), EngineError> {
    // Up to five waits may come one after the other before the next batch renews the lease, and each
    // may end just before its first heartbeat.
    let pause = engine.lease_duration / 6;
    while tokio::time::timeout(pause, done.cancelled()).await.is_err() {
        heartbeat(engine, run).await?;
    }
    Ok(())
}

/// Renews the lease now. That it could not be done in passing is no error: the next one may succeed,
/// and if none does, the lease may go to somebody else, and the fence of the next batch tells.
///
/// # Errors
///
/// [`EngineError::LeaseLost`], or the database's.
pub(super) async fn heartbeat(engine: &Engine, run: &ClaimedRun) -> Result<(), EngineError> {
    match renew(engine, run).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(EngineError::LeaseLost),
        Err(error) if error.class().may_pass() || error.class() == ErrorClass::StatementTimeout => {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn renew(engine: &Engine, run: &ClaimedRun) -> Result<bool, StoreError> {
    let transaction = engine.database.begin("renewing a lease").await?;
    let held = run.lease.fence(&transaction).await?;
    transaction.commit().await?;
    Ok(held)
}
