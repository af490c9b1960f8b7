//! How a run ended, and the record of it.

use uuid::Uuid;

use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Nothing is left to do.
    Completed {
        /// Participants without a real date, whom it left alone.
        undated: u64,
        /// The policy version that was in force when nothing was left (P10).
        recount_version: Option<i32>,
    },
    /// It failed, and will be taken up again.
    Failed(Failure),
    /// In another state.
    Early(RunState),
}

impl End {
    /// The state that is recorded.
    #[must_use]
    pub fn state(&self) -> RunState {
        match self {
            Self::Completed { .. } => RunState::Completed,
            Self::Failed(_) => RunState::Failed,
            Self::Early(state) => *state,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Completed { .. } | Self::Early(_) => None,
        }
    }
}

/// Why a run failed, and when it will be tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Class of the error.
    pub class: &'static str,
    /// The database's code, where there is one.
    pub code: Option<String>,
    /// The rows that the database refused, where it failed because of them.
    pub refused: Option<RefusedRecord>,
    /// Rows without their participant that it found; 0 = it found that a foreign key is not in force, so
    /// there may be some; unset = it is not about them.
    pub orphans: Option<u64>,
    /// Pause until the next attempt.
    pub retry_after_seconds: f64,
}

/// What is recorded of rows that the database refused to anonymize or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Stage of the first one.
    pub stage: &'static str,
    /// Its id: a participant's, or an upload's. It goes with the failure.
    pub row_id: Uuid,
    /// The constraint, where the database names it.
    pub constraint: Option<String>,
    /// How many rows there are.
    pub rows: u64,
}

/// Ends a run. The caller holds the run's lease.
pub async fn finish(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    end: &End,
) -> Result<(), StoreError> {
    // There is no way out of `completed` (S15).
    record(transaction, tenant, run_id, end, "state <> 'completed'").await
}

/// As [`finish`], for a caller without the lease: changes nothing once somebody has claimed the run
/// or it has ended. The statement itself looks, because both can happen at any moment before it.
pub async fn finish_unclaimed(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    end: &End,
) -> Result<(), StoreError> {
    let unclaimed = "state IN ('pending', 'failed')";
    record(transaction, tenant, run_id, end, unclaimed).await
}

/// As [`finish_unclaimed`], for a run that nobody can claim: it may say that it is running although its
/// holder is gone.
pub async fn finish_abandoned(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    end: &End,
) -> Result<(), StoreError> {
    let abandoned = format!(
        "(state IN ('pending', 'failed', 'superseded', 'no_policy') OR (state = 'running' AND NOT EXISTS (SELECT 1 FROM run_lease \
         WHERE run_lease.tenant_id = :tenant AND run_lease.run_id = :run \
         AND run_lease.token IS NOT NULL AND run_lease.expires_at > {})))",
        transaction.dialect().now()
    );
    record(transaction, tenant, run_id, end, &abandoned).await
}

/// Records that no policy rules a run. One that the calendar chose may have been superseded by a month
/// that has not come yet (S12): then it is this one that counts.
pub async fn finish_without_policy(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    is_named: bool,
) -> Result<(), StoreError> {
    let condition = if is_named {
        "state IN ('pending', 'failed')"
    } else {
        "state IN ('pending', 'failed', 'superseded')"
    };
    let end = End::Early(RunState::NoPolicy);
    record(transaction, tenant, run_id, &end, condition).await
}

async fn record(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    end: &End,
    condition: &str,
) -> Result<(), StoreError> {
    let dialect = transaction.dialect();
    let failure = end.failure();
    let refused = failure.and_then(|failure| failure.refused.as_ref());
    let (undated, recount_version) = match end {
        End::Completed {
            undated,
            recount_version,
        } => (Some(*undated), *recount_version),
        End::Failed(_) | End::Early(_) => (None, None),
    };
    let retry_at = match failure {
        Some(_) => dialect.now_plus_seconds(),
        None => "NULL",
    };
    // Whatever it fails of next: they are forgotten only when a run is completed, which counts them.
    let orphans = match end {
        End::Completed { .. } => "NULL",
        End::Failed(_) | End::Early(_) => "COALESCE(NULLIF(:orphans, 0), orphans, :orphans)",
    };
    let sql = format!(
        "UPDATE tenant_run SET state = :state, finished_at = {}, retry_at = {retry_at}, \
         failure_class = :class, failure_code = :code, failure_stage = :stage, \
         failure_row_id = :row, failure_constraint = :constraint, failure_rows = :rows, \
         undated = :undated, recount_version = :recount_version, orphans = {orphans} WHERE tenant_id = :tenant AND id = :run AND {condition}",
        dialect.now(),
    );
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    transaction
        .execute(
            "runs.end",
            &sql,
            &[
                ("state", end.state().into()),
                ("class", failure.map(|failure| failure.class).into()),
                (
                    "code",
                    failure.and_then(|failure| failure.code.clone()).into(),
                ),
                ("stage", refused.map(|refused| refused.stage).into()),
                ("row", refused.map(|refused| refused.row_id).into()),
                (
                    "constraint",
                    refused
                        .and_then(|refused| refused.constraint.clone())
                        .into(),
                ),
                ("rows", refused.map(|refused| count(refused.rows)).into()),
                ("undated", undated.map(count).into()),
                ("recount_version", recount_version.into()),
                (
                    "orphans",
                    failure
                        .and_then(|failure| failure.orphans)
                        .map(count)
                        .into(),
                ),
                (
                    "seconds",
                    failure
                        .map_or(0.0, |failure| failure.retry_after_seconds)
                        .into(),
                ),
                ("tenant", tenant.into()),
                ("run", run_id.into()),
            ],
        )
        .await?;
    Ok(())
}
