//! Time zones: where a local day begins.
//!
//! A local day does not always begin at midnight. Clocks that go forward at 00:00 make the first
//! instant of the day 01:00 (Asuncion); islands that crossed the date line skipped a day whole
//! (Samoa had no 2011-12-30). Clocks that go back over midnight make it happen twice (Havana). All of
//! this is decided in one function, [`Zone::first_instant_showing`]; everything else asks it.
//!
//! A [`Zone`] carries the rules that it was made from, and no rules are looked up anywhere: two
//! answers of one value always agree, however often the system's rules change meanwhile (D12). Who
//! reads rules, and when, is `crate::tzdata`.

use std::fmt::{self, Display};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

mod fault;
mod name;
mod release;
mod tzif;

pub use fault::{ZoneError, ZoneFault};
pub use name::is_plain_name;
pub use release::Release;
pub use tzif::Flaw;

#[cfg(test)]
mod tests;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The last hour of a day.
pub(super) const HOUR_MAX: u8 = 23;

/// A tenant's time zone: its IANA name, and its rules as they were when it was read. Cheap to clone.
#[derive(Clone)]
pub struct Zone(Arc<Rules>);

struct Rules {
    name: String,
    release: Release,
    time_zone: TimeZone,
}

/// A stretch of time in which the zone's offset from UTC does not change.
#[derive(Clone, Copy)]
struct Stretch {
    /// Its first second, in UTC.
    start: i64,
    /// Local time minus UTC, in seconds.
    offset: i64,
}

impl Zone {
    /// The zone of the name, by the content of its file in the form TZif (RFC 9636).
    ///
    /// # Errors
    ///
    /// [`Flaw`] where the content is damaged, or does not say all that has to be known.
    pub fn from_tzif(name: &str, content: &[u8], release: Release) -> Result<Self, Flaw> {
        tzif::check(content)?;
        let time_zone = TimeZone::tzif(name, content).map_err(|_| Flaw::Senseless)?;
        Ok(Self(Arc::new(Rules {
            name: name.to_owned(),
            release,
            time_zone,
        })))
    }

