//! Months, and the instant at which a month's run is due.

use std::fmt::{self, Display};
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::shown;
use super::zone::HOUR_MAX;
pub use super::zone::{Zone, ZoneError};

#[cfg(test)]
mod tests;

/// A calendar month, written `2024-04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Period {
    /// Months since January of the year 0, so that ordering and arithmetic are those of a number.
    index: i32,
}

/// Why something is not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Not written as a year and a month.
    #[error("`{0}` is not a month: write YYYY-MM, for example 2024-04")]
    Unreadable(String),
    /// There is no such month.
    #[error("{year:04}-{month:02}: there is no month {month}; months are 01 to 12")]
    NoSuchMonth {
        /// The year given.
        year: i32,
        /// The month given.
        month: u32,
    },
    /// A year for which no time-zone data is at hand.
    #[error(
        "month {year:04}-{month:02} is out of range: months lie between {first} and {last}",
        first = Period::FIRST,
        last = Period::LAST
    )]
    OutOfRange {
        /// The year given.
        year: i32,
        /// The month given.
        month: u32,
    },
}

impl Period {
    /// The first period that can be asked for: time-zone data is guesswork before it.
    pub const FIRST: Self = Self::from_index(1900 * 12);
    /// The last period that can be asked for. Rules for the time to come have no end, but nobody knows today
    /// how countries will set their clocks then.
    pub const LAST: Self = Self::from_index(2099 * 12 + 11);

    /// The period of `month` (1 to 12) in `year`.
    ///
    /// # Errors
    ///
    /// When there is no such month, or it lies outside of [`Self::FIRST`] to [`Self::LAST`].
    pub fn new(year: i32, month: u32) -> Result<Self, PeriodError> {
        let month_index = match i32::try_from(month) {
            Ok(month @ 1..=12) => month - 1,
            _ => return Err(PeriodError::NoSuchMonth { year, month }),
        };
        // The comparison of years comes first: a huge one would overflow the index.
        if !(Self::FIRST.year()..=Self::LAST.year()).contains(&year) {
            return Err(PeriodError::OutOfRange { year, month });
        }
        Ok(Self::from_index(year * 12 + month_index))
    }

    /// The month after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::from_index(self.index + 1)
    }

    /// The month before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self::from_index(self.index - 1)
    }

    /// The month that lies `months` before this one.
    #[must_use]
    pub fn minus(self, months: Months) -> Self {
        Self::from_index(self.index - months.as_i32())
    }

    /// The 1st of the month.
    #[must_use]
    pub fn nominal_date(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), self.month(), 1)
            .expect("every index stands for a month of the years 1 to 9999")
    }

    /// The month that lies `count` after this one, within the calendar.
    pub(super) const fn plus(self, count: i32) -> Self {
        Self::from_index(self.index + count)
    }

    /// The month in which `date` lies.
    pub(super) fn containing(date: NaiveDate) -> Self {
        // A clock that shows the year 200000 must not overflow; it is pinned to the calendar's end.
        let year = date.year().clamp(0, 9999);
        let month_index = i32::try_from(date.month0()).expect("month0 is at most 11");
        Self::from_index(year * 12 + month_index)
    }

    /// Pins `index` to the years 1 to 9999, which all fit four digits and chrono's dates.
    const fn from_index(index: i32) -> Self {
        const INDEX_MIN: i32 = 12;
        const INDEX_MAX: i32 = 9999 * 12 + 11;
        let index = if index < INDEX_MIN {
            INDEX_MIN
        } else if index > INDEX_MAX {
            INDEX_MAX
        } else {
            index
        };
        Self { index }
    }

    const fn year(self) -> i32 {
        self.index.div_euclid(12)
    }

    const fn month(self) -> u32 {
        self.index.rem_euclid(12).unsigned_abs() + 1
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let unreadable = || PeriodError::Unreadable(shown(text));
        let digits = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (year, month) = text.split_once('-').ok_or_else(unreadable)?;
        // Stricter than parse(), which takes `+2024` and `4`: one spelling for each period.
        if !digits(year, 4) || !digits(month, 2) {
            return Err(unreadable());
        }
        Self::new(
            year.parse().map_err(|_| unreadable())?,
            month.parse().map_err(|_| unreadable())?,
        )
    }
}

impl Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year(), self.month())
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

/// A number of calendar months, 1 to 1,200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "i64")]
pub struct Months(u16);

/// A number of months that is not 1 to 1,200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} months is out of range: it must be 1 to 1200 months")]
pub struct MonthsError(i64);

impl Months {
    /// The shortest number of months.
    pub const MIN: Self = Self(1);
    /// The longest number of months: a century.
    pub const MAX: Self = Self(1200);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number, as the database stores it.
    #[must_use]
    pub fn as_i32(self) -> i32 {
        i32::from(self.0)
    }
}

impl TryFrom<i64> for Months {
    type Error = MonthsError;

    fn try_from(number: i64) -> Result<Self, MonthsError> {
        match u16::try_from(number) {
            Ok(months) if (Self::MIN.0..=Self::MAX.0).contains(&months) => Ok(Self(months)),
            _ => Err(MonthsError(number)),
        }
    }
}

impl From<Months> for u16 {
    fn from(months: Months) -> Self {
        months.0
    }
}

impl Display for Months {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}m", self.0)
    }
}

/// The hour of the 1st, on the tenant's clock, at which a period becomes due: 0 to 23.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(into = "u8", try_from = "i64")]
pub struct ScheduleHour(u8);

/// An hour that no clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule hour {0} is out of range: it must be a whole number from 0 to 23")]
pub struct ScheduleHourError(i64);

impl ScheduleHour {
    /// The hour.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ScheduleHour {
    type Error = ScheduleHourError;

    fn try_from(hour: u8) -> Result<Self, ScheduleHourError> {
        Self::try_from(i64::from(hour))
    }
}

impl TryFrom<i64> for ScheduleHour {
    type Error = ScheduleHourError;

    fn try_from(hour: i64) -> Result<Self, ScheduleHourError> {
        match u8::try_from(hour) {
            Ok(hour @ 0..=HOUR_MAX) => Ok(Self(hour)),
            _ => Err(ScheduleHourError(hour)),
        }
    }
}

impl From<ScheduleHour> for u8 {
    fn from(hour: ScheduleHour) -> Self {
        hour.0
    }
}

/// The first existing instant, in `zone`, at or after the 1st of `period` at `hour`.
#[must_use]
pub fn due_instant(period: Period, zone: &Zone, hour: ScheduleHour) -> DateTime<Utc> {
    zone.first_instant_at_or_after(period.nominal_date(), hour.get())
}

/// The newest period whose due instant is not after `now`: the only one that is owed.
#[must_use]
pub fn newest_due_period(now: DateTime<Utc>, zone: &Zone, hour: ScheduleHour) -> Period {
    // One ahead of the local date: clocks put back over midnight show the old month again after the
    // new one has become due.
    let newest = Period::containing(zone.local_date(now)).next();
    // Two steps suffice; the bound keeps the ends of the calendar from looping for ever.
    let mut period = newest;
    for _ in 0..3 {
        if due_instant(period, zone, hour) <= now {
            break;
        }
        period = period.previous();
    }
    period
}
