//! The stream of batches of a stage: the loop exists once, and so does what happens when a batch
//! fails.

use backon::{BackoffBuilder, Retryable};
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::store::leases::{self, Cursor};
use crate::store::{Disposition, StoreError, Transaction, batches};
use crate::telemetry::metrics;

use super::page::{Page, Rows};
use super::size::BatchSize;
use super::throttle_gate::ThrottleGate;
use super::transaction::{self, Batch, BatchFailure};
use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::permits::Rank;
use crate::engine::refused::{self, RefusedRow, RefusedRows};
use crate::engine::stage::Stage;
use crate::engine::throttle::Reason;

/// Runs `stage` of a claimed run to its end. `total` counts what its batches did, also if it ends
/// early, `left` what is still to be done, and `refused` gets the rows that the database refuses.
///
/// A stage ends when pages that skip locked rows come back empty *and* one pass that waits for
/// locks, from the start, finds nothing: a short page is not the end. With `may_find` false, because a
/// count has found nothing, that last pass comes at once.
///
/// # Errors
///
/// What trying again could not mend; see [`EngineError::disposition`].
pub(in crate::engine) async fn run_stage(
    run: &HeldRun,
    stage: Stage,
    may_find: bool,
    left: &mut metrics::Left,
    refused: &mut RefusedRows,
    total: &mut Counts,
) -> Result<(), EngineError> {
    let mut size = BatchSize::new(run.engine.batch_rows, run.engine.batch_duration_target);
    // Held through the pauses, too: they are for all that this process does.
    let mut permit = run.permit(Rank::First).await?;
    let mut after = if may_find {
        run.while_holding(resume_after(run, stage)).await?
    } else {
        None
    };
    let mut skip_locked = may_find;
    let mut gate = ThrottleGate::new(run, stage);
    loop {
        if run.engine.stop.is_cancelled() {
            return Err(EngineError::Stopped);
        }
        let rank = Rank::of(stage, after.map(|cursor| cursor.added_at));
        let yielded = async { Ok(permit.yield_to(rank).await) };
        permit = run.while_holding(yielded).await?;
        gate.pass().await?;
        share_the_rate(run).await?;
        let started = Instant::now();
        let page = Page {
            after,
            rows_max: size.rows(),
            skip_locked,
            rows: Rows::AllBut(refused.of(stage)),
        };
        match batch_or_stop(run, stage, page, &mut size).await? {
            Step::Committed(batch) => {
                *total += batch.counts;
                after = batch.cursor;
                committed(run, stage, &batch, started, left);
                // Outside of the transaction: nothing is locked while we wait.
                let pause = async { Ok(run.engine.pace.after(started, batch.rows).await) };
                let paused = run.while_holding(pause).await?;
                metrics::throttled(Reason::Rate.name(), paused);
            }
            Step::Refused { row, cursor } => {
                if refused.len() < refused::SAID_MAX {
                    say_refused(run, stage, &row);
                }
                refused.add(row);
                if let Some(error) =
                    EngineError::of_refused(refused).filter(|_| refused.len() >= refused::ROWS_MAX)
                {
                    return Err(error);
                }
                after = cursor;
            }
            Step::Empty if skip_locked => {
                after = None;
                skip_locked = false;
            }
            Step::Empty if after.is_some() => after = None,
            Step::Empty => return Ok(()),
        }
    }
}

