//! How much a run has to do, for whoever watches it. Nothing depends on it: each batch selects for
//! itself.

use backon::Retryable;

use crate::store::runs;
use crate::telemetry::metrics;

use super::batch::{ClaimedRun, cutoffs_in_force};
use super::context::Engine;
use super::error::EngineError;
use super::heartbeat::with_heartbeat;
use super::recount;
use super::stage::Stage;
use super::turns::Rank;

/// Counts what there is to do and records it. What cannot be counted is unknown, and the run goes on.
///
/// # Errors
///
/// What ends the run in any case: a lease that was lost, a request to stop, a wrong clock.
pub(super) async fn expect(
    engine: &Engine,
    run: &ClaimedRun,
) -> Result<(metrics::Left, bool), EngineError> {
    // A claim of another process may have been in the way of the record.
    let count = (|| count_and_record(engine, run))
        .retry(engine.retry.backoff())
        .when(EngineError::may_pass);
    let mut is_counted = true;
    let [to_anonymize, to_purge] = match with_heartbeat(engine, run, count).await {
        Ok(counts) => counts,
        Err(EngineError::Store(error)) => {
            tracing::warn!(
                event = "run_not_counted",
                tenant = run.slug,
                period = %run.period,
                run_id = %run.lease.run_id,
                class = error.class().name(),
                code = error.code(),
                "how much there is to do could not be counted, and the run goes on: {error}"
            );
            is_counted = false;
            [0; 2]
        }
        Err(error) => return Err(error),
    };
    engine.progress.expect_participants(to_anonymize + to_purge);
    let left = metrics::Left::begin([
        (Stage::Anonymize.name(), to_anonymize),
        (Stage::Purge.name(), to_purge),
    ]);
    Ok((left, !is_counted || to_anonymize + to_purge > 0))
}

async fn count_and_record(engine: &Engine, run: &ClaimedRun) -> Result<[u64; 2], EngineError> {
    let _turn = engine.turns.take(Rank::First).await;
    let lease = &run.lease;
    let transaction = engine.database.begin_read("counting what to do").await?;
    let (_, cutoffs) = cutoffs_in_force(engine, run, &transaction).await?;
    let mut found = [0; 2];
    for (found, stage) in found.iter_mut().zip(Stage::OF_PARTICIPANTS) {
        *found = recount::eligible(&transaction, lease.tenant, stage, cutoffs).await?;
    }
    transaction.rollback().await?;
    let transaction = engine.database.begin("recording what to do").await?;
    if !lease.fence(&transaction).await? {
        return Err(EngineError::LeaseLost);
    }
    let [to_anonymize, to_purge] = found;
    runs::set_planned(
        &transaction,
        lease.tenant,
        lease.run_id,
        to_anonymize,
        to_purge,
    )
    .await?;
    transaction.commit().await?;
    Ok(found)
}
