//! A tenant's terms: how they are written, what they may be, and which version of them rules.
//!
//! Anonymization and retention are whole calendar months, quarantine is whole days. Every refusal
//! names the value, the rule and the nearest value that would do (P5, P7).

mod force;
mod text;

use std::fmt::{self, Display};

use chrono::{DateTime, Utc};

use super::period::Months;
use super::span::shortest_span_days;

pub use force::{Force, force_of, shadowed};
pub use text::{parse_anonymize, parse_quarantine, parse_retain};

#[cfg(test)]
mod tests;

/// One year: the shortest retention period.
pub const RETAIN_MONTHS_MIN: u16 = 12;

/// The longest quarantine: what the longest anonymization period guarantees.
pub const QUARANTINE_DAYS_MAX: u32 = 36_524;

/// One of the two periods of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyPeriod {
    /// After which the personal fields go.
    Anonymize,
    /// After which everything goes.
    Retain,
}

impl PolicyPeriod {
    /// The shortest that this period may be, in months.
    const fn months_min(self) -> u16 {
        match self {
            Self::Anonymize => Months::MIN.get(),
            Self::Retain => RETAIN_MONTHS_MIN,
        }
    }

    /// `number` as this period, if it is within the limits.
    fn months(self, number: i64) -> Option<Months> {
        Months::try_from(number)
            .ok()
            .filter(|months| months.get() >= self.months_min())
    }

    /// The allowed number of months that is nearest to `number`.
    fn nearest_months(self, number: i64) -> i64 {
        number.clamp(i64::from(self.months_min()), i64::from(Months::MAX.get()))
    }

    /// The refusal of `value`, which stands for about `number` months.
    fn out_of_range(self, value: String, number: i64) -> PolicyError {
        PolicyError::PeriodOutOfRange {
            stage: self,
            value,
            nearest: self.nearest_months(number),
        }
    }
}

impl Display for PolicyPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymize => "anonymization",
            Self::Retain => "retention",
        })
    }
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a number and a unit.
    #[error(
        "{stage} period `{value}` cannot be read: write a whole number of months or years, such as \
         {minimum}m or 1y, or `none`", minimum = stage.months_min()
    )]
    PeriodUnreadable {
        /// Which period.
        stage: PolicyPeriod,
        /// What was written.
        value: String,
    },
    /// A part of a month, or a unit of which months are no multiple.
    #[error(
        "{stage} period `{value}` is refused: it must be a whole number of months (m) or years (y), \
         because days and weeks do not divide a calendar month; the nearest allowed value is {nearest}m"
    )]
    PeriodNotInMonths {
        /// Which period.
        stage: PolicyPeriod,
        /// What was written.
        value: String,
        /// The nearest allowed number of months.
        nearest: i64,
    },
    /// Too short or too long.
    #[error(
        "{stage} period {value} is refused: it must be at least {minimum} and at most {maximum} \
         months; the nearest allowed value is {nearest}m",
        minimum = stage.months_min(),
        maximum = Months::MAX.get()
    )]
    PeriodOutOfRange {
        /// Which period.
        stage: PolicyPeriod,
        /// What was written or stored.
        value: String,
        /// The nearest allowed number of months.
        nearest: i64,
    },
    /// Nothing would ever be anonymized before it is deleted.
    #[error(
        "anonymization period {anonymize_after} is refused: it must be shorter than the retention \
         period, which is {retain}; the nearest allowed value is {nearest}m",
        nearest = retain.get() - 1
    )]
    AnonymizeNotBeforeRetain {
        /// The anonymization period.
        anonymize_after: Months,
        /// The retention period.
        retain: Months,
    },
    /// Not a number and a unit.
    #[error(
        "quarantine `{0}` cannot be read: write a whole number of days, such as 28d, or `none`"
    )]
    QuarantineUnreadable(String),
    /// A part of a day, or another unit.
    #[error(
        "quarantine `{value}` is refused: it must be a whole number of days (d); the nearest allowed \
         value is {nearest}d"
    )]
    QuarantineNotInDays {
        /// What was written.
        value: String,
        /// The nearest allowed number of days.
        nearest: u32,
    },
    /// Too short or too long.
    #[error(
        "quarantine {value} is refused: it must be at least 1 and at most {QUARANTINE_DAYS_MAX} days, \
         or `none`; the nearest allowed value is {nearest}d"
    )]
    QuarantineOutOfRange {
        /// What was written or stored.
        value: String,
        /// The nearest allowed number of days.
        nearest: u32,
    },
    /// Addresses would be gone before their quarantine is over.
    #[error(
        "quarantine {quarantine_days}d is refused: it must not be longer than the {guaranteed_days} \
         days that an anonymization period of {anonymize_after} guarantees, since who was anonymized \
         cannot be recognised; the nearest allowed value is {guaranteed_days}d (or accept it with \
         --accept-long-quarantine)"
    )]
    QuarantineTooLong {
        /// The quarantine.
        quarantine_days: u32,
        /// The anonymization period.
        anonymize_after: Months,
        /// How old everybody is, at least, who is anonymized.
        guaranteed_days: u32,
    },
}

