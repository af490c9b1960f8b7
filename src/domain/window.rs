//! The time of day in which work may be done.
//!
//! It opens and closes at the first instant at which clocks show the time, or a later one, as a period
//! becomes due at the first such instant of its hour. So in the night in which clocks go forward over
//! its beginning it opens at the end of the gap, and in the one in which they go back it opens, and
//! closes, the first time.

use chrono::{DateTime, Days, NaiveTime, Utc};

use super::zone::Zone;

/// From a time of day up to another one, which is on the next day if it is not the later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: NaiveTime,
    to: NaiveTime,
}

impl Window {
    /// The window between these times of each day.
    #[must_use]
    pub fn new(from: NaiveTime, to: NaiveTime) -> Self {
        Self { from, to }
    }

    /// `None` while it is open at `now`, by the clocks of `zone`; else when it opens.
    #[must_use]
    pub fn closed_until(self, zone: &Zone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = zone.local_date(now);
        let mut opens_at = None;
        // The one that began yesterday may be open still; and a day may have none, where clocks go
        // forward over all of it, or the day does not exist.
        for days in 0..=4 {
            let day = today.checked_sub_days(Days::new(1))?;
            let day = day.checked_add_days(Days::new(days))?;
            let last_day = match self.to > self.from {
                true => day,
                false => day.checked_add_days(Days::new(1))?,
            };
            let from = zone.first_instant_showing(day.and_time(self.from));
            let to = zone.first_instant_showing(last_day.and_time(self.to));
            if from <= now && now < to {
                return None;
            }
            if now < from && from < to {
                opens_at = opens_at.or(Some(from));
            }
        }
        opens_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, zone: &str) -> (Window, Zone) {
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        let window = Window::new(time(from), time(to));
        (window, crate::tzdata::zone_for_tests(zone))
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Until when it is closed at each instant; `-` = it is open.
    fn check((window, zone): (Window, Zone), cases: &[(&str, &str)]) {
        for (now, expected) in cases {
            let until = window.closed_until(&zone, at(now));
            match *expected {
                "-" => assert_eq!(until, None, "{now}"),
                opens_at => assert_eq!(until, Some(at(opens_at)), "{now}"),
            }
        }
    }

    #[test]
    fn it_opens_on_the_minute_and_closes_before_it() {
        check(
            window("01:00", "06:00", "UTC"),
            &[
                ("2024-04-01T00:59:59.999999Z", "2024-04-01T01:00:00Z"),
                ("2024-04-01T01:00:00Z", "-"),
                ("2024-04-01T05:59:59.999999Z", "-"),
                ("2024-04-01T06:00:00Z", "2024-04-02T01:00:00Z"),
            ],
        );
    }

    #[test]
    fn it_may_cross_midnight() {
        check(
            window("22:00", "05:30", "Europe/Brussels"),
            &[
                ("2024-01-31T20:59:59Z", "2024-01-31T21:00:00Z"),
                ("2024-01-31T21:00:00Z", "-"),
                ("2024-02-01T04:29:59Z", "-"),
                ("2024-02-01T04:30:00Z", "2024-02-01T21:00:00Z"),
            ],
        );
        check(
            window("22:00", "00:00", "UTC"),
            &[
                ("2024-01-31T23:59:59Z", "-"),
                ("2024-02-01T00:00:00Z", "2024-02-01T22:00:00Z"),
            ],
        );
    }

    #[test]
    fn when_clocks_go_forward_over_its_beginning_it_opens_at_the_end_of_the_gap() {
        // On 2024-03-31 there is no 02:00 to 03:00 in Brussels; 03:00 is 01:00 UTC.
        check(
            window("02:30", "05:00", "Europe/Brussels"),
            &[
                ("2024-03-31T00:59:59Z", "2024-03-31T01:00:00Z"),
                ("2024-03-31T01:00:00Z", "-"),
                ("2024-03-31T03:00:00Z", "2024-04-01T00:30:00Z"),
            ],
        );
        // One that lies in the gap whole does not open on that day.
        check(
            window("02:15", "02:45", "Europe/Brussels"),
            &[("2024-03-31T00:00:00Z", "2024-04-01T00:15:00Z")],
        );
    }

    #[test]
    fn when_clocks_go_back_it_opens_and_closes_the_first_time() {
        // On 2024-10-27 Brussels has 02:00 to 03:00 twice: from 00:00 UTC, and from 01:00 UTC.
        check(
            window("02:15", "02:45", "Europe/Brussels"),
            &[
                ("2024-10-27T00:15:00Z", "-"),
                ("2024-10-27T00:45:00Z", "2024-10-28T01:15:00Z"),
            ],
        );
        check(
            window("01:00", "04:00", "Europe/Brussels"),
            &[
                ("2024-10-26T23:00:00Z", "-"),
                ("2024-10-27T02:59:59Z", "-"),
                ("2024-10-27T03:00:00Z", "2024-10-28T00:00:00Z"),
            ],
        );
    }

    #[test]
    fn a_day_that_does_not_exist_has_none() {
        // Samoa went from 2011-12-29 to 2011-12-31.
        check(
            window("01:00", "06:00", "Pacific/Apia"),
            &[
                ("2011-12-29T15:59:59Z", "-"),
                ("2011-12-29T16:00:00Z", "2011-12-30T11:00:00Z"),
            ],
        );
    }

    #[test]
    fn every_minute_of_two_years_lies_in_the_window_that_its_clock_shows() {
        // Where no clock goes back or forward within the window, the clock decides.
        let (window, zone) = window("21:00", "23:00", "America/New_York");
        let mut now = at("2023-01-01T00:00:00Z");
        while now < at("2025-01-01T00:00:00Z") {
            let shown = now.with_timezone(&zone.offset_at(now)).time();
            let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
            let is_within = time(21) <= shown && shown < time(23);
            assert_eq!(
                window.closed_until(&zone, now).is_none(),
                is_within,
                "{now}"
            );
            now += chrono::TimeDelta::minutes(13);
        }
    }
}
