//! The reference's own calendar: months, and where a day begins. It asks the time-zone library one
//! thing only, what clocks show at an instant, and looks for the instant by itself. The library reads
//! the same files as the service does, or they would differ whenever countries change their rules.

use std::collections::HashMap;
use std::fmt::{self, Debug, Display};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone, and what its clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tz(pub &'static str);

impl Tz {
    pub const UTC: Self = Self("UTC");

    pub fn name(self) -> &'static str {
        self.0
    }

    /// The date that its clocks show.
    fn date(self, instant: DateTime<Utc>) -> NaiveDate {
        static READ: LazyLock<Mutex<HashMap<&'static str, TimeZone>>> =
            LazyLock::new(Mutex::default);
        let mut read = READ.lock().expect("nobody panics here");
        let time_zone = read.entry(self.0).or_insert_with(|| {
            let directory = std::env::var_os("TZDIR").unwrap_or("/usr/share/zoneinfo".into());
            let file = PathBuf::from(directory).join(self.0);
            let content = std::fs::read(file).expect("a zone of this machine's");
            TimeZone::tzif(self.0, &content).expect("a zone's file")
        });
        let timestamp = Timestamp::from_second(instant.timestamp()).expect("a time of our days");
        let offset = time_zone.to_offset(timestamp).seconds();
        (instant + TimeDelta::seconds(offset.into())).date_naive()
    }
}

/// A calendar month, as the number of months since January of the year 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

impl Month {
    pub fn of(date: NaiveDate) -> Self {
        Self(date.year() * 12 + i32::try_from(date.month0()).expect("below 12"))
    }

    pub fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    pub fn minus(self, months: i32) -> Self {
        Self(self.0 - months)
    }

    /// The first existing moment of its first day: when it is due, and where cutoffs lie.
    pub fn begins(self, zone: Tz) -> DateTime<Utc> {
        let day = NaiveDate::from_ymd_opt(self.year(), self.number(), 1).expect("a month's first");
        // No zone is as far from UTC as 15 hours, and none of the zones used here has changed its
        // offset at anything but a quarter of an hour in the years used here.
        let mut instant = day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(15);
        while zone.date(instant) < day {
            instant += TimeDelta::minutes(15);
        }
        instant
    }

    /// The newest month that has begun at `now`.
    pub fn newest_due(zone: Tz, now: DateTime<Utc>) -> Self {
        let mut month = Self::of(now.date_naive()).plus(1);
        while month.begins(zone) > now {
            month = month.minus(1);
        }
        month
    }

    fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    fn number(self) -> u32 {
        u32::try_from(self.0.rem_euclid(12)).expect("below 12") + 1
    }
}

impl Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year(), self.number())
    }
}

impl Debug for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

/// The month of an instant in UTC, as hashes keep it.
pub fn month_text(instant: DateTime<Utc>) -> String {
    Month::of(instant.date_naive()).to_string()
}
