//! How the tenant-runs of all tenants stand, read at once: a daemon looks every few minutes, and
//! the number of statements must not grow with the number of tenants.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::tenant_run;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Value};
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Period;
use crate::domain::record::{MonthsCome, Named, Record};
use crate::domain::run_state::RunState;
use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// A tenant-run, as far as it says who may take it up, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// The tenant.
    pub tenant: TenantId,
    /// The run.
    pub run_id: Uuid,
    /// The period.
    pub period: Period,
    /// Its state.
    pub state: RunState,
    /// S12: its month has not come yet, so it forbids nothing.
    pub is_of_the_future: bool,
    /// It has been claimed, and has pinned a policy version.
    pub is_pinned: bool,
    /// What it says, to be compared with the calendar.
    pub record: Record,
    /// Of a failed run: when it is to be taken up again, by the database's clock.
    pub retry_at: Option<DateTime<Utc>>,
    /// Rows without their participant that it found when they were last counted.
    pub orphans: u64,
    /// When it last ended, whatever its end was.
    pub finished_at: Option<DateTime<Utc>>,
    /// Until when somebody holds its lease, by the database's clock; unset = nobody does.
    pub lease_expires_at: Option<DateTime<Utc>>,
}

/// Condition that every instant of a record is one. The driver fails on another, and would fail the look at all
/// tenants; left out, the record is met by the claim of its own tenant. PostgreSQL refuses to store one, and
/// who can write a SQLite file can do anything.
fn readable(dialect: Dialect) -> String {
    if dialect != Dialect::MariaDb {
        return "1 = 1".to_owned();
    }
    // Of a column that is never NULL, MariaDB says that 0000-00-00 IS NULL.
    let conditions = [
        "anonymize_cutoff",
        "purge_cutoff",
        "started_at",
        "finished_at",
        "retry_at",
        "reclaimed_at",
    ]
    .map(|column| {
        let column = format!("tenant_run.{column}");
        format!("({column} IS NULL OR {})", dialect.is_instant(&column))
    });
    let due_at = dialect.is_instant("tenant_run.due_at");
    format!("{due_at} AND {}", conditions.join(" AND "))
}

/// The runs of `oldest` and of newer periods, of all tenants, with the terms of the policy versions that they
/// name. Those of months that have not come are marked as such (S12); `latest` is the later of the two
/// clocks.
pub async fn since(
    transaction: &Transaction,
    oldest: Period,
    latest: DateTime<Utc>,
) -> Result<Vec<RunStatus>, StoreError> {
    let readable = readable(transaction.dialect());
    let rows = transaction
        .rows::<RunStatusRow>(
            "run_status.runs_since", &format!(
                "SELECT tenant_run.tenant_id, tenant_run.id, tenant_run.period, tenant_run.state, \
             tenant_run.policy_version, tenant_run.retry_at, tenant_run.finished_at, tenant_run.orphans, \
             tenant_run.due_at, tenant_run.anonymize_cutoff, tenant_run.purge_cutoff, \
             tenant_run.started_at, tenant_run.attempts, policy.version AS known_version, \
             policy.anonymize_after_months, policy.retain_months, run_lease.expires_at \
             FROM tenant_run LEFT JOIN run_lease ON run_lease.tenant_id = tenant_run.tenant_id \
             AND run_lease.run_id = tenant_run.id AND run_lease.slice = 0 \
             AND run_lease.token IS NOT NULL AND tenant_run.state = 'running' \
             LEFT JOIN policy ON policy.tenant_id = tenant_run.tenant_id \
             AND policy.version = tenant_run.policy_version \
             WHERE tenant_run.period >= :oldest AND {readable}"
            ),
            &[("oldest", oldest.into())],
        )
        .await?;
    let come = MonthsCome::by(latest);
    // What is no period or state of ours was stored by somebody else, and is nothing to work on.
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let (period, state) = (row.period.parse().ok()?, row.state.parse().ok()?);
            Some(RunStatus {
                tenant: TenantId(row.tenant_id),
                run_id: row.id,
                period,
                state,
                is_of_the_future: !come.includes(period, row.due_at),
                is_pinned: row.policy_version.is_some(),
                record: Record {
                    period,
                    state,
                    due_at: row.due_at,
                    version: row.version(),
                    pinned: Cutoffs {
                        anonymize: row.anonymize_cutoff,
                        purge: row.purge_cutoff,
                    },
                    attempts: row.attempts,
                    started_at: row.started_at,
                    finished_at: row.finished_at,
                },
                retry_at: row.retry_at,
                orphans: row
                    .orphans
                    .and_then(|rows| u64::try_from(rows).ok())
                    .unwrap_or_default(),
                finished_at: row.finished_at,
                lease_expires_at: row.expires_at,
            })
        })
        .collect())
}

