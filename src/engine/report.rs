//! What a run did, or would do: one typed report that feeds the log line, the tables for people, the
//! JSON for programs and the exit code alike.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::counts::Counts;
use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Period;
use crate::domain::run_state::RunState;

/// A tenant's share of a plan, a pass or a record. The keys are the same in all three.
#[derive(Clone, Debug, Serialize)]
pub struct TenantReport {
    /// The tenant's slug.
    pub tenant: String,
    /// The period.
    pub period: Period,
    /// The run, once there is one.
    pub run_id: Option<Uuid>,
    /// State of the run.
    #[serde(serialize_with = "state_name")]
    pub state: RunState,
    /// What keeps the run from being claimed until somebody sees to it: `gap` (S13).
    pub blocked_by: Option<&'static str>,
    /// The policy version that rules it.
    pub policy_version: Option<i32>,
    /// Cutoff of the anonymizer.
    pub anonymize_cutoff: Option<DateTime<Utc>>,
    /// Cutoff of the purge.
    pub purge_cutoff: Option<DateTime<Utc>>,
    /// A defect ended the run, and what it did before could not be read: the counts are 0, and mean nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts_unknown: bool,
    /// Participants anonymized.
    pub anonymized: u64,
    /// Participants deleted.
    pub purged: u64,
    /// Suppression hashes that were new.
    pub suppressions: u64,
    /// Unsubscribed rows erased whose address could not be hashed.
    pub unhashable: u64,
    /// Queued invitations called off.
    pub invitations_expired: u64,
    /// Uploads removed with their last participant.
    pub uploads_removed: u64,
    /// Deleted rows by table.
    pub rows_purged: BTreeMap<&'static str, u64>,
    /// E13: participants without a real date, whom no run touches. Of a run that is not completed, 0.
    pub undated: u64,
}

impl TenantReport {
    /// A report with these counts.
    #[must_use]
    pub fn new(tenant: &str, period: Period, state: RunState) -> Self {
        let mut report = Self {
            tenant: tenant.to_owned(),
            period,
            run_id: None,
            state,
            blocked_by: None,
            policy_version: None,
            anonymize_cutoff: None,
            purge_cutoff: None,
            counts_unknown: false,
            anonymized: 0,
            purged: 0,
            suppressions: 0,
            unhashable: 0,
            invitations_expired: 0,
            uploads_removed: 0,
            rows_purged: BTreeMap::new(),
            undated: 0,
        };
        report.set_counts(&Counts::default());
        report
    }

    /// Sets the policy version and its cutoffs.
    pub fn set_policy(&mut self, version: Option<i32>, cutoffs: Cutoffs) {
        self.policy_version = version;
        self.anonymize_cutoff = cutoffs.anonymize;
        self.purge_cutoff = cutoffs.purge;
    }

    /// Sets all counts.
    pub fn set_counts(&mut self, counts: &Counts) {
        self.anonymized = counts.anonymized;
        self.purged = counts.purged;
        self.suppressions = counts.suppressions;
        self.unhashable = counts.unhashable;
        self.invitations_expired = counts.invitations_expired;
        self.uploads_removed = counts.uploads_removed;
        self.rows_purged = counts.rows_purged();
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn state_name<S: serde::Serializer>(state: &RunState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}

/// How a pass ended for one tenant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The run was done, in this pass.
    Done,
    /// The period had been completed before: nothing was changed.
    AlreadyCompleted,
    /// The tenant has no policy that counts for the period: nothing was changed.
    NoPolicy,
    /// Another process holds the run.
    Held,
    /// A newer period completed, before or meanwhile.
    Superseded,
    /// A safety rule refused it.
    Refused {
        /// One sentence.
        message: String,
    },
    /// It failed, and will be taken up again.
    Failed {
        /// Class of the error.
        failure_class: &'static str,
        /// The database's code.
        failure_code: Option<String>,
        /// E14: the constraint that refused a row, where the database names it.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_constraint: Option<String>,
        /// E14: id of the first row that was refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_row_id: Option<Uuid>,
        /// One sentence.
        message: String,
    },
    /// Stopped on request; it will be taken up again.
    Stopped,
}

/// One tenant in a pass.
#[derive(Clone, Debug, Serialize)]
pub struct PassEntry {
    /// What was done, in this pass.
    #[serde(flatten)]
    pub report: TenantReport,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took.
    pub duration_seconds: f64,
}
