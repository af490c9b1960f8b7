//! E12: every participant of a tenant is in exactly one part, and the parts add up.
//!
//! A check that shares the predicate of what it checks is blind where that is blind. So each part has a
//! condition of its own here, all of them are asked of every row, and whoever is in none, or in two, is
//! *unclaimed*: a row that no rule covers, which `verify` shows.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::domain::cutoff::Cutoffs;
use crate::domain::dated::{dated_since, dated_until};
use crate::domain::subject::PERSONAL_COLUMNS;
use crate::ids::TenantId;
use crate::store::{Dialect, StoreError, Transaction};

use super::recount::is_undated;
use crate::engine::stage::{Selection, Stage};

/// A tenant's participants by what a run with certain cutoffs would do with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// All participants.
    pub total: u64,
    /// Too young for both cutoffs, and not anonymized.
    pub kept: u64,
    /// Past the anonymizer's cutoff, with their personal fields.
    pub to_anonymize: u64,
    /// Anonymized, and too young to be deleted.
    pub anonymized: u64,
    /// Past the cutoff of the purge.
    pub to_delete: u64,
    /// E13: without a real date.
    pub undated: u64,
    /// In none of these parts, or in more than one.
    pub unclaimed: u64,
}

impl Partition {
    /// Whether the parts add up to all, with nobody left over.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let parts = self.kept + self.to_anonymize + self.anonymized + self.to_delete + self.undated;
        self.unclaimed == 0 && parts == self.total
    }
}

/// Counts the parts at `now`, in one statement: of one snapshot, whatever others write meanwhile.
pub async fn count(
    transaction: &Transaction,
    tenant: TenantId,
    cutoffs: Cutoffs,
    now: DateTime<Utc>,
) -> Result<Partition, StoreError> {
    let parts = Parts::of(transaction.dialect(), cutoffs);
    let rows = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
    let sql = format!(
        "SELECT COUNT(*) AS total, {} AS kept, {} AS to_anonymize, {} AS anonymized, \
         {} AS to_delete, {} AS undated, {} AS unclaimed FROM participant WHERE tenant_id = :tenant",
        rows(&parts.kept),
        rows(&parts.to_anonymize),
        rows(&parts.anonymized),
        rows(&parts.to_delete),
        rows(&parts.undated),
        rows(&parts.unclaimed()),
    );
    let since = dated_since();
    let of =
        |stage| Selection::of(stage, cutoffs).map(|selection| (selection.floor, selection.cutoff));
    // Where a stage touches nobody, nobody is past its cutoff.
    let (anonymize_floor, anonymize_cutoff) = of(Stage::Anonymize).unwrap_or((since, since));
    let (purge_floor, purge_cutoff) = of(Stage::Purge).unwrap_or((since, since));
    let row = transaction
        .row::<Row>(
            "partition.count",
            &sql,
            &[
                ("tenant", tenant.into()),
                ("dated_since", since.into()),
                ("dated_until", dated_until(now).into()),
                ("anonymize_floor", anonymize_floor.into()),
                ("anonymize_cutoff", anonymize_cutoff.into()),
                ("purge_floor", purge_floor.into()),
                ("purge_cutoff", purge_cutoff.into()),
            ],
        )
        .await?;
    Ok(row.map(Partition::from).unwrap_or_default())
}

/// A condition for each part.
struct Parts {
    kept: String,
    to_anonymize: String,
    anonymized: String,
    to_delete: String,
    undated: String,
}

impl Parts {
    fn of(dialect: Dialect, cutoffs: Cutoffs) -> Self {
        let selected = |stage, floor, cutoff| {
            Selection::of(stage, cutoffs).map_or_else(
                || "1 = 0".to_owned(),
                |selection| selection.condition_with(dialect, "", floor, cutoff),
            )
        };
        let undated = is_undated(dialect);
        let fields_are_empty = PERSONAL_COLUMNS
            .map(|column| format!("{column} IS NULL"))
            .join(" AND ");
        Self {
            kept: format!(
                "NOT ({undated}) AND anonymized_at IS NULL AND added_at >= :anonymize_cutoff \
                 AND added_at >= :purge_cutoff"
            ),
            to_anonymize: selected(Stage::Anonymize, "anonymize_floor", "anonymize_cutoff"),
            anonymized: format!(
                "NOT ({undated}) AND anonymized_at IS NOT NULL AND {fields_are_empty} \
                 AND added_at >= :purge_cutoff"
            ),
            to_delete: selected(Stage::Purge, "purge_floor", "purge_cutoff"),
            undated,
        }
    }

    /// Condition that a row is not in exactly one part.
    fn unclaimed(&self) -> String {
        let memberships = [
            &self.kept,
            &self.to_anonymize,
            &self.anonymized,
            &self.to_delete,
            &self.undated,
        ]
        .map(|condition| format!("CASE WHEN {condition} THEN 1 ELSE 0 END"))
        .join(" + ");
        format!("{memberships} <> 1")
    }
}

#[derive(FromQueryResult)]
struct Row {
    total: i64,
    kept: i64,
    to_anonymize: i64,
    anonymized: i64,
    to_delete: i64,
    undated: i64,
    unclaimed: i64,
}

impl From<Row> for Partition {
    fn from(row: Row) -> Self {
        let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
        Self {
            total: unsigned(row.total),
            kept: unsigned(row.kept),
            to_anonymize: unsigned(row.to_anonymize),
            anonymized: unsigned(row.anonymized),
            to_delete: unsigned(row.to_delete),
            undated: unsigned(row.undated),
            unclaimed: unsigned(row.unclaimed),
        }
    }
}