/// The newest run of each tenant, if it is of a period from `oldest` to `newest` and is completed. Runs
/// of months that have not come by `latest`, the later of the two clocks, count for nothing (S12).
pub async fn completed(
    transaction: &Transaction,
    oldest: Period,
    newest: Period,
    latest: DateTime<Utc>,
) -> Result<Vec<tenant_run::Model>, StoreError> {
    let come = MonthsCome::by(latest);
    // Bound as the column's type is: on MariaDB a TIMESTAMP would end in 2038.
    let due_by: Value = match transaction.dialect() {
        Dialect::MariaDb => latest.naive_utc().into(),
        _ => latest.into(),
    };
    // The ORM has no word for a column of a table under another name.
    let marks = match transaction.dialect() {
        Dialect::Postgres => ["$1", "$2", "$3"],
        _ => ["?", "?", "?"],
    };
    transaction
        .models(
            "run_status.newest_runs",
            tenant_run::Entity::find()
                .filter(tenant_run::Column::Period.between(oldest.to_string(), newest.to_string()))
                .filter(tenant_run::Column::State.eq(RunState::Completed.name()))
                .filter(Expr::cust(readable(transaction.dialect())))
                .filter(Expr::cust_with_values(
                    format!(
                        "NOT EXISTS (SELECT 1 FROM tenant_run AS newer \
                         WHERE newer.tenant_id = tenant_run.tenant_id \
                         AND newer.period > tenant_run.period AND (newer.period <= {} OR \
                         (newer.period <= {} AND newer.due_at <= {})))",
                        marks[0], marks[1], marks[2]
                    ),
                    [come.due.into(), come.begun.into(), due_by],
                )),
        )
        .await
}

/// The terms of the policy versions that the completed runs of periods from `oldest` to `newest` name, by
/// tenant and number.
pub async fn terms_of_completed(
    transaction: &Transaction,
    oldest: Period,
    newest: Period,
) -> Result<HashMap<(TenantId, i32), Named>, StoreError> {
    let rows = transaction
        .rows::<TermsRow>(
            "run_status.terms_of_completed", "SELECT DISTINCT policy.tenant_id, policy.version, policy.anonymize_after_months, \
             policy.retain_months FROM tenant_run JOIN policy \
             ON policy.tenant_id = tenant_run.tenant_id AND policy.version = tenant_run.policy_version \
             WHERE tenant_run.state = 'completed' AND tenant_run.period >= :oldest \
             AND tenant_run.period <= :newest",
            &[
                ("oldest", oldest.into()),
                ("newest", newest.into()),
            ],
        )
        .await?;
    let terms = |row: TermsRow| {
        let named = Named::stored(row.anonymize_after_months, row.retain_months);
        ((TenantId(row.tenant_id), row.version), named)
    };
    Ok(rows.into_iter().map(terms).collect())
}

/// When the newest period before `period` that was completed for every tenant that had a run of it
/// was finished. A run that a newer period superseded was never completed: a month that one tenant
/// missed is no success, also after the next one began.
pub async fn last_success_before(
    transaction: &Transaction,
    period: Period,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    last_finished(
        transaction,
        "SELECT MAX(finished_at) AS finished_at FROM tenant_run WHERE state = 'completed' \
         AND period = (SELECT MAX(period) FROM (SELECT period FROM tenant_run \
         WHERE period < :period GROUP BY period \
         HAVING SUM(CASE WHEN state = 'completed' THEN 1 ELSE 0 END) > 0 \
         AND SUM(CASE WHEN state IN ('completed', 'no_policy') THEN 0 ELSE 1 END) = 0) AS finished)",
        period,
    )
    .await
}

/// When the last run of the newest period before `period` in which any was completed ended.
pub async fn last_completed_before(
    transaction: &Transaction,
    period: Period,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    last_finished(
        transaction,
        "SELECT MAX(finished_at) AS finished_at FROM tenant_run WHERE state = 'completed' \
         AND period = (SELECT MAX(period) FROM tenant_run WHERE state = 'completed' \
         AND period < :period)",
        period,
    )
    .await
}

async fn last_finished(
    transaction: &Transaction,
    sql: &str,
    before: Period,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = transaction
        .row::<Finished>(
            "run_status.last_finished",
            sql,
            &[("period", before.into())],
        )
        .await?;
    Ok(row.and_then(|row| row.finished_at))
}

/// How many participants the uploads of each tenant held when they were accepted: a cheap measure
/// of how long a run may take.
pub async fn sizes(transaction: &Transaction) -> Result<HashMap<TenantId, i64>, StoreError> {
    let integer = transaction.dialect().integer();
    let sql = format!(
        "SELECT tenant_id, CAST(SUM(row_count) AS {integer}) AS n FROM upload GROUP BY tenant_id"
    );
    let rows = transaction
        .rows::<Size>("run_status.sizes", &sql, &[])
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TenantId(row.tenant_id), row.n.unwrap_or_default()))
        .collect())
}

#[derive(FromQueryResult)]
struct RunStatusRow {
    tenant_id: i64,
    id: Uuid,
    period: String,
    state: String,
    policy_version: Option<i32>,
    due_at: DateTime<Utc>,
    anonymize_cutoff: Option<DateTime<Utc>>,
    purge_cutoff: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    attempts: i32,
    known_version: Option<i32>,
    anonymize_after_months: Option<i32>,
    retain_months: Option<i32>,
    retry_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    orphans: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
}

impl RunStatusRow {
    /// The version that it names, with its terms.
    fn version(&self) -> Named {
        match (self.policy_version, self.known_version) {
            (None, _) => Named::None,
            (Some(_), None) => Named::Unknown,
            (Some(_), Some(_)) => Named::stored(self.anonymize_after_months, self.retain_months),
        }
    }
}

#[derive(FromQueryResult)]
struct TermsRow {
    tenant_id: i64,
    version: i32,
    anonymize_after_months: Option<i32>,
    retain_months: Option<i32>,
}

#[derive(FromQueryResult)]
struct Finished {
    finished_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Size {
    tenant_id: i64,
    n: Option<i64>,
}
