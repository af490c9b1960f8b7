//! Which `added_at` can be a real date. The others stand for "not known": the zero time of a programming
//! language, an infinity, a year typed wrong. No age can be counted from them.
//!
//! A participant without a real date is *undated*: never anonymized and never deleted, because that
//! could be too early, and counted wherever people are counted, because it would stay for ever (E13).

use chrono::{DateTime, TimeDelta, Utc};

/// 1990-01-01T00:00:00Z: nobody was invited to a survey by e-mail before.
#[must_use]
pub fn dated_since() -> DateTime<Utc> {
    const SECONDS: i64 = 631_152_000;
    DateTime::from_timestamp(SECONDS, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The last instant that is a real date at `now`: a day later, for clocks that run ahead.
#[must_use]
pub fn dated_until(now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_add_signed(TimeDelta::days(1)).unwrap_or(now)
}

/// Whether `added_at` is a real date at `now`. What is no instant at all never comes as far as this:
/// `store::instants` asks the database.
#[must_use]
pub fn is_dated(added_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (dated_since()..=dated_until(now)).contains(&added_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn e13_dates_are_real_from_1990_to_a_day_after_now() {
        let now = at("2026-11-27T12:00:00Z");
        for (added_at, expected) in [
            ("0001-01-01T00:00:00Z", false),
            ("1970-01-01T00:00:00Z", false),
            ("1989-12-31T23:59:59.999999Z", false),
            ("1990-01-01T00:00:00Z", true),
            ("2026-11-28T12:00:00Z", true),
            ("2026-11-28T12:00:00.000001Z", false),
            ("2999-01-01T00:00:00Z", false),
        ] {
            assert_eq!(is_dated(at(added_at), now), expected, "{added_at}");
        }
    }

    #[test]
    fn e13_the_ends_of_time_do_not_panic() {
        assert!(!is_dated(
            DateTime::<Utc>::MAX_UTC,
            at("2026-11-27T12:00:00Z")
        ));
        assert!(!is_dated(
            DateTime::<Utc>::MIN_UTC,
            DateTime::<Utc>::MAX_UTC
        ));
        assert_eq!(
            dated_until(DateTime::<Utc>::MAX_UTC),
            DateTime::<Utc>::MAX_UTC
        );
    }
}