/// What a policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When the personal fields go; unset: never.
    pub anonymize_after: Option<Months>,
    /// When everything goes; unset: never.
    pub retain: Option<Months>,
    /// For how many days the platform leaves somebody alone whom it invited; unset: not at all.
    pub quarantine_days: Option<u32>,
    /// Somebody accepted a quarantine that is longer than the age at which people are anonymized.
    /// Never set where it is not longer: nobody had to accept anything then.
    pub long_quarantine_accepted: bool,
}

impl Terms {
    /// Terms that keep every rule.
    ///
    /// # Errors
    ///
    /// When the retention period is shorter than a year or not longer than the anonymization period
    /// (P5), or the quarantine is out of range or, unless `accept_long_quarantine`, longer than what
    /// the anonymization period guarantees (P7).
    pub fn new(
        anonymize_after: Option<Months>,
        retain: Option<Months>,
        quarantine_days: Option<u32>,
        accept_long_quarantine: bool,
    ) -> Result<Self, PolicyError> {
        if let Some(retain) = retain
            && retain.get() < RETAIN_MONTHS_MIN
        {
            return Err(PolicyPeriod::Retain.out_of_range(retain.to_string(), retain.get().into()));
        }
        if let (Some(anonymize_after), Some(retain)) = (anonymize_after, retain)
            && anonymize_after >= retain
        {
            return Err(PolicyError::AnonymizeNotBeforeRetain {
                anonymize_after,
                retain,
            });
        }
        if let Some(days) = quarantine_days {
            quarantine_in_range(days.into(), || format!("{days}d"))?;
        }
        let too_long = quarantine_too_long(anonymize_after, quarantine_days);
        match too_long {
            Some(refusal) if !accept_long_quarantine => Err(refusal),
            _ => Ok(Self {
                anonymize_after,
                retain,
                quarantine_days,
                long_quarantine_accepted: too_long.is_some(),
            }),
        }
    }

    /// Terms as the database stores them, held to the same rules: a policy that breaks one is not
    /// executed, whoever wrote it.
    ///
    /// # Errors
    ///
    /// As for [`Terms::new`], and when a number is out of range.
    pub fn from_stored(
        anonymize_after_months: Option<i32>,
        retain_months: Option<i32>,
        quarantine_days: Option<i32>,
        long_quarantine_accepted: bool,
    ) -> Result<Self, PolicyError> {
        let months = |stage: PolicyPeriod, number: Option<i32>| {
            number
                .map(|number| {
                    stage
                        .months(number.into())
                        .ok_or_else(|| stage.out_of_range(format!("{number}m"), number.into()))
                })
                .transpose()
        };
        let quarantine_days = quarantine_days
            .map(|days| quarantine_in_range(days.into(), || format!("{days}d")))
            .transpose()?;
        Self::new(
            months(PolicyPeriod::Anonymize, anonymize_after_months)?,
            months(PolicyPeriod::Retain, retain_months)?,
            quarantine_days,
            long_quarantine_accepted,
        )
    }

    /// Whether neither period is set: nobody is ever touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anonymize_after.is_none() && self.retain.is_none()
    }
}

/// The refusal that P7 asks for, if there is reason for one.
fn quarantine_too_long(
    anonymize_after: Option<Months>,
    quarantine_days: Option<u32>,
) -> Option<PolicyError> {
    let (anonymize_after, quarantine_days) = (anonymize_after?, quarantine_days?);
    let guaranteed_days = shortest_span_days(anonymize_after);
    (quarantine_days > guaranteed_days).then_some(PolicyError::QuarantineTooLong {
        quarantine_days,
        anonymize_after,
        guaranteed_days,
    })
}

/// `days` as a quarantine, if it is within the limits; `value` says how it was written.
fn quarantine_in_range(days: i64, value: impl FnOnce() -> String) -> Result<u32, PolicyError> {
    match u32::try_from(days) {
        Ok(days @ 1..=QUARANTINE_DAYS_MAX) => Ok(days),
        _ => Err(PolicyError::QuarantineOutOfRange {
            value: value(),
            nearest: nearest_quarantine(days),
        }),
    }
}

/// The allowed number of days that is nearest to `days`.
fn nearest_quarantine(days: i64) -> u32 {
    u32::try_from(days.clamp(1, QUARANTINE_DAYS_MAX.into())).unwrap_or(QUARANTINE_DAYS_MAX)
}

/// One version of a tenant's policy. Versions are added, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// 1, 2, 3, …
    pub number: i32,
    /// What it says.
    pub terms: Terms,
    /// From when on it counts; may lie before `created_at`.
    pub effective_from: DateTime<Utc>,
    /// When it was set.
    pub created_at: DateTime<Utc>,
    /// Who set it.
    pub created_by: String,
    /// Why.
    pub reason: String,
}

/// The version of that number.
#[must_use]
pub fn version_numbered(versions: &[Version], number: Option<i32>) -> Option<&Version> {
    let number = number?;
    versions.iter().find(|version| version.number == number)
}

/// The version that rules at `instant`: the highest among those effective by then.
///
/// Asked with a period's due instant, it is the version to pin (P9); asked with now, the *current* one
/// (P10). The highest number wins, not the latest date: a correction may be dated back.
#[must_use]
pub fn version_at(versions: &[Version], instant: DateTime<Utc>) -> Option<&Version> {
    versions
        .iter()
        .filter(|version| version.effective_from <= instant)
        .max_by_key(|version| version.number)
}
