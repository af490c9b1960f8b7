//! How much a run has to do, for people who watch it, and to spare a stage that has nothing to do a pass over
//! its rows. What is erased does not depend on it: each batch selects for itself.

use backon::Retryable;

use crate::store::{Transaction, runs};
use crate::telemetry::metrics;

use crate::engine::batch::transaction::cutoffs_in_force;
use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::permits::Rank;
use crate::engine::recount;
use crate::engine::stage::Stage;

/// What a run has to do, as counted before its first batch.
#[derive(Debug)]
pub(in crate::engine) struct Estimate {
    /// Rows of each of [`Stage::ALL`]; `None` = they could not be counted.
    rows: Option<[u64; 3]>,
}

impl Estimate {
    /// Whether `stage` may find rows, after this run has deleted `purged` participants: uploads may be left
    /// empty by that.
    pub(in crate::engine) fn may_find(&self, stage: Stage, purged: u64) -> bool {
        let Some([anonymize, purge, uploads]) = self.rows else {
            return true;
        };
        match stage {
            Stage::Anonymize => anonymize > 0,
            Stage::Purge => purge > 0,
            Stage::Uploads => uploads > 0 || purged > 0,
        }
    }

    /// Whether there is something to do, as far as is known.
    pub(in crate::engine) fn has_work(&self) -> bool {
        Stage::ALL.into_iter().any(|stage| self.may_find(stage, 0))
    }

    /// For the gauge of what is left.
    pub(in crate::engine) fn left(&self) -> metrics::Left {
        let [anonymize, purge, _] = self.rows.unwrap_or_default();
        metrics::Left::begin([
            (Stage::Anonymize.name(), anonymize),
            (Stage::Purge.name(), purge),
        ])
    }
}

/// Counts what there is to do and records it. What cannot be counted is unknown, and the run goes on.
///
/// # Errors
///
/// What ends the run in any case: a lease that was lost, a request to stop, a wrong clock.
pub(in crate::engine) async fn estimate(run: &HeldRun) -> Result<Estimate, EngineError> {
    // A claim of another process may have been in the way of the record.
    let count = (|| count_and_record(run))
        .retry(run.engine.retry.backoff())
        .when(EngineError::is_transient);
    let rows = match run.while_holding(count).await {
        Ok(rows) => Some(rows),
        Err(EngineError::Store(error)) => {
            tracing::warn!(
                event = "run_not_counted",
                tenant = run.slug,
                period = %run.period,
                run_id = %run.lease.run_id,
                class = error.class().name(),
                code = error.code(),
                "the work of the run could not be counted, and the run continues: {error}"
            );
            None
        }
        Err(error) => return Err(error),
    };
    if let Some([anonymize, purge, _]) = rows {
        run.engine.progress.expect_participants(anonymize + purge);
    }
    Ok(Estimate { rows })
}

async fn count_and_record(run: &HeldRun) -> Result<[u64; 3], EngineError> {
    let _permit = run.engine.permits.take(Rank::First).await;
    let lease = &run.lease;
    let tenant = lease.tenant;
    let database = &run.engine.database;
    let count = async |transaction: &Transaction| {
        let cutoffs = cutoffs_in_force(run, transaction).await?.cutoffs;
        let [anonymize, purge] = Stage::OF_PARTICIPANTS;
        let anonymize = recount::eligible(transaction, tenant, anonymize, cutoffs).await?;
        let purge = recount::eligible(transaction, tenant, purge, cutoffs).await?;
        let uploads = recount::empty_uploads(transaction, tenant).await?;
        Ok::<_, EngineError>([anonymize, purge, uploads])
    };
    let counted = database.read("counting what to do", count).await?;
    let record = async |transaction: &Transaction| {
        run.fence(transaction).await?;
        let [anonymize, purge, _] = counted;
        runs::set_planned(transaction, tenant, lease.run_id, anonymize, purge).await?;
        Ok::<_, EngineError>(())
    };
    database.write("recording what to do", record).await?;
    Ok(counted)
}
