//! Time zones: where a local day begins.
//!
//! A local day does not always begin at midnight. Clocks that go forward at 00:00 make the first
//! instant of the day 01:00 (Asuncion); islands that crossed the date line skipped a day whole
//! (Samoa had no 2011-12-30). Clocks that go back over midnight make it happen twice (Havana). All of
//! this is decided in one function, [`Zone::first_instant_showing`]; everything else asks it.

use std::fmt::{self, Display};
use std::str::FromStr;

use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc,
};
use chrono_tz::Tz;

use super::period::ScheduleHour;
use super::shown;

#[cfg(test)]
mod tests;

/// A tenant's time zone, by its IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A name that no time zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a time zone: {advice}")]
pub struct ZoneError {
    name: String,
    advice: String,
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Tz::UTC);

    /// As chrono knows it, for schedulers.
    #[must_use]
    pub fn tz(self) -> Tz {
        self.0
    }

    /// The first existing instant of the local day `date`, or of the next day that exists.
    #[must_use]
    pub fn first_instant_of(self, date: NaiveDate) -> DateTime<Utc> {
        self.first_instant_at_or_after(date, 0)
    }

    /// The first existing instant at which local clocks show `hour` o'clock (0 to 23) of `date`, or
    /// later.
    #[must_use]
    pub fn first_instant_at_or_after(self, date: NaiveDate, hour: u8) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(u32::from(hour.min(ScheduleHour::MAX)), 0, 0)
            .expect("hours up to 23 exist");
        self.first_instant_showing(date.and_time(time))
    }

    /// The first existing instant at which local clocks show `local`, or later.
    #[must_use]
    pub fn first_instant_showing(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => instant.to_utc(),
            // Twice on the clock: the earlier, so that nobody is erased who was added in between.
            MappedLocalTime::Ambiguous(one, other) => one.min(other).to_utc(),
            MappedLocalTime::None => self.end_of_gap(local.and_utc().timestamp()),
        }
    }

    /// The last instant at which local clocks showed `local`; where they never did, the instant at
    /// which they were put forward over it. For times that count towards a person's age: the later
    /// one never erases early.
    #[must_use]
    pub fn last_instant_showing(self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => instant.to_utc(),
            MappedLocalTime::Ambiguous(one, other) => one.max(other).to_utc(),
            MappedLocalTime::None => self.end_of_gap(local.and_utc().timestamp()),
        }
    }

    /// The later of the two instants at which clocks showed the midnight that begins `date`; unset
    /// where it happened once or never.
    pub(super) fn second_midnight_of(self, date: NaiveDate) -> Option<DateTime<Utc>> {
        match self.0.from_local_datetime(&date.and_time(NaiveTime::MIN)) {
            MappedLocalTime::Ambiguous(one, other) => Some(one.max(other).to_utc()),
            MappedLocalTime::Single(_) | MappedLocalTime::None => None,
        }
    }

    /// The local date at `instant`.
    #[must_use]
    pub fn local_date(self, instant: DateTime<Utc>) -> NaiveDate {
        let offset = self.0.offset_from_utc_datetime(&instant.naive_utc()).fix();
        instant
            .naive_utc()
            .checked_add_offset(offset)
            // Only within a day of chrono's own ends of time.
            .unwrap_or(instant.naive_utc())
            .date()
    }

    /// The instant at which clocks were put forward over a local time that they never showed.
    /// `local_seconds` is that time, counted as if it were UTC.
    fn end_of_gap(self, local_seconds: i64) -> DateTime<Utc> {
        const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
        // No zone was ever further than a day from UTC, so local clocks are surely behind the wanted
        // time at the one end and past it at the other, and only this gap lies in between.
        let mut before = local_seconds.saturating_sub(2 * SECONDS_PER_DAY);
        let mut after = local_seconds.saturating_add(2 * SECONDS_PER_DAY);
        // Offsets are whole seconds (Amsterdam's was +0:19:32), hence so is every change of them.
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if middle + self.offset_seconds(middle) < local_seconds {
                before = middle;
            } else {
                after = middle;
            }
        }
        DateTime::from_timestamp(after, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Local time minus UTC.
    fn offset_seconds(self, utc_seconds: i64) -> i64 {
        let instant = DateTime::from_timestamp(utc_seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let offset = self.0.offset_from_utc_datetime(&instant.naive_utc());
        i64::from(offset.fix().local_minus_utc())
    }
}

impl From<Tz> for Zone {
    fn from(zone: Tz) -> Self {
        Self(zone)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        name.parse().map(Self).map_err(|_| {
            let near = chrono_tz::TZ_VARIANTS
                .iter()
                .find(|zone| zone.name().eq_ignore_ascii_case(name.trim()));
            ZoneError {
                name: shown(name),
                advice: match near {
                    Some(zone) => format!("did you mean {zone}?"),
                    None => "write an IANA name, for example Europe/Brussels or UTC".to_owned(),
                },
            }
        })
    }
}

impl Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.name())
    }
}
