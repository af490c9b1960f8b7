//! Why a tenant-run, or a whole pass, could not go on.

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::clocks::ClockOutOfRange;
use crate::domain::policy::PolicyError;
use crate::domain::record::Fault;
use crate::domain::zone::ZoneFault;
use crate::store::requirements::Unmet;
use crate::store::{Disposition, ErrorClass, StoreError};

use super::refused::{RefusedRow, RefusedRows};
use super::stage::Stage;

/// An error of the engine. Its text holds no value of any row.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else took the run over, or a newer period did.
    #[error("the lease on the run was lost: another process took it over; nothing was committed")]
    LeaseLost,
    /// A newer period completed meanwhile.
    #[error("a newer month of this tenant has completed; this run is superseded")]
    Superseded,
    /// S7: whoever is wrong, erasing by a wrong clock cannot be taken back.
    #[error(
        "the host's clock ({host}) and the database's ({database}) differ by {difference_seconds} \
         s, more than [schedule] clock_skew_max; correct the wrong one, nothing was erased"
    )]
    ClockSkew {
        /// The host's time.
        host: DateTime<Utc>,
        /// The database's time.
        database: DateTime<Utc>,
        /// Absolute difference.
        difference_seconds: i64,
    },
    /// The server, the role or the session is not as it must be.
    #[error("{0}; until then nothing is deleted")]
    Unmet(Unmet),
    /// S12: a clock shows a year that cannot be.
    #[error(transparent)]
    ClockOutOfRange(#[from] ClockOutOfRange),
    /// S12: by the clocks as they are now, a run that is under way is not due yet.
    #[error(
        "the run is not due before {due_at}: a clock went back since it was claimed; correct the \
         wrong one, nothing more is erased until then"
    )]
    ClockWentBack {
        /// When the run is due.
        due_at: DateTime<Utc>,
    },
    /// A stored policy breaks the rules.
    #[error("the tenant's stored policy is not valid, and nothing is erased by it: {0}")]
    Policy(#[from] PolicyError),
    /// The tenant's zone cannot be had.
    #[error("the tenant's time zone cannot be used, and nothing is erased by it: {0}")]
    TimeZone(#[from] ZoneFault),
    /// S14: what a run's record has pinned is not what its month and its policy version give.
    #[error(
        "what the run's record has pinned is not believed, and nothing is erased by it: {}; \
         retentiond did not write it, see docs/runbooks/retentiond-record-not-believed.md",
        fault.words()
    )]
    PinnedCutoffs {
        /// What is wrong with it.
        fault: Fault,
    },
    /// More or fewer rows were written than selected.
    #[error(
        "{stage}: {selected} rows were selected and {written} written; the batch was rolled back"
    )]
    Mismatch {
        /// The stage.
        stage: &'static str,
        /// Rows selected and locked.
        selected: u64,
        /// Rows that the write matched.
        written: u64,
    },
    /// A time that sorts before the cutoff and is not before it.
    #[error(
        "{stage}: the database selected participants whose added_at is not before the cutoff; it \
         is stored in another form than docs/operating.md describes, and nothing was erased by it"
    )]
    NotEligible {
        /// The stage.
        stage: &'static str,
    },
    /// The stages ended, and yet there are rows left.
    #[error("the recount still finds {rows} rows after {rounds} rounds of all stages")]
    Leftover {
        /// Rows found.
        rows: u64,
        /// Rounds done.
        rounds: u32,
    },
    /// E14: rows that the database does not let us anonymize or delete; all others are done.
    #[error(
        "the database refused {rows} rows, first of all {first}; all others were done. Remove \
         what refers to them; the next attempt erases them"
    )]
    Refused {
        /// The first one.
        first: Box<RefusedRow>,
        /// How many there are.
        rows: u64,
    },
    /// Rows whose participant does not exist.
    #[error(
        "{rows} rows have no participant, the first of them in {table}; `retentiond verify` \
         counts them, docs/runbooks/retentiond-orphans.md says how to remove them"
    )]
    Orphans {
        /// The first table in which there are some.
        table: &'static str,
        /// Rows found in all tables.
        rows: u64,
    },
    /// SIGINT or SIGTERM, a new configuration, or something that is wrong for every tenant.
    #[error("stopped between two batches; the next pass continues the run")]
    Stopped,
    /// A defect of ours.
    #[error(
        "a defect in retentiond ended this tenant's run; nothing of the current batch was \
         committed; please report it"
    )]
    Panicked,
}

/// Name of the class of a panic, which is no error of anybody's.
pub const PANIC: &str = "panic";

/// Class of a time zone that cannot be had.
pub const TIME_ZONE: &str = "time_zone";

/// Class of a record that is not believed.
pub const PINNED_CUTOFFS: &str = "pinned_cutoffs";

/// Class of a look at what is owed with a keyring that is not the database's.
pub const KEYRING: &str = "keyring";

/// Classes of the engine's own errors that a run can fail with.
const OWN_CLASSES: [&str; 16] = [
    "database_replaced",
    "commits_waiting",
    "replication_source",
    "row_security",
    "foreign_keys",
    "system_versioning",
    "session_settings",
    "clock_skew",
    "clock",
    "policy",
    TIME_ZONE,
    PINNED_CUTOFFS,
    "mismatch",
    "not_eligible",
    "leftover",
    "orphans",
];

/// Every class that a run, or a look at what is owed, can fail with; see [`EngineError::class`].
#[must_use]
pub fn failure_classes() -> Vec<&'static str> {
    let mut classes: Vec<&'static str> = ErrorClass::ALL.map(ErrorClass::name).to_vec();
    classes.extend(OWN_CLASSES);
    classes.extend([KEYRING, PANIC]);
    classes
}

