//! What a run's record can say, reckoned from the calendar.
//!
//! Whoever has the password of the run-time role writes these records. So a record is compared with what
//! follows from its month and its policy version, and not believed beyond that.
//!
//! Nothing here asks for the tenant's zone, because a zone and its rules may have changed since the record was
//! made. A local day begins within 26 hours everywhere on Earth; that is how exact these limits are.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

use super::cutoff::Cutoffs;
use super::period::{Months, Period};
use super::policy::Version;
use super::run_state::RunState;

#[cfg(test)]
mod tests;

/// How long before midnight in UTC a day begins where it begins first, and an hour more.
const EAST: TimeDelta = TimeDelta::hours(15);

/// How long after midnight in UTC a day begins where it begins last, and an hour for midnights that clocks
/// leave out.
const WEST: TimeDelta = TimeDelta::hours(13);

/// The latest hour of a schedule, and an hour.
const SCHEDULE: TimeDelta = TimeDelta::hours(24);

/// Midnight in UTC at which `period` begins.
fn midnight(period: Period) -> DateTime<Utc> {
    period.nominal_date().and_time(NaiveTime::MIN).and_utc()
}

/// Which months have come by some instant, wherever a tenant is.
///
/// A record's `due_at` says so more exactly, as long as it can be true at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthsCome {
    /// The newest month that has begun anywhere.
    pub begun: Period,
    /// The newest month that is due everywhere, at any hour of a schedule.
    pub due: Period,
    /// The instant.
    pub at: DateTime<Utc>,
}

impl MonthsCome {
    /// Which have come by `at`.
    #[must_use]
    pub fn by(at: DateTime<Utc>) -> Self {
        let month_at = |at: DateTime<Utc>| Period::containing(at.date_naive());
        Self {
            begun: at.checked_add_signed(EAST).map_or(Period::LAST, month_at),
            due: at
                .checked_sub_signed(WEST + SCHEDULE)
                .map_or(Period::FIRST, month_at),
            at,
        }
    }

    /// Whether a run of `period` that says it is due at `due_at` is due. (S12)
    #[must_use]
    pub fn includes(&self, period: Period, due_at: DateTime<Utc>) -> bool {
        period <= self.due || (period <= self.begun && due_at <= self.at)
    }
}

/// The policy version that a record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It names none.
    None,
    /// There is no such version of this tenant.
    Unknown,
    /// It breaks the rules of policies, so nothing follows from it; whoever claims a run by it finds out.
    Invalid,
    /// It is there.
    Version {
        /// After how many months the personal fields go.
        anonymize_after: Option<Months>,
        /// After how many months everything goes.
        retain: Option<Months>,
    },
}

impl Named {
    /// The version `number` of `versions`.
    #[must_use]
    pub fn of(number: Option<i32>, versions: &[Version]) -> Self {
        let Some(number) = number else {
            return Self::None;
        };
        versions
            .iter()
            .find(|version| version.number == number)
            .map_or(Self::Unknown, |version| Self::Version {
                anonymize_after: version.terms.anonymize_after,
                retain: version.terms.retain,
            })
    }

    /// The version with these numbers of months, as they are stored.
    #[must_use]
    pub fn stored(anonymize_after_months: Option<i32>, retain_months: Option<i32>) -> Self {
        let months = |number: Option<i32>| {
            let months = number.map(|number| Months::try_from(i64::from(number)));
            months.transpose()
        };
        match (months(anonymize_after_months), months(retain_months)) {
            (Ok(anonymize_after), Ok(retain)) => Self::Version {
                anonymize_after,
                retain,
            },
            _ => Self::Invalid,
        }
    }
}

