//! The conductor: drives one claimed tenant-run from its first batch to its record.

use std::time::Instant;

use backon::Retryable;

use crate::domain::counts::Counts;
use crate::domain::run_state::RunState;
use crate::domain::subject::CHILD_TABLES;
use crate::store::StoreError;
use crate::store::requirements::Requirement;
use crate::store::runs::{self, End};
use crate::telemetry::logs::info_if;
use crate::telemetry::metrics;

use super::estimate::estimate;
use super::failure::failure_of;
use crate::engine::batch::stage_runner::{anonymize_undeletable, run_stage};
use crate::engine::batch::transaction::cutoffs_in_force;
use crate::engine::context::require;
use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::permits::Rank;
use crate::engine::recount;
use crate::engine::refused::RefusedRows;
use crate::engine::stage::Stage;

/// How often the stages may have to start over because the policy, or the rows, changed under them.
const ROUNDS_MAX: u32 = 5;

/// How an attempt at a run ended.
#[derive(Debug)]
pub struct Driven {
    /// What was done in it; `None` = nobody knows.
    pub counts: Option<Counts>,
    /// E13: participants without a real date, once the run is completed.
    pub undated: u64,
    /// Why it ended early, if it did.
    pub error: Option<EngineError>,
}

/// Drives a claimed run to its end, whatever that is, and records it.
pub async fn drive(run: &HeldRun) -> Driven {
    let started = Instant::now();
    let _in_progress = metrics::InProgress::begin(run.lease.tenant);
    metrics::progressed(run.engine.clock.now());
    let mut counts = Counts::default();
    let (undated, error) = match stages(run, &mut counts).await {
        Ok(found) => {
            let end = End::Completed {
                undated: found.undated,
                recount_version: found.policy_version,
            };
            (found.undated, record_end(run, &end).await.err())
        }
        Err(error) => (0, Some(error)),
    };
    let duration_seconds = started.elapsed().as_secs_f64();
    match &error {
        None => info_if!(
            is_worth_a_line(run, &counts) || undated > 0,
            event = "tenant_run_completed",
            tenant = run.slug,
            period = %run.period,
            run_id = %run.lease.run_id,
            policy_version = run.policy_version,
            anonymize_cutoff = time(run.pinned.anonymize),
            purge_cutoff = time(run.pinned.purge),
            anonymized = counts.anonymized,
            purged = counts.purged,
            suppressions = counts.suppressions,
            unhashable = counts.unhashable,
            invitations_expired = counts.invitations_expired,
            uploads_removed = counts.uploads_removed,
            undated,
            duration_seconds,
            "tenant-run completed"
        ),
        Some(error) => end_early(run, error, started).await,
    }
    Driven {
        counts: Some(counts),
        undated,
        error,
    }
}

/// Whether something was done, or went wrong before: a line for each tenant without work would hide the others.
fn is_worth_a_line(run: &HeldRun, counts: &Counts) -> bool {
    run.attempts > 1 || *counts != Counts::default()
}

fn tell_started(run: &HeldRun, has_work: bool) {
    info_if!(
        has_work || run.attempts > 1,
        event = "tenant_run_started",
        tenant = run.slug,
        period = %run.period,
        run_id = %run.lease.run_id,
        policy_version = run.policy_version,
        anonymize_cutoff = time(run.pinned.anonymize),
        purge_cutoff = time(run.pinned.purge),
        tzdata_release = %run.zone.release(),
        attempt = run.attempts,
        "tenant-run started"
    );
}

/// All stages, until nothing is left to do. Returns what the recount found that said so.
async fn stages(run: &HeldRun, counts: &mut Counts) -> Result<Leftover, EngineError> {
    let estimate = estimate(run).await?;
    tell_started(run, estimate.has_work());
    let mut left = estimate.left();
    let mut refused = RefusedRows::default();
    let mut rows = 0;
    for round in 0..ROUNDS_MAX {
        for stage in Stage::ALL {
            // Another round is for what nobody expected.
            let may_find = round > 0 || estimate.may_find(stage, counts.purged);
            let started = Instant::now();
            let mut done = Counts::default();
            let mut ended =
                run_stage(run, stage, may_find, &mut left, &mut refused, &mut done).await;
            if ended.is_ok() && stage == Stage::Purge {
                ended = anonymize_undeletable(run, &mut left, &refused, &mut done).await;
            }
            // Batches of a stage that ended early are committed all the same.
            *counts += done;
            ended?;
            metrics::progressed(run.engine.clock.now());
            info_if!(
                done != Counts::default(),
                event = "stage_completed",
                tenant = run.slug,
                period = %run.period,
                run_id = %run.lease.run_id,
                stage = stage.name(),
                anonymized = done.anonymized,
                purged = done.purged,
                uploads_removed = done.uploads_removed,
                duration_seconds = started.elapsed().as_secs_f64(),
                "stage completed"
            );
        }
        let found = (|| run.while_holding(leftover(run, &refused)))
            .retry(run.engine.retry.backoff())
            .when(EngineError::is_transient)
            .await?;
        rows = found.rows;
        if rows == 0 {
            if found.undated > 0 {
                say_undated(run, found.undated);
            }
            return EngineError::of_refused(&refused).map_or(Ok(found), Err);
        }
    }
    Err(EngineError::Leftover {
        rows,
        rounds: ROUNDS_MAX,
    })
}

/// What a recount found.
struct Leftover {
    /// Rows that the run should have erased and that are still there.
    rows: u64,
    /// Participants without a real date.
    undated: u64,
    /// The policy version that was in force.
    policy_version: Option<i32>,
}

