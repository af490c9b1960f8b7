//! Why a run may not be begun, in words.

use chrono::SecondsFormat;

use crate::domain::gap::GAP;
use crate::domain::period::Period;
use crate::engine::due::Candidate;

/// Why a run may not be begun. `run` and `plan` say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A newer month has completed (`--period`), or is in hand.
    Superseded {
        /// That month.
        newer: Period,
    },
    /// S8: the month is not due yet.
    NotDue,
    /// S13: it comes so long after the newest finished month that a person has to confirm it.
    Gap {
        /// That month.
        newest: Period,
    },
}

impl Refusal {
    /// Its name in the log and in a plan.
    pub(in crate::engine) fn reason(self) -> &'static str {
        match self {
            Self::Superseded { .. } => "superseded",
            Self::NotDue => "not_due",
            Self::Gap { .. } => GAP,
        }
    }

    /// One sentence.
    pub(in crate::engine) fn sentence(self, candidate: &Candidate) -> String {
        let (slug, period) = (&candidate.slug, candidate.period);
        match self {
            Self::Superseded { newer } => format!(
                "tenant {slug}: month {period} is over: the run of {newer} has been done or begun, and \
                 covers it"
            ),
            Self::Gap { newest } => format!(
                "tenant {slug}: month {period} comes more than [safety] gap_max after {newest}, the newest \
                 finished month; if the date is right and nothing ran meanwhile, confirm it with \
                 `retentiond run --after-gap`"
            ),
            Self::NotDue => format!(
                "tenant {slug}: month {period} is not due before {}; nothing may be erased early",
                candidate
                    .due_at
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true)
            ),
        }
    }
}