/// E14: anonymizes the participants whom the database refused to delete, one by one, where it lets us.
///
/// # Errors
///
/// As [`run_stage`].
pub(in crate::engine) async fn anonymize_undeletable(
    run: &HeldRun,
    left: &mut metrics::Left,
    refused: &RefusedRows,
    total: &mut Counts,
) -> Result<(), EngineError> {
    let stage = Stage::Anonymize;
    let _permit = run.permit(Rank::First).await?;
    for id in refused.of(Stage::Purge) {
        if run.engine.stop.is_cancelled() {
            return Err(EngineError::Stopped);
        }
        let started = Instant::now();
        let page = Page {
            after: None,
            rows_max: 1,
            skip_locked: false,
            rows: Rows::Undeletable(*id),
        };
        match batch_or_stop(run, stage, page, &mut BatchSize::new(1, None)).await? {
            Step::Committed(batch) => {
                *total += batch.counts;
                committed(run, stage, &batch, started, left);
            }
            // Known as refused already, by the stage that is to delete it.
            Step::Refused { .. } | Step::Empty => {}
        }
    }
    Ok(())
}

fn committed(
    run: &HeldRun,
    stage: Stage,
    batch: &Batch,
    started: Instant,
    left: &mut metrics::Left,
) {
    run.engine.progress.add(&batch.counts);
    let elapsed = started.elapsed();
    metrics::batch_committed(stage.name(), batch.rows, elapsed, &batch.counts);
    left.done(stage.name(), batch.rows);
    metrics::progressed(run.engine.clock.now());
    tracing::debug!(
        event = "batch_committed",
        tenant = run.slug,
        period = %run.period,
        run_id = %run.lease.run_id,
        stage = stage.name(),
        rows = batch.rows,
        duration_seconds = elapsed.as_secs_f64(),
        "batch committed"
    );
}

fn say_refused(run: &HeldRun, stage: Stage, row: &RefusedRow) {
    tracing::warn!(
        event = "row_refused",
        tenant = run.slug,
        period = %run.period,
        run_id = %run.lease.run_id,
        stage = stage.name(),
        row_id = %row.id,
        class = row.class,
        code = row.code,
        constraint = row.constraint,
        "the database refused a row, which is left out; the others are done: {row}"
    );
}

