//! Which times of a clock are believed at all.
//!
//! Two clocks that agree may both be wrong: on one machine with SQLite they are the same clock. So a
//! time from before this program was written, or from after the last month that it reckons with, is
//! refused, however well the clocks agree.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

/// Clocks that show another year are wrong.
const YEARS: std::ops::RangeInclusive<i32> = 2020..=2099;

/// A clock that shows a year outside of 2020 to 2099.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {whose} clock shows {time}, which lies outside of the years 2020 to 2099; set it right, \
     nothing was changed"
)]
pub struct ClockOutOfRange {
    /// `host's` or `database's`.
    pub whose: &'static str,
    /// What it shows.
    pub time: DateTime<Utc>,
}

/// What the host's clock and the database's show, read one right after the other, in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The host's time.
    pub host: DateTime<Utc>,
    /// The database's time.
    pub database: DateTime<Utc>,
}

impl Clocks {
    /// Of a command that asks no database.
    #[must_use]
    pub fn of_host(host: DateTime<Utc>) -> Self {
        Self {
            host,
            database: host,
        }
    }

    /// S10: now is what the earlier of the two clocks shows, if both can be believed.
    ///
    /// # Errors
    ///
    /// [`ClockOutOfRange`].
    pub fn now(self) -> Result<DateTime<Utc>, ClockOutOfRange> {
        for (whose, time) in [("host's", self.host), ("database's", self.database)] {
            if !YEARS.contains(&time.year()) {
                return Err(ClockOutOfRange { whose, time });
            }
        }
        Ok(self.host.min(self.database))
    }

    /// S12: what the later of the two clocks shows. What is due after it has not come by either.
    #[must_use]
    pub fn latest(self) -> DateTime<Utc> {
        self.host.max(self.database)
    }

    /// By how much the host's clock is ahead of the database's.
    #[must_use]
    pub fn skew(self) -> TimeDelta {
        self.host - self.database
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    fn clocks(host: DateTime<Utc>, database: DateTime<Utc>) -> Clocks {
        Clocks { host, database }
    }

    #[test]
    fn s10_now_is_the_earlier_of_the_two_clocks() {
        let (early, late) = (at("2024-04-01T00:00:00Z"), at("2024-04-01T00:00:01Z"));
        assert_eq!(clocks(early, late).now(), Ok(early));
        assert_eq!(clocks(late, early).now(), Ok(early));
    }

    #[test]
    fn s12_a_clock_before_2020_or_after_2099_is_refused() {
        let right = at("2024-04-01T00:00:00Z");
        for edge in ["2020-01-01T00:00:00Z", "2099-12-31T23:59:59.999999Z"] {
            assert!(clocks(at(edge), at(edge)).now().is_ok(), "{edge}");
        }
        for wrong in [
            "1970-01-01T00:00:00Z",
            "2019-12-31T23:59:59.999999Z",
            "2100-01-01T00:00:00Z",
            "+262142-12-31T00:00:00Z",
        ] {
            let wrong = at(wrong);
            for (host, database, whose) in [
                (wrong, right, "host's"),
                (right, wrong, "database's"),
                (wrong, wrong, "host's"),
            ] {
                let refusal = ClockOutOfRange { whose, time: wrong };
                assert_eq!(clocks(host, database).now(), Err(refusal));
            }
        }
    }
}
