//! The one transaction that a batch is.
//!
//! The order within the transaction is never bent: fence, select, hash, write with the full
//! predicate, record, commit. See `docs/architecture.md` for what goes wrong otherwise.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::email_value::EmailValue;
use crate::domain::period::Period;
use crate::domain::policy::Terms;
use crate::domain::record::MonthsCome;
use crate::domain::suppression::Suppressed;
use crate::store::batches::{self, BatchRecord};
use crate::store::leases::Cursor;
use crate::store::requirements::{self, Requirement};
use crate::store::{Transaction, clocks, suppressions};

use super::page::{Page, Rows, SelectedRow, select, select_empty_uploads};
use crate::engine::erase;
use crate::engine::error::EngineError;
use crate::engine::held::HeldRun;
use crate::engine::stage::{Guard, Selection, Stage};

/// What a batch found and did.
#[derive(Debug)]
pub(in crate::engine) struct Batch {
    pub(in crate::engine) counts: Counts,
    pub(in crate::engine) rows: u64,
    /// Where the next page starts; `None` for a stage that does not page.
    pub(in crate::engine) cursor: Option<Cursor>,
}

/// Why a batch failed, and how far it had come.
#[derive(Debug)]
pub(in crate::engine) struct BatchFailure {
    pub(in crate::engine) error: EngineError,
    /// What it had selected; `None` = nothing yet.
    pub(in crate::engine) selected: Option<Selected>,
    /// What it did, if it came to its COMMIT.
    pub(in crate::engine) counts: Option<Counts>,
}

/// The rows of a batch.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Selected {
    pub(in crate::engine) rows: u64,
    /// Id of the last one.
    pub(in crate::engine) last: Uuid,
    /// Its place; `None` for a stage that does not page.
    pub(in crate::engine) cursor: Option<Cursor>,
}

