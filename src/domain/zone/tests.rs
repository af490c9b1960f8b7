use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    crate::tzdata::zone_for_tests(name)
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn first_instant(name: &str, day: &str) -> DateTime<Utc> {
    zone(name).first_instant_of(date(day))
}

#[test]
fn d09_midnight_that_does_not_exist() {
    assert_eq!(
        first_instant("America/Asuncion", "2023-10-01"),
        time("2023-10-01T04:00:00Z")
    );
    assert_eq!(
        first_instant("Africa/Cairo", "2024-04-26"),
        time("2024-04-25T22:00:00Z")
    );
}

#[test]
fn d09_day_that_does_not_exist() {
    for (name, skipped, next, expected) in [
        (
            "Pacific/Apia",
            "2011-12-30",
            "2011-12-31",
            "2011-12-30T10:00:00Z",
        ),
        (
            "Pacific/Kwajalein",
            "1993-08-21",
            "1993-08-22",
            "1993-08-21T12:00:00Z",
        ),
        (
            "Pacific/Kiritimati",
            "1994-12-31",
            "1995-01-01",
            "1994-12-31T10:00:00Z",
        ),
        (
            "Asia/Manila",
            "1844-12-31",
            "1845-01-01",
            "1844-12-31T15:56:08Z",
        ),
    ] {
        let expected = time(expected);
        assert_eq!(first_instant(name, next), expected, "{name} {next}");
        for hour in [0, 12, 23] {
            assert_eq!(
                zone(name).first_instant_at_or_after(date(skipped), hour),
                expected,
                "{name} {skipped} {hour}:00"
            );
        }
    }
}

#[test]
fn d10_midnight_that_happens_twice() {
    // In 2026 it does so by the rules of 2025 only; the answer is the same.
    for (day, expected) in [
        ("2020-11-01", "2020-11-01T04:00:00Z"),
        ("2026-11-01", "2026-11-01T04:00:00Z"),
    ] {
        assert_eq!(first_instant("America/Havana", day), time(expected));
    }
    // Sitka lived 1867-10-19 (as it is named since) twice.
    assert_eq!(
        first_instant("America/Sitka", "1867-10-19"),
        time("1867-10-18T09:01:13Z")
    );
}

#[test]
fn d10_the_day_before_happens_twice_in_part() {
    // Asuncion: at 24:00 on 2024-03-23 clocks went back to 23:00, so midnight came once, later.
    assert_eq!(
        first_instant("America/Asuncion", "2024-03-24"),
        time("2024-03-24T04:00:00Z")
    );
}

#[test]
fn d11_offsets_of_odd_seconds() {
    assert_eq!(
        first_instant("Europe/Brussels", "1879-12-01"),
        time("1879-11-30T23:42:30Z")
    );
    assert_eq!(
        first_instant("Africa/Monrovia", "1971-12-01"),
        time("1971-12-01T00:44:30Z")
    );
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for name in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
        for day in [NaiveDate::MIN, NaiveDate::MAX] {
            let _ = zone(name).first_instant_of(day);
            let _ = zone(name).first_instant_at_or_after(day, 23);
        }
        for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = zone(name).local_date(instant);
            let _ = zone(name).last_instant_showing(instant.naive_utc());
        }
    }
}

proptest! {
    /// The definition itself, checked by walking over four days of the zone's clock.
    #[test]
    fn d11_nothing_earlier_reaches_the_local_time(
        name in proptest::sample::select(crate::tzdata::names_for_tests()),
        // 1850 to 2099
        days in -43_800..47_400_i64,
        hour in 0..=23_u8,
    ) {
        let zone = zone(name);
        let day = date("1970-01-01") + TimeDelta::days(days);
        let first = zone.first_instant_at_or_after(day, hour);
        let local = |instant: DateTime<Utc>| {
            instant.naive_utc() + TimeDelta::seconds(zone.offset_seconds(instant.timestamp()))
        };
        let wanted = day.and_hms_opt(u32::from(hour), 0, 0).unwrap();
        prop_assert!(local(first) >= wanted);
        for minutes in 0..4 * 24 * 60 {
            let earlier = first - TimeDelta::minutes(minutes) - TimeDelta::microseconds(1);
            prop_assert!(local(earlier) < wanted, "{zone} {wanted}: {earlier} is earlier than {first}");
        }
    }
}

#[test]
fn d13_vancouver_keeps_its_summer_time_from_2026_on() {
    assert_eq!(
        first_instant("America/Vancouver", "2026-12-01"),
        time("2026-12-01T07:00:00Z")
    );
}

#[test]
fn d11_long_after_the_last_change_that_a_file_lists() {
    for (name, day, expected) in [
        ("Europe/Brussels", "2098-06-01", "2098-05-31T22:00:00Z"),
        ("Europe/Brussels", "2099-12-01", "2099-11-30T23:00:00Z"),
        ("America/New_York", "2099-07-01", "2099-07-01T04:00:00Z"),
        // Clocks go back over this midnight every year.
        ("America/Havana", "2099-11-01", "2099-11-01T04:00:00Z"),
    ] {
        assert_eq!(first_instant(name, day), time(expected), "{name} {day}");
    }
}

#[test]
fn d10_a_time_shown_twice_has_a_first_and_a_last_instant() {
    let brussels = zone("Europe/Brussels");
    let local = "2024-10-27T02:30:00.25".parse().unwrap();
    assert_eq!(
        brussels.first_instant_showing(local),
        time("2024-10-27T00:30:00.25Z")
    );
    assert_eq!(
        brussels.last_instant_showing(local),
        time("2024-10-27T01:30:00.25Z")
    );
    let never = "2024-03-31T02:30:00.25".parse().unwrap();
    for instant in [
        brussels.first_instant_showing(never),
        brussels.last_instant_showing(never),
    ] {
        assert_eq!(instant, time("2024-03-31T01:00:00Z"));
    }
}