    /// Coordinated Universal Time, which needs no rules: to reckon by where a zone cannot be had and
    /// nothing is erased. A tenant's zone `UTC` comes from its file, as any other.
    #[must_use]
    pub fn utc() -> &'static Self {
        static UTC: LazyLock<Zone> = LazyLock::new(|| {
            Zone(Arc::new(Rules {
                name: "UTC".to_owned(),
                release: Release::unknown(),
                time_zone: TimeZone::UTC,
            }))
        });
        &UTC
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The release of the time-zone database that its rules are from.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.0.release
    }

    /// Local time minus UTC at `instant`.
    #[must_use]
    pub fn offset_at(&self, instant: DateTime<Utc>) -> FixedOffset {
        let seconds = self.offset_seconds(instant.timestamp());
        i32::try_from(seconds)
            .ok()
            .and_then(FixedOffset::east_opt)
            // `tzif::check` admits no offset of a day or more.
            .unwrap_or(FixedOffset::east_opt(0).expect("0 is an offset"))
    }

    /// The first existing instant of the local day `date`, or of the next day that exists.
    #[must_use]
    pub fn first_instant_of(&self, date: NaiveDate) -> DateTime<Utc> {
        self.first_instant_at_or_after(date, 0)
    }

    /// The first existing instant at which local clocks show `hour` o'clock (0 to 23) of `date`, or
    /// later.
    #[must_use]
    pub fn first_instant_at_or_after(&self, date: NaiveDate, hour: u8) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(u32::from(hour.min(HOUR_MAX)), 0, 0)
            .expect("hours up to 23 exist");
        self.first_instant_showing(date.and_time(time))
    }

    /// The first existing instant at which local clocks show `local`, or later. Where they show it
    /// twice this is the earlier one, so that nobody is erased who was added in between.
    #[must_use]
    pub fn first_instant_showing(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let wanted = local.and_utc();
        let seconds = wanted.timestamp();
        let stretches = self.stretches_around(seconds);
        for (position, stretch) in stretches.iter().enumerate() {
            let shown = seconds - stretch.offset;
            let end = stretches.get(position + 1).map(|next| next.start);
            if end.is_some_and(|end| shown >= end) {
                continue;
            }
            return if shown < stretch.start {
                // Clocks were put forward over it.
                instant(stretch.start, 0)
            } else {
                instant(shown, wanted.timestamp_subsec_nanos())
            };
        }
        // The last stretch has no end.
        DateTime::<Utc>::MAX_UTC
    }

    /// The last instant at which local clocks showed `local`; where they never did, the instant at
    /// which they were put forward over it. For times that count towards a person's age: the later
    /// one never erases early.
    #[must_use]
    pub fn last_instant_showing(&self, local: NaiveDateTime) -> DateTime<Utc> {
        self.last_instant_exactly(local)
            .unwrap_or_else(|| self.first_instant_showing(local))
    }

    /// The later of the instants at which clocks showed the midnight that begins `date`; unset where
    /// it happened once or never.
    pub(super) fn second_midnight_of(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let midnight = date.and_time(NaiveTime::MIN);
        let first = self.first_instant_showing(midnight);
        self.last_instant_exactly(midnight)
            .filter(|last| *last > first)
    }

    fn last_instant_exactly(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let wanted = local.and_utc();
        let seconds = wanted.timestamp();
        let mut end = None;
        for stretch in self.stretches_around(seconds).iter().rev() {
            let shown = seconds - stretch.offset;
            if shown >= stretch.start && end.is_none_or(|end| shown < end) {
                return Some(instant(shown, wanted.timestamp_subsec_nanos()));
            }
            end = Some(stretch.start);
        }
        None
    }

    /// The local date at `instant`.
    #[must_use]
    pub fn local_date(&self, instant: DateTime<Utc>) -> NaiveDate {
        let offset = TimeDelta::seconds(self.offset_seconds(instant.timestamp()));
        instant
            .naive_utc()
            .checked_add_signed(offset)
            // Only within a day of chrono's own ends of time.
            .unwrap_or(instant.naive_utc())
            .date()
    }

    /// All stretches that hold an instant at which clocks could show `local_seconds`, which is counted
    /// as if it were UTC; the earliest first. No zone is as far as a day from UTC, so that time cannot
    /// be shown before the first of them begins, and is over when the last one does.
    fn stretches_around(&self, local_seconds: i64) -> Vec<Stretch> {
        let start = local_seconds.saturating_sub(2 * SECONDS_PER_DAY);
        let end = local_seconds.saturating_add(2 * SECONDS_PER_DAY);
        let mut stretches = vec![Stretch {
            start,
            offset: self.offset_seconds(start),
        }];
        let changes = self.0.time_zone.following(timestamp(start));
        for change in changes.take_while(|change| change.timestamp().as_second() <= end) {
            stretches.push(Stretch {
                start: change.timestamp().as_second(),
                offset: i64::from(change.offset().seconds()),
            });
        }
        stretches
    }

    /// Local time minus UTC.
    fn offset_seconds(&self, utc_seconds: i64) -> i64 {
        let offset = self.0.time_zone.to_offset(timestamp(utc_seconds));
        i64::from(offset.seconds())
    }
}

/// The nearest instant that jiff knows: its time ends with the years -9999 and 9999, chrono's later.
fn timestamp(utc_seconds: i64) -> Timestamp {
    let seconds = utc_seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn instant(utc_seconds: i64, nanoseconds: u32) -> DateTime<Utc> {
    let last = if utc_seconds < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp(utc_seconds, nanoseconds).unwrap_or(last)
}

impl Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Zone({}, {})", self.name(), self.release())
    }
}