/// The rate is for all processes together, and each takes an equal part of it. If they cannot be
/// counted just now, the last count holds; what is wrong with the database, the batch will tell.
async fn share_the_rate(run: &HeldRun) -> Result<(), EngineError> {
    if !run.engine.pace.wants_processes() {
        return Ok(());
    }
    let count = async {
        let work = async |transaction: &Transaction| {
            leases::holders(transaction, run.period.previous()).await
        };
        let database = &run.engine.database;
        Ok(database
            .read("counting the processes at work", work)
            .await?)
    };
    match run.while_holding(count).await {
        Ok(processes) => run.engine.pace.share_among(processes),
        Err(EngineError::Store(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn resume_after(run: &HeldRun, stage: Stage) -> Result<Option<Cursor>, EngineError> {
    // Only an earlier attempt can have left a cursor.
    if stage == Stage::Uploads || run.attempts == 1 {
        return Ok(None);
    }
    let work = async |transaction: &Transaction| run.lease.cursor(transaction, stage.name()).await;
    let database = &run.engine.database;
    let read = async || database.read("reading the run's cursor", work).await;
    let cursor = read
        .retry(run.engine.retry.backoff())
        .when(|error| error.class().is_transient())
        .await?;
    Ok(cursor)
}

/// How a batch ended.
enum Step {
    Committed(Batch),
    /// The page was empty.
    Empty,
    /// The database refused this row, which stood alone.
    Refused {
        row: RefusedRow,
        /// Where the next page starts.
        cursor: Option<Cursor>,
    },
}

/// As [`batch_with_retry`]. What is wrong for everybody stops the pass before the permit goes to the next
/// one, who would meet it too.
async fn batch_or_stop(
    run: &HeldRun,
    stage: Stage,
    page: Page<'_>,
    size: &mut BatchSize,
) -> Result<Step, EngineError> {
    batch_with_retry(run, stage, page, size)
        .await
        .inspect_err(|error| run.engine.stop_if_systemic(error))
}

/// One batch, tried again as its errors allow: the whole transaction, never a part of it. What a row
/// may be to blame for is tried with half of the rows, until it works or the row stands alone.
async fn batch_with_retry(
    run: &HeldRun,
    stage: Stage,
    mut page: Page<'_>,
    size: &mut BatchSize,
) -> Result<Step, EngineError> {
    let mut pauses = run.engine.retry.backoff().build();
    loop {
        let batch_id = run.engine.ids.next();
        page.rows_max = size.rows().min(
            run.engine
                .pace
                .batch_rows_max(run.engine.lease_duration, run.engine.permits.workers()),
        );
        let started = Instant::now();
        let BatchFailure {
            error,
            selected,
            counts,
        } = match transaction::erase_batch(run, stage, page, batch_id).await {
            Ok(None) => return Ok(Step::Empty),
            Ok(Some(batch)) => {
                size.committed(batch.rows, started.elapsed());
                return Ok(Step::Committed(batch));
            }
            Err(failure) => failure,
        };
        // What another attempt may mend by itself is narrowed only when no attempt is left.
        let pause = match error.disposition() {
            Disposition::SkipTenant | Disposition::Stop => None,
            _ => pauses.next(),
        };
        if pause.is_none() {
            let Some(selected) = selected.filter(|_| error.may_be_one_rows()) else {
                return Err(error);
            };
            // What was rolled back did not renew the lease.
            run.heartbeat().await?;
            if selected.rows > 1 {
                size.failed(selected.rows);
                pauses = run.engine.retry.backoff().build();
                continue;
            }
            return Ok(Step::Refused {
                row: error.refused_row(stage, selected.last),
                cursor: selected.cursor,
            });
        }
        let pause = pause.unwrap_or_default();
        metrics::batch_retried(error.class());
        tracing::warn!(
            event = "batch_retried",
            tenant = run.slug,
            period = %run.period,
            run_id = %run.lease.run_id,
            stage = stage.name(),
            reason = error.class(),
            code = error.code(),
            "batch will be tried again: {error}"
        );
        if error.wants_a_smaller_batch() {
            size.failed(page.rows_max);
        }
        // What was rolled back did not renew the lease, and several attempts together may take as
        // long as it lasts. After a lost reply the look-up comes first.
        if !error.leaves_commit_unknown() {
            run.heartbeat().await?;
        }
        let pause = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        run.while_holding(pause).await?;
        if error.leaves_commit_unknown()
            && let Some(mut batch) = find_committed(run, stage, batch_id).await?
        {
            // How many hashes were new is on record for the run alone (S15).
            batch.counts.suppressions = counts.map_or(0, |counts| counts.suppressions);
            return Ok(Step::Committed(batch));
        }
    }
}

/// After a lost reply: whether the batch was committed after all.
///
/// The fence comes first here too. It waits until a transaction that is still open on the server
/// has ended, one way or the other, so that the look-up cannot come too early. On a Galera cluster,
/// where that transaction may be on another node, it is the COMMIT here that decides: of two
/// transactions that wrote the lease's row, the second one fails, and this one is then repeated.
async fn find_committed(
    run: &HeldRun,
    stage: Stage,
    batch_id: Uuid,
) -> Result<Option<Batch>, EngineError> {
    let lease = &run.lease;
    let work = async |transaction: &Transaction| {
        let held = lease.fence(transaction).await?;
        let found = batches::find(transaction, lease.tenant, lease.run_id, batch_id).await?;
        let cursor = lease.cursor(transaction, stage.name()).await?;
        Ok::<_, StoreError>((held, found, cursor))
    };
    let database = &run.engine.database;
    let look_up = || database.write("looking up a batch", work);
    let (held, found, cursor) = look_up
        .retry(run.engine.retry.backoff())
        .when(|error| error.class().is_transient())
        .await?;
    if !held {
        return Err(EngineError::LeaseLost);
    }
    Ok(found.map(|counts| Batch {
        rows: counts.anonymized + counts.purged + counts.uploads_removed,
        counts,
        cursor,
    }))
}
