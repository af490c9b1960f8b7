//! The ledger: what each committed batch did, written in the transaction that did it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::ids::TenantId;

use crate::store::db::dialect::Dialect;
use crate::store::db::error::StoreError;
use crate::store::db::transaction::Transaction;

/// Adds what a batch did to the run's record, and records the batch itself. What was reclaimed
/// before does not count for what this batch erased.
///
/// Hashes are counted by the run alone (S15): whoever reads the records must not see in which batch a new one
/// came, and so whose it may be.
pub async fn record(transaction: &Transaction, batch: &BatchRecord<'_>) -> Result<(), StoreError> {
    let counts = batch.counts;
    let mut values = vec![
        ("tenant", batch.tenant.into()),
        ("run", batch.run_id.into()),
        ("id", batch.id.into()),
        ("slice", batch.slice.into()),
        ("stage", batch.stage.into()),
        ("written_at", batch.written_at.into()),
        ("cutoff", batch.cutoff.into()),
    ];
    let counted = counts.columns();
    for (name, count) in &counted {
        values.push((name, i64::try_from(*count).unwrap_or(i64::MAX).into()));
    }
    let of_batch = |name: &str| match name {
        "suppressions" => "0".to_owned(),
        name => format!(":{name}"),
    };
    let names = || counted.iter().map(|(name, _)| *name);
    let sql = format!(
        "INSERT INTO run_batch (tenant_id, run_id, id, slice, stage, written_at, cutoff, {}) \
         VALUES (:tenant, :run, :id, :slice, :stage, :written_at, :cutoff, {})",
        names().collect::<Vec<_>>().join(", "),
        names().map(of_batch).collect::<Vec<_>>().join(", ")
    );
    transaction.execute("batches.record", &sql, &values).await?;
    let sql = format!(
        "UPDATE tenant_run SET reclaimed_at = NULL, {} WHERE tenant_id = :tenant AND id = :run",
        names()
            .map(|name| format!("{name} = {name} + :{name}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    transaction
        .execute("batches.add_to_run", &sql, &values)
        .await?;
    Ok(())
}

/// What [`record`] stores.
#[derive(Debug)]
pub struct BatchRecord<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The run.
    pub run_id: Uuid,
    /// The batch; chosen before the transaction began.
    pub id: Uuid,
    /// The slice.
    pub slice: i32,
    /// The stage.
    pub stage: &'a str,
    /// The batch's time; `anonymized_at` of its rows.
    pub written_at: DateTime<Utc>,
    /// The cutoff in force.
    pub cutoff: Option<DateTime<Utc>>,
    /// What it did.
    pub counts: &'a Counts,
}

/// What the batch did, if it was committed; decides after a lost reply to COMMIT.
pub async fn find(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    batch_id: Uuid,
) -> Result<Option<Counts>, StoreError> {
    let names = Counts::default().columns();
    let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "SELECT {} FROM run_batch WHERE tenant_id = :tenant AND run_id = :run AND id = :id",
        names.join(", ")
    );
    transaction
        .row::<StoredCounts>(
            "batches.find",
            &sql,
            &[
                ("tenant", tenant.into()),
                ("run", run_id.into()),
                ("id", batch_id.into()),
            ],
        )
        .await
        .map(|row| row.map(|row| row.0))
}

/// What the batches of a run recorded, summed by stage.
pub async fn totals(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
) -> Result<Vec<StageTotals>, StoreError> {
    let sums = sums_of_counts(transaction.dialect());
    let sql = format!(
        "SELECT stage, COUNT(*) AS batches, {sums} FROM run_batch \
         WHERE tenant_id = :tenant AND run_id = :run GROUP BY stage ORDER BY stage"
    );
    transaction
        .rows(
            "batches.totals",
            &sql,
            &[("tenant", tenant.into()), ("run", run_id.into())],
        )
        .await
}

/// `SUM(column) AS column`, of each count.
fn sums_of_counts(dialect: Dialect) -> String {
    // SUM of BIGINT is a DECIMAL on the servers.
    let sums: Vec<String> = Counts::default()
        .columns()
        .iter()
        .map(|(name, _)| format!("CAST(SUM({name}) AS {}) AS {name}", dialect.integer()))
        .collect();
    sums.join(", ")
}

/// What the batches of each of the tenant's runs recorded, by column, as it is stored: somebody may have stored
/// what is no count.
pub async fn sums(
    transaction: &Transaction,
    tenant: TenantId,
) -> Result<HashMap<Uuid, Vec<(&'static str, i64)>>, StoreError> {
    let sums = sums_of_counts(transaction.dialect());
    let sql =
        format!("SELECT run_id, {sums} FROM run_batch WHERE tenant_id = :tenant GROUP BY run_id");
    let rows = transaction
        .rows::<Sums>("batches.sums", &sql, &[("tenant", tenant.into())])
        .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.sums)).collect())
}