/// Counts what is left, besides what the database `refused`; an orphan is an error.
///
/// Orphans are looked for where there is a reason to, which the run's record keeps: a foreign key in force lets nobody
/// make one, and to look reads every child of the tenant, 40 % of a run's time as measured
/// (docs/performance.md). `verify` looks in any case.
async fn leftover(run: &HeldRun, refused: &RefusedRows) -> Result<Leftover, EngineError> {
    let _permit = run.engine.permits.take(Rank::First).await;
    let transaction = run.engine.database.begin_read("recounting").await?;
    let tenant = run.lease.tenant;
    // In the snapshot that decides: rows that are hidden now would not be counted either.
    require(&transaction, &Requirement::TO_DECIDE).await?;
    let in_force = cutoffs_in_force(run, &transaction).await?;
    let (now, cutoffs) = (in_force.now, in_force.cutoffs);
    let uploads = refused.of(Stage::Uploads);
    let mut rows = recount::empty_uploads_besides(&transaction, tenant, uploads).await?;
    for stage in Stage::OF_PARTICIPANTS {
        let refused = refused.of(stage);
        rows += recount::eligible_besides(&transaction, tenant, stage, cutoffs, refused).await?;
    }
    let undated = recount::undated(&transaction, tenant, now).await?;
    let mut orphans = None;
    for table in CHILD_TABLES.into_iter().filter(|_| run.may_have_orphans) {
        let found = recount::orphans(&transaction, tenant, table).await?;
        if found > 0 {
            let (first, sum) = orphans.unwrap_or((table, 0));
            orphans = Some((first, sum + found));
        }
    }
    transaction.rollback().await?;
    if let Some((table, rows)) = orphans {
        return Err(EngineError::Orphans { table, rows });
    }
    Ok(Leftover {
        rows,
        undated,
        policy_version: in_force.policy_version,
    })
}

fn say_undated(run: &HeldRun, undated: u64) {
    tracing::warn!(
        event = "undated_found",
        tenant = run.slug,
        period = %run.period,
        run_id = %run.lease.run_id,
        undated,
        "participants have no real date in added_at, and are never anonymized or deleted until it \
         is set"
    );
}

/// Records how a run ended early, as far as the database still lets us.
pub(in crate::engine) async fn end_early(run: &HeldRun, error: &EngineError, started: Instant) {
    let (event, state) = match error {
        EngineError::LeaseLost => ("lease_lost", None),
        EngineError::Superseded => ("tenant_run_superseded", Some(RunState::Superseded)),
        EngineError::Stopped => ("tenant_run_stopped", Some(RunState::Pending)),
        EngineError::ClockSkew { .. } => ("clock_skew", Some(RunState::Failed)),
        EngineError::ClockOutOfRange(_) => ("clock_refused", Some(RunState::Failed)),
        EngineError::ClockWentBack { .. } => ("clock_refused", Some(RunState::Failed)),
        _ => ("tenant_run_failed", Some(RunState::Failed)),
    };
    tracing::warn!(
        event,
        tenant = run.slug,
        period = %run.period,
        run_id = %run.lease.run_id,
        policy_version = run.policy_version,
        class = error.class(),
        code = error.code(),
        duration_seconds = started.elapsed().as_secs_f64(),
        "tenant-run ended early: {error}"
    );
    match state {
        None => metrics::lease_lost(),
        Some(RunState::Failed) => metrics::failed(error.class()),
        Some(_) => {}
    }
    let Some(state) = state else { return };
    let failure =
        (state == RunState::Failed).then(|| failure_of(error, run.lease.run_id, run.attempts));
    let end = match failure {
        Some(failure) => End::Failed(failure),
        None => End::Early(state),
    };
    if let Err(error) = record_end(run, &end).await {
        // The lease expires, and whoever claims the run then finds it as it is.
        tracing::warn!(
            event = "run_record_failed",
            tenant = run.slug,
            period = %run.period,
            run_id = %run.lease.run_id,
            class = error.class(),
            code = error.code(),
            "the end of the run could not be recorded: {error}"
        );
    }
}

/// Records the end and gives the lease back, in one transaction.
async fn record_end(run: &HeldRun, end: &End) -> Result<(), EngineError> {
    let lease = &run.lease;
    let state = end.state();
    let record = || async {
        let transaction = run
            .engine
            .database
            .begin("recording the end of a run")
            .await?;
        if !lease.fence(&transaction).await? {
            // Lost, or our own earlier attempt was committed and its reply lost. Whoever took the
            // run over claimed it first, which counted an attempt: its end is not ours.
            let stored = runs::find(&transaction, lease.tenant, run.period).await?;
            transaction.rollback().await?;
            return Ok(stored.is_some_and(|stored| {
                stored.state == state.name() && stored.attempts == run.attempts
            }));
        }
        runs::finish(&transaction, lease.tenant, lease.run_id, end).await?;
        if state == RunState::Completed {
            runs::supersede_before(&transaction, lease.tenant, run.period).await?;
        }
        let is_final = matches!(state, RunState::Completed | RunState::Superseded);
        lease.release(&transaction, is_final).await?;
        transaction.commit().await?;
        Ok::<bool, StoreError>(true)
    };
    let recorded = record
        .retry(run.engine.retry.backoff())
        .when(|error| error.class().is_transient())
        .await?;
    if recorded {
        Ok(())
    } else {
        Err(EngineError::LeaseLost)
    }
}

fn time(instant: Option<chrono::DateTime<chrono::Utc>>) -> Option<String> {
    instant.map(|instant| instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}