/// A run's record, as far as the calendar has a word in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its month.
    pub period: Period,
    /// Its state.
    pub state: RunState,
    /// When it says it was due.
    pub due_at: DateTime<Utc>,
    /// The policy version that it names.
    pub version: Named,
    /// The cutoffs that it has pinned.
    pub pinned: Cutoffs,
    /// How often it was claimed.
    pub attempts: i32,
    /// First claim.
    pub started_at: Option<DateTime<Utc>>,
    /// Last end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Its month has not come yet.
    FutureMonth,
    /// It names no policy version, one that is not there, or one that sets neither period.
    PolicyVersion,
    /// Its cutoffs are not those of its month and policy version.
    Cutoffs,
    /// Its due instant lies outside of its month's first days.
    DueAt,
    /// It was begun or ended at a time at which it cannot have been, or says that it never was.
    Times,
    /// It is superseded, and there is no newer run that counts.
    Superseded,
    /// Its counts are not the sum of its batches.
    Batches,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FutureMonth,
        Self::PolicyVersion,
        Self::Cutoffs,
        Self::DueAt,
        Self::Times,
        Self::Superseded,
        Self::Batches,
    ];

    /// Those that a daemon sees when it looks at what is owed; `verify` looks for the others, too.
    pub const OF_LOOK: [Self; 5] = [
        Self::FutureMonth,
        Self::PolicyVersion,
        Self::Cutoffs,
        Self::DueAt,
        Self::Times,
    ];

    /// Name in JSON and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FutureMonth => "future_month",
            Self::PolicyVersion => "policy_version",
            Self::Cutoffs => "cutoffs",
            Self::DueAt => "due_at",
            Self::Times => "times",
            Self::Superseded => "superseded",
            Self::Batches => "batches",
        }
    }

    /// What is wrong, in words; the month stands before it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::FutureMonth => {
                "the record is of a month that has not come yet; it forbids nothing, and the tenant's next \
                 run sets it aside"
            }
            Self::PolicyVersion => {
                "the record names no policy version of this tenant that sets a period"
            }
            Self::Cutoffs => {
                "the record's cutoffs are not those that its month and its policy version give"
            }
            Self::DueAt => "the record's due instant is not in the first days of its month",
            Self::Times => {
                "the record says that the run began or ended at an impossible time, or that it \
                 never did"
            }
            Self::Superseded => {
                "the record says superseded, and there is no newer run that was done or is under way"
            }
            Self::Batches => "the record's counts are not the sum of its batches",
        }
    }
}

impl Record {
    /// What its policy version and cutoffs cannot be. Nobody may be erased by such a record, and nobody may
    /// be left alone because of it.
    ///
    /// A record that has pinned nothing yet has no such fault, unless it says that it is completed.
    #[must_use]
    pub fn pinned_fault(&self) -> Option<Fault> {
        let (anonymize_after, retain) = match self.version {
            Named::None if self.state == RunState::Completed => return Some(Fault::PolicyVersion),
            Named::None | Named::Invalid => return None,
            Named::Unknown
            | Named::Version {
                anonymize_after: None,
                retain: None,
            } => return Some(Fault::PolicyVersion),
            Named::Version {
                anonymize_after,
                retain,
            } => (anonymize_after, retain),
        };
        let is_right =
            |cutoff: Option<DateTime<Utc>>, months: Option<Months>| match (cutoff, months) {
                (None, None) => true,
                (Some(cutoff), Some(months)) => {
                    let midnight = midnight(self.period.minus(months));
                    (midnight - EAST..=midnight + WEST).contains(&cutoff)
                }
                _ => false,
            };
        let is_right =
            is_right(self.pinned.anonymize, anonymize_after) && is_right(self.pinned.purge, retain);
        (!is_right).then_some(Fault::Cutoffs)
    }

    /// Before this instant its month was due nowhere.
    #[must_use]
    pub fn earliest_due(&self) -> DateTime<Utc> {
        midnight(self.period) - EAST
    }

    /// After this instant its month was due everywhere, at any hour of a schedule.
    #[must_use]
    pub fn latest_due(&self) -> DateTime<Utc> {
        midnight(self.period) + WEST + SCHEDULE
    }

    /// What its instants cannot be, with clocks that differ by `skew` at most. `latest` is the later clock.
    #[must_use]
    pub fn time_faults(&self, latest: DateTime<Utc>, skew: TimeDelta) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(self.earliest_due()..=self.latest_due()).contains(&self.due_at) {
            faults.push(Fault::DueAt);
        }
        // No limit of chrono's is reached by a skew that is one: what overflows is no limit.
        let minus = |instant: DateTime<Utc>| instant.checked_sub_signed(skew);
        let is_early = |instant: DateTime<Utc>, earliest: DateTime<Utc>| {
            minus(earliest).is_some_and(|earliest| instant < earliest)
        };
        let is_late = |instant: DateTime<Utc>| {
            latest
                .checked_add_signed(skew)
                .is_some_and(|latest| instant > latest)
        };
        let is_claimed = self.started_at.is_some() && self.attempts > 0;
        // That it ended before it began has an honest cause, a clock that was set right in between.
        let cannot_be =
            |instant: DateTime<Utc>| is_early(instant, self.earliest_due()) || is_late(instant);
        let is_impossible = self.started_at.is_some_and(cannot_be)
            || self.finished_at.is_some_and(cannot_be)
            || (self.state == RunState::Completed && !(is_claimed && self.finished_at.is_some()));
        if is_impossible {
            faults.push(Fault::Times);
        }
        faults
    }

    /// Since when rows that came were too late for the run (S11): its first claim, unless that is a time at
    /// which it cannot have been.
    #[must_use]
    pub fn began_at(&self, skew: TimeDelta) -> DateTime<Utc> {
        let earliest = self.earliest_due().checked_sub_signed(skew);
        self.started_at
            .filter(|started| earliest.is_none_or(|earliest| *started >= earliest))
            .unwrap_or(self.due_at.max(self.earliest_due()))
    }
}