/// One batch: one transaction. `None` = the page was empty; nothing was written but the lease.
pub(in crate::engine) async fn erase_batch(
    run: &HeldRun,
    stage: Stage,
    page: Page<'_>,
    batch_id: Uuid,
) -> Result<Option<Batch>, BatchFailure> {
    let (mut selected, mut counts) = (None, None);
    let outcome = async {
        let transaction = run.engine.database.begin("erasing a batch").await?;
        match batch_in(run, stage, page, batch_id, &transaction, &mut selected).await {
            // A constraint that is deferred speaks up here.
            Ok(batch) => {
                counts = batch.as_ref().map(|batch| batch.counts);
                transaction.commit().await?;
                Ok(batch)
            }
            Err(error) => {
                // The connection may be the very thing that failed; it rolls back when it goes.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }
    .await;
    outcome.map_err(|error| BatchFailure {
        error,
        selected,
        counts,
    })
}

async fn batch_in(
    run: &HeldRun,
    stage: Stage,
    page: Page<'_>,
    batch_id: Uuid,
    transaction: &Transaction,
    selected: &mut Option<Selected>,
) -> Result<Option<Batch>, EngineError> {
    // 1. Fence.
    run.fence(transaction).await?;
    let InForce { now, cutoffs, .. } = cutoffs_in_force(run, transaction).await?;
    run.require_due(now)?;
    let lease = &run.lease;
    let selection = match page.rows {
        Rows::AllBut(_) => Selection::of(stage, cutoffs),
        Rows::Undeletable(_) => Selection::undeletable(cutoffs),
    };
    let batch = match stage {
        Stage::Uploads => {
            let ids = select_empty_uploads(transaction, run, page).await?;
            let Some(last) = ids.last() else {
                return Ok(None);
            };
            *selected = Some(Selected {
                rows: ids.len() as u64,
                last: *last,
                cursor: None,
            });
            let counts = erase::delete_uploads(transaction, lease.tenant, &ids).await?;
            require_equal(stage, ids.len() as u64, counts.uploads_removed)?;
            Batch {
                counts,
                rows: ids.len() as u64,
                cursor: None,
            }
        }
        Stage::Anonymize | Stage::Purge => {
            let Some(selection) = selection else {
                return Ok(None);
            };
            // 2. Select and lock.
            let rows = select(transaction, run, &selection, page).await?;
            let Some(last) = rows.last() else {
                return Ok(None);
            };
            let cursor = Some(Cursor {
                added_at: last.added_at,
                id: last.id,
            });
            *selected = Some(Selected {
                rows: rows.len() as u64,
                last: last.id,
                cursor,
            });
            // SQLite compares times as text: in another form than ours, a later one may sort first.
            if !rows.iter().all(|row| selection.admits(row.added_at)) {
                return Err(EngineError::NotEligible {
                    stage: stage.name(),
                });
            }
            // 3. Hashes first.
            let mut counts = record_suppressions(transaction, run, &rows, now).await?;
            // 4. Write, with the full predicate.
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let guard = Guard::of(&selection, transaction.dialect());
            let selected = ids.len() as u64;
            if stage == Stage::Anonymize {
                counts += erase::anonymize(transaction, lease.tenant, &ids, &guard, now).await?;
                require_equal(stage, selected, counts.anonymized)?;
            } else {
                // In this transaction: children must go with their participant.
                let keys = [Requirement::ForeignKeysInForce];
                if let Some(unmet) = requirements::unmet_of(transaction, &keys).await? {
                    return Err(EngineError::Unmet(unmet));
                }
                let mut uploads: Vec<Uuid> = rows.iter().map(|row| row.upload_id).collect();
                uploads.sort_unstable();
                uploads.dedup();
                counts +=
                    erase::delete(transaction, lease.tenant, &ids, &uploads, &guard, now).await?;
                require_equal(stage, selected, counts.purged)?;
            }
            Batch {
                counts,
                rows: selected,
                cursor,
            }
        }
    };
    // 5. Record.
    if let (Some(cursor), Rows::AllBut(_)) = (batch.cursor, page.rows) {
        lease
            .set_cursor(transaction, stage.name(), Some(cursor))
            .await?;
    }
    batches::record(
        transaction,
        &BatchRecord {
            tenant: lease.tenant,
            run_id: lease.run_id,
            id: batch_id,
            slice: lease.slice,
            stage: stage.name(),
            written_at: now,
            cutoff: selection.map(|selection| selection.cutoff),
            counts: &batch.counts,
        },
    )
    .await?;
    Ok(Some(batch))
}

fn require_equal(stage: Stage, selected: u64, written: u64) -> Result<(), EngineError> {
    if selected == written {
        return Ok(());
    }
    Err(EngineError::Mismatch {
        stage: stage.name(),
        selected,
        written,
    })
}

/// What holds at one moment of a run.
pub(in crate::engine) struct InForce {
    /// That moment.
    pub(in crate::engine) now: DateTime<Utc>,
    /// The current policy version.
    pub(in crate::engine) policy_version: Option<i32>,
    /// P10: of the pinned and the current policy's cutoffs the older.
    pub(in crate::engine) cutoffs: Cutoffs,
}

/// The time of the batch, and the cutoffs that hold for it: of the pinned and the current policy,
/// the older (P10). Read inside the transaction, after the fence, for every batch.
pub(in crate::engine) async fn cutoffs_in_force(
    run: &HeldRun,
    transaction: &Transaction,
) -> Result<InForce, EngineError> {
    let host = run.engine.clock.now();
    let sql = format!(
        "SELECT clock.database_now, policy.version, policy.anonymize_after_months, \
         policy.retain_months, \
         (SELECT COUNT(*) FROM tenant_run WHERE tenant_id = :tenant AND period > :period \
          AND state = 'completed' AND (period <= :begun OR period <= {month_begun}) \
          AND (due_at <= :host OR due_at <= clock.database_now)) AS newer \
         FROM (SELECT {} AS database_now) AS clock \
         LEFT JOIN policy ON policy.tenant_id = :tenant AND policy.version = \
         (SELECT MAX(version) FROM policy WHERE tenant_id = :tenant \
          AND effective_from <= :host AND effective_from <= clock.database_now)",
        transaction.dialect().now(),
        month_begun = transaction.dialect().month_begun_by("clock.database_now"),
    );
    // What says that it is of a month that has not begun anywhere, by either clock, forbids nothing (S12).
    let begun = MonthsCome::by(host).begun.to_string();
    let row = transaction
        .row::<BatchContext>(
            "batch.context",
            &sql,
            &[
                ("tenant", run.lease.tenant.into()),
                ("period", run.period.into()),
                ("host", host.into()),
                ("begun", begun.into()),
            ],
        )
        .await?
        .ok_or(EngineError::LeaseLost)?;
    if row.newer > 0 {
        return Err(EngineError::Superseded);
    }
    let now = run.engine.now(clocks::beside(host, row.database_now))?;
    let current = Terms::from_stored(row.anonymize_after_months, row.retain_months, None, false)?;
    Ok(InForce {
        now,
        policy_version: row.version,
        cutoffs: run.pinned.in_force(Some(&current), run.period, &run.zone),
    })
}

/// U11: the hashes of the unsubscribed rows that this batch erases; no others.
async fn record_suppressions(
    transaction: &Transaction,
    run: &HeldRun,
    rows: &[SelectedRow],
    now: DateTime<Utc>,
) -> Result<Counts, EngineError> {
    let mut counts = Counts::default();
    // The same address may stand in several rows; the earliest month counts.
    let mut hashes: HashMap<Suppressed, String> = HashMap::new();
    for row in rows {
        let (true, Some(address)) = (row.unsubscribed != 0, &row.address) else {
            continue;
        };
        let address = transaction.dialect().address(address);
        let value = address.as_deref().map(EmailValue::read).unwrap_or_default();
        if value.addresses().is_empty() {
            // U10: the right to be forgotten wins; it is counted, without the value.
            counts.unhashable += 1;
        }
        // A mark without a real date counts all the same; of now is the month that we know.
        let month = row
            .unsubscribed_month
            .as_deref()
            .filter(|month| month.parse::<Period>().is_ok())
            .map_or_else(|| month_of(now), str::to_owned);
        for email in value.addresses() {
            hashes
                .entry(run.hasher.hash(email))
                .and_modify(|known| {
                    if month < *known {
                        known.clone_from(&month);
                    }
                })
                .or_insert_with(|| month.clone());
        }
    }
    let hashes = hashes
        .iter()
        .map(|(suppressed, month)| (suppressed, month.as_str()));
    counts.suppressions += suppressions::record_all(transaction, run.lease.tenant, hashes).await?;
    Ok(counts)
}

/// The month of an instant in UTC, `2024-04`; all that is kept of when somebody unsubscribed.
#[must_use]
pub fn month_of(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m").to_string()
}

#[derive(FromQueryResult)]
struct BatchContext {
    database_now: DateTime<Utc>,
    version: Option<i32>,
    anonymize_after_months: Option<i32>,
    retain_months: Option<i32>,
    newer: i64,
}
