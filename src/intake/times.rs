//! Times in a file, or on the command line.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use thiserror::Error;

use crate::clock::truncate_to_microseconds;
use crate::domain::dated::dated_since;
use crate::domain::period::Zone;

/// Why a time is none that can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    /// No time.
    #[error(
        "is no time; write it as 2024-02-29T22:59:59Z, or as 2024-02-29 23:59:59 or 2024-02-29 in \
         the tenant's time zone"
    )]
    Unreadable,
    /// Before any real date (E13): nobody would ever be anonymized or deleted by it.
    #[error("is before 1990, and no real date; write when the person was added")]
    TooOld,
    /// Later than now: nobody can have been added then.
    #[error("is in the future")]
    Future,
}

/// Reads a time by RFC 3339, or a local `YYYY-MM-DD HH:MM:SS` or `YYYY-MM-DD` in `zone`, and cuts it
/// down to microseconds. A day stands for its first instant. A local time that clocks showed twice
/// stands for the later of the two, so that nobody is erased early; one that they never showed, for
/// the first instant after the gap.
///
/// # Errors
///
/// See [`TimeError`].
pub fn read_time(text: &str, zone: &Zone, now: DateTime<Utc>) -> Result<DateTime<Utc>, TimeError> {
    let time = absolute(text)
        .or_else(|| local(text, zone))
        .ok_or(TimeError::Unreadable)?;
    let time = truncate_to_microseconds(time);
    if time < dated_since() {
        Err(TimeError::TooOld)
    } else if time > now {
        Err(TimeError::Future)
    } else {
        Ok(time)
    }
}

fn absolute(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // chrono keeps a leap second as a fraction above one, which no database stores.
    (time.timestamp_subsec_nanos() < 1_000_000_000).then_some(time)
}

fn local(text: &str, zone: &Zone) -> Option<DateTime<Utc>> {
    // chrono would take `2024-1-1` too, in which a day and a month are easily swapped.
    let digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    match text.len() {
        10 if digits(text) => NaiveDate::from_str(text)
            .ok()
            .map(|date| zone.first_instant_of(date)),
        19.. if text.is_char_boundary(10) && digits(&text[..10]) => {
            let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
            let whole = chrono::Timelike::nanosecond(&time) < 1_000_000_000;
            whole.then(|| zone.last_instant_showing(time))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, TimeError> {
        let now = "2026-11-23T12:00:00Z".parse().expect("a time");
        let zone = crate::tzdata::zone_for_tests("Europe/Brussels");
        read_time(text, &zone, now).map(|time| time.to_rfc3339())
    }

    #[test]
    fn times_are_read_and_truncated() {
        for (text, expected) in [
            (
                "2024-02-29T22:59:59.9999999Z",
                "2024-02-29T22:59:59.999999+00:00",
            ),
            ("2024-03-01T00:00:00+01:00", "2024-02-29T23:00:00+00:00"),
            ("2024-03-01 00:00:00", "2024-02-29T23:00:00+00:00"),
            ("2024-03-01 00:00:00.25", "2024-02-29T23:00:00.250+00:00"),
            ("2024-03-01", "2024-02-29T23:00:00+00:00"),
            // Shown twice: the later. Never shown: the end of the gap.
            ("2024-10-27 02:30:00", "2024-10-27T01:30:00+00:00"),
            ("2024-03-31 02:30:00", "2024-03-31T01:00:00+00:00"),
            ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00+00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn e08_e13_unreadable_too_old_and_future_times() {
        for text in [
            "",
            " 2024-03-01",
            "2024-03-01 ",
            "2024-3-1",
            "1/3/2024",
            "2024-02-30",
            "yesterday",
            "2016-12-31T23:59:60Z",
            "2024-03-01 00:00:00x",
            "1709251200",
            "ééééé",
        ] {
            assert_eq!(read(text), Err(TimeError::Unreadable), "{text}");
        }
        for text in ["0999-12-31T23:59:59Z", "1970-01-01", "1989-12-31T22:59:59Z"] {
            assert_eq!(read(text), Err(TimeError::TooOld), "{text}");
        }
        for text in [
            "2026-11-23T12:00:00.000001Z",
            "2026-11-24",
            "9999-12-31T00:00:00Z",
        ] {
            assert_eq!(read(text), Err(TimeError::Future), "{text}");
        }
    }
}
