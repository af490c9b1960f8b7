//! Which months of the records have come, and the newest of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::tenant_run;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Value,
};

use crate::domain::period::Period;
use crate::domain::record::MonthsCome;
use crate::domain::run_state::RunState;
use crate::ids::TenantId;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// S12: the run's month has come. `due_at` is asked only where that can be true at all: whoever forges a record
/// of a month far ahead forges its due instant, too. The parameters are those of [`come_by`].
pub(super) const HAS_COME: &str =
    "(period <= :come_due OR (period <= :come_begun AND due_at <= :come_at))";

/// The parameters of [`HAS_COME`]; `latest` is the later of the two clocks.
pub(super) fn come_by(latest: DateTime<Utc>) -> [(&'static str, Value); 3] {
    let come = MonthsCome::by(latest);
    [
        ("come_due", come.due.into()),
        ("come_begun", come.begun.into()),
        ("come_at", latest.into()),
    ]
}

/// The newest period for which the tenant has a run in one of `states`, of those whose month has come by
/// `latest`: the later of the two clocks (S12).
pub async fn newest_period(
    transaction: &Transaction,
    tenant: TenantId,
    states: &[RunState],
    latest: DateTime<Utc>,
) -> Result<Option<Period>, StoreError> {
    let names: Vec<String> = states
        .iter()
        .map(|state| format!("'{}'", state.name()))
        .collect();
    // Not through the entity: on MariaDB it binds a TIMESTAMP, which ends in 2038.
    let sql = format!(
        "SELECT MAX(period) AS period FROM tenant_run WHERE tenant_id = :tenant \
         AND state IN ({}) AND {HAS_COME}",
        names.join(", ")
    );
    let mut parameters = vec![("tenant", tenant.into())];
    parameters.extend(come_by(latest));
    let newest = transaction
        .row::<NewestPeriod>("runs.newest_period", &sql, &parameters)
        .await?;
    Ok(newest.and_then(NewestPeriod::read))
}

#[derive(FromQueryResult)]
struct NewestPeriod {
    period: Option<String>,
}

impl NewestPeriod {
    fn read(self) -> Option<Period> {
        self.period?.parse().ok()
    }
}

/// States of a run after which its month is settled: it was done, or there was nothing to do.
const SETTLED: &str = "('completed', 'no_policy')";

/// S13: the newest settled period of any tenant, of those that have come by `latest`.
pub async fn newest_settled_of_all(
    transaction: &Transaction,
    latest: DateTime<Utc>,
) -> Result<Option<Period>, StoreError> {
    let sql = format!(
        "SELECT period FROM tenant_run WHERE state IN {SETTLED} AND {HAS_COME} \
         ORDER BY period DESC LIMIT 1"
    );
    let newest = transaction
        .row::<NewestPeriod>("runs.newest_completed_of_all", &sql, &come_by(latest))
        .await?;
    Ok(newest.and_then(NewestPeriod::read))
}

/// S13: the newest settled period of each tenant that has one, of those that have come by `latest`.
pub async fn newest_settled(
    transaction: &Transaction,
    latest: DateTime<Utc>,
) -> Result<HashMap<TenantId, Period>, StoreError> {
    let sql = format!(
        "SELECT tenant_id, MAX(period) AS period FROM tenant_run WHERE state IN {SETTLED} \
         AND {HAS_COME} GROUP BY tenant_id"
    );
    let rows = transaction
        .rows::<NewestSettled>("runs.newest_completed", &sql, &come_by(latest))
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((TenantId(row.tenant_id), row.period.parse().ok()?)))
        .collect())
}

#[derive(FromQueryResult)]
struct NewestSettled {
    tenant_id: i64,
    period: String,
}

/// S12: the tenant's records of months that have not come by `latest`, the later of the two clocks, oldest
/// first.
pub async fn of_the_future(
    transaction: &Transaction,
    tenant: TenantId,
    latest: DateTime<Utc>,
) -> Result<Vec<FutureRecord>, StoreError> {
    let sql = format!(
        "SELECT period, state, policy_version FROM tenant_run WHERE tenant_id = :tenant \
         AND NOT {HAS_COME} ORDER BY period"
    );
    let mut parameters = vec![("tenant", tenant.into())];
    parameters.extend(come_by(latest));
    let rows = transaction
        .rows::<FutureRow>("runs.of_the_future", &sql, &parameters)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(FutureRecord {
                period: row.period.parse().ok()?,
                is_set_aside: row.state == RunState::Pending.name() && row.policy_version.is_none(),
            })
        })
        .collect())
}

/// A record of a month that has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FutureRecord {
    /// The month.
    pub period: Period,
    /// See [`set_aside_future`](super::set_aside_future).
    pub is_set_aside: bool,
}

#[derive(FromQueryResult)]
struct FutureRow {
    period: String,
    state: String,
    policy_version: Option<i32>,
}

/// The tenant's newest runs whose months have come by `latest`, newest first. `due` has, whatever its record
/// says.
pub async fn newest(
    transaction: &Transaction,
    tenant: TenantId,
    due: Period,
    latest: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<tenant_run::Model>, StoreError> {
    let come = MonthsCome::by(latest);
    let runs = transaction
        .models(
            "runs.judged",
            tenant_run::Entity::find()
                .filter(tenant_run::Column::TenantId.eq(tenant.0))
                .filter(tenant_run::Column::Period.lte(come.begun.to_string()))
                .order_by_desc(tenant_run::Column::Period)
                .limit(limit),
        )
        .await?;
    // What is no period of ours is nothing to be judged by the calendar.
    let has_come = |run: &tenant_run::Model| {
        run.period
            .parse()
            .is_ok_and(|period| period == due || come.includes(period, run.due_at))
    };
    Ok(runs.into_iter().filter(has_come).collect())
}

/// The newest period before `period` for which the tenant has a run, whatever its state.
pub async fn newest_period_before(
    transaction: &Transaction,
    tenant: TenantId,
    period: Period,
) -> Result<Option<Period>, StoreError> {
    let query = tenant_run::Entity::find()
        .filter(tenant_run::Column::TenantId.eq(tenant.0))
        .filter(tenant_run::Column::Period.lt(period.to_string()))
        .order_by_desc(tenant_run::Column::Period);
    let run = transaction.model("runs.newest_before", query).await?;
    Ok(run.and_then(|run| run.period.parse().ok()))
}