struct Sums {
    run_id: Uuid,
    sums: Vec<(&'static str, i64)>,
}

impl FromQueryResult for Sums {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let columns = Counts::default().columns();
        let sums = columns
            .into_iter()
            .map(|(name, _)| Ok((name, row.try_get(prefix, name)?)));
        Ok(Self {
            run_id: row.try_get(prefix, "run_id")?,
            sums: sums.collect::<Result<_, DbErr>>()?,
        })
    }
}

/// The run that anonymized whoever was anonymized at that instant; `None` = no run recorded it.
pub async fn anonymizing_run(
    transaction: &Transaction,
    tenant: TenantId,
    anonymized_at: DateTime<Utc>,
) -> Result<Option<Uuid>, StoreError> {
    let run = transaction
        .row::<AnonymizingRun>(
            "batches.anonymizing_run",
            "SELECT run_id FROM run_batch WHERE tenant_id = :tenant AND stage = 'anonymize' \
             AND written_at = :at ORDER BY run_id LIMIT 1",
            &[("tenant", tenant.into()), ("at", anonymized_at.into())],
        )
        .await?;
    Ok(run.map(|run| run.run_id))
}

#[derive(FromQueryResult)]
struct AnonymizingRun {
    run_id: Uuid,
}

/// How many participants the run's batches of the last `seconds` took, by the database's clock.
pub async fn participants_within(
    transaction: &Transaction,
    tenant: TenantId,
    run_id: Uuid,
    seconds: f64,
) -> Result<u64, StoreError> {
    let dialect = transaction.dialect();
    // SUM of BIGINT is a DECIMAL on the servers.
    let sum = match dialect {
        Dialect::Sqlite => "SUM(anonymized + purged)",
        Dialect::Postgres => "SUM(anonymized + purged)::bigint",
        Dialect::MariaDb => "CAST(SUM(anonymized + purged) AS SIGNED)",
    };
    let sql = format!(
        "SELECT {sum} AS n FROM run_batch WHERE tenant_id = :tenant AND run_id = :run \
         AND written_at >= {}",
        dialect.now_plus_seconds()
    );
    transaction
        .count(
            "batches.participants_within",
            &sql,
            &[
                ("tenant", tenant.into()),
                ("run", run_id.into()),
                ("seconds", (-seconds).into()),
            ],
        )
        .await
}

/// What the batches of one stage recorded.
#[derive(Clone, Debug)]
pub struct StageTotals {
    /// `anonymize`, `purge` or `uploads`.
    pub stage: String,
    /// How many batches.
    pub batches: i64,
    /// Their sum.
    pub counts: Counts,
}

impl FromQueryResult for StageTotals {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            stage: row.try_get(prefix, "stage")?,
            batches: row.try_get(prefix, "batches")?,
            counts: StoredCounts::from_query_result(row, prefix)?.0,
        })
    }
}

/// The count columns of a row.
struct StoredCounts(Counts);

impl FromQueryResult for StoredCounts {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let mut counts = Counts::default();
        for (name, count) in counts.columns_mut() {
            let value: i64 = row.try_get(prefix, name)?;
            *count = u64::try_from(value).unwrap_or_default();
        }
        Ok(Self(counts))
    }
}