/// Every class after which a batch is tried again.
#[must_use]
pub fn retry_classes() -> Vec<&'static str> {
    let retried = |class: &ErrorClass| {
        !matches!(
            class.disposition(),
            Disposition::SkipTenant | Disposition::Stop
        )
    };
    let mut classes: Vec<&'static str> = ErrorClass::ALL
        .iter()
        .filter(|class| retried(class))
        .map(|class| class.name())
        .collect();
    classes.push("mismatch");
    classes
}

impl EngineError {
    /// Name of the class in logs, metrics and run records.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Store(error) => error.class().name(),
            Self::LeaseLost => "lease_lost",
            Self::Superseded => "superseded",
            Self::ClockSkew { .. } => "clock_skew",
            Self::Unmet(unmet) => unmet.requirement.class(),
            Self::ClockOutOfRange(_) | Self::ClockWentBack { .. } => "clock",
            Self::Policy(_) => "policy",
            Self::TimeZone(_) => TIME_ZONE,
            Self::PinnedCutoffs { .. } => PINNED_CUTOFFS,
            Self::Mismatch { .. } => "mismatch",
            Self::NotEligible { .. } => "not_eligible",
            Self::Leftover { .. } => "leftover",
            Self::Orphans { .. } => "orphans",
            Self::Refused { first, .. } => first.class,
            Self::Stopped => "stopped",
            Self::Panicked => PANIC,
        }
    }

    /// The database's code, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.code(),
            Self::Refused { first, .. } => first.code.as_deref(),
            _ => None,
        }
    }

    /// Whether one row of a batch may be to blame, so that the others can go without it: a constraint or a
    /// trigger of the platform's that refuses it, a time in another form than ours, or what hangs off it
    /// and is too much for a statement.
    #[must_use]
    pub(super) fn may_be_one_rows(&self) -> bool {
        match self {
            Self::Store(error) => matches!(
                error.class(),
                ErrorClass::Constraint | ErrorClass::StatementTimeout
            ),
            Self::Mismatch { .. } | Self::NotEligible { .. } => true,
            _ => false,
        }
    }

    /// What a run fails with because of the rows that were refused; `None` = there are none.
    pub(super) fn of_refused(rows: &RefusedRows) -> Option<Self> {
        let first = rows.first()?.clone();
        Some(Self::Refused {
            first: Box::new(first),
            rows: rows.len() as u64,
        })
    }

    /// The row `id` of `stage`, which stood alone when this error came.
    pub(super) fn refused_row(&self, stage: Stage, id: Uuid) -> RefusedRow {
        RefusedRow {
            stage,
            id,
            class: self.class(),
            code: self.code().map(str::to_owned),
            constraint: match self {
                Self::Store(error) => error.constraint().map(str::to_owned),
                _ => None,
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(error) => error.class().disposition(),
            // A row changed between select and write where the database cannot lock it: look again.
            Self::Mismatch { .. } => Disposition::Retry,
            Self::Stopped | Self::Unmet(_) => Disposition::Stop,
            error if error.is_of_the_clock() => Disposition::Stop,
            _ => Disposition::SkipTenant,
        }
    }

    /// Whether a clock is wrong: then nothing is due, for anybody, until it is set right.
    #[must_use]
    pub fn is_of_the_clock(&self) -> bool {
        matches!(
            self,
            Self::ClockSkew { .. } | Self::ClockOutOfRange(_) | Self::ClockWentBack { .. }
        )
    }

    /// Whether what failed may succeed when it is done again, as a whole.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.class().is_transient())
    }

    /// Whether fewer rows in a batch would help: it took too long, met too many locks, or a row changed
    /// that could not be locked.
    #[must_use]
    pub fn wants_a_smaller_batch(&self) -> bool {
        match self {
            Self::Store(error) => matches!(
                error.class(),
                ErrorClass::StatementTimeout | ErrorClass::LockTimeout
            ),
            Self::Mismatch { .. } => true,
            _ => false,
        }
    }

    /// Whether nobody knows if the transaction was committed.
    #[must_use]
    pub fn leaves_commit_unknown(&self) -> bool {
        matches!(self, Self::Store(error)
            if matches!(error.class(), ErrorClass::Unavailable | ErrorClass::Deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::requirements::Requirement;

    #[test]
    fn every_failure_has_a_series() {
        let stage = "purge";
        for requirement in Requirement::ALL {
            assert!(failure_classes().contains(&requirement.class()));
        }
        let errors = [
            EngineError::TimeZone(ZoneFault::NotAName { near: None }),
            EngineError::ClockWentBack {
                due_at: DateTime::<Utc>::UNIX_EPOCH,
            },
            EngineError::NotEligible { stage },
            EngineError::PinnedCutoffs {
                fault: Fault::Cutoffs,
            },
            EngineError::Mismatch {
                stage,
                selected: 2,
                written: 1,
            },
            EngineError::Leftover { rows: 1, rounds: 5 },
            EngineError::Orphans {
                table: "answer",
                rows: 1,
            },
        ];
        for error in errors {
            assert!(failure_classes().contains(&error.class()), "{error}");
        }
        assert!(
            retry_classes()
                .iter()
                .all(|class| failure_classes().contains(class))
        );
        assert!(retry_classes().contains(&ErrorClass::Conflict.name()));
        assert!(!retry_classes().contains(&ErrorClass::DiskFull.name()));
    }
}
