use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
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
    assert_eq!(
        first_instant("America/Havana", "2026-11-01"),
        time("2026-11-01T04:00:00Z")
    );
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
fn zone_names_are_checked() {
    assert_eq!(zone("Europe/Brussels").to_string(), "Europe/Brussels");
    assert_eq!(
        "Europe/Brussel".parse::<Zone>().unwrap_err().to_string(),
        "`Europe/Brussel` is not a time zone: write an IANA name, for example Europe/Brussels or UTC"
    );
    assert_eq!(
        " europe/brussels".parse::<Zone>().unwrap_err().to_string(),
        "` europe/brussels` is not a time zone: did you mean Europe/Brussels?"
    );
    assert!("".parse::<Zone>().is_err());
    assert!("+01:00".parse::<Zone>().is_err());
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
        }
    }
}

proptest! {
    /// The definition itself, checked by walking over four days of the zone's clock.
    #[test]
    fn d11_nothing_earlier_reaches_the_local_time(
        zone_index in 0..chrono_tz::TZ_VARIANTS.len(),
        // 1850 to 2099
        days in -43_800..47_400_i64,
        hour in 0..=23_u8,
    ) {
        let zone = zone(chrono_tz::TZ_VARIANTS[zone_index].name());
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
