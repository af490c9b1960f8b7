//! What a pass came to, in one line of the log. Of tens of thousands of tenants most have nothing to do, and a
//! line for each would hide the few that failed.

use super::report::{Outcome, PassEntry};

/// Sums up the tenants that were attended to since it was last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    tenants: u64,
    completed: u64,
    without_work: u64,
    failed: u64,
    anonymized: u64,
    purged: u64,
}

impl Tally {
    /// Adds a tenant.
    pub fn add(&mut self, entry: &PassEntry) {
        let report = &entry.report;
        self.tenants += 1;
        self.anonymized += report.anonymized;
        self.purged += report.purged;
        match entry.outcome {
            Outcome::Done => {
                self.completed += 1;
                let done = report.anonymized + report.purged + report.uploads_removed;
                self.without_work += u64::from(done == 0);
            }
            Outcome::Failed { .. } | Outcome::Refused { .. } => self.failed += 1,
            Outcome::AlreadyCompleted
            | Outcome::NoPolicy
            | Outcome::Held
            | Outcome::Superseded
            | Outcome::Stopped => {}
        }
    }

    /// Adds a tenant of whose run no more is known than that a defect ended it.
    pub fn add_broken(&mut self) {
        self.tenants += 1;
        self.failed += 1;
    }

    /// Says what there was, and begins anew. Nobody was attended to: nothing to say.
    pub fn tell(&mut self) {
        let told = std::mem::take(self);
        if told.tenants == 0 {
            return;
        }
        tracing::info!(
            event = "pass_ended",
            tenants = told.tenants,
            completed = told.completed,
            without_work = told.without_work,
            failed = told.failed,
            anonymized = told.anonymized,
            purged = told.purged,
            "pass ended: no tenant-run is in progress"
        );
    }
}
