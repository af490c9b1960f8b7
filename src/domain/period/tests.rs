use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    crate::tzdata::zone_for_tests(name)
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn hour(hour: u8) -> ScheduleHour {
    ScheduleHour::try_from(hour).unwrap()
}

#[test]
fn d08_due_instants_at_both_ends_of_the_world() {
    let due = |name| due_instant(period("2024-04"), &zone(name), ScheduleHour::default());
    assert_eq!(due("Pacific/Kiritimati"), time("2024-03-31T10:00:00Z"));
    assert_eq!(due("Pacific/Pago_Pago"), time("2024-04-01T11:00:00Z"));
}

#[test]
fn d08_due_at_an_hour_that_clocks_skip_or_repeat() {
    // On 2012-04-01 clocks in Havana went from 00:00 to 01:00; on 2020-11-01 from 01:00 to 00:00.
    let havana = |month, at| due_instant(period(month), &zone("America/Havana"), hour(at));
    assert_eq!(havana("2012-04", 0), time("2012-04-01T05:00:00Z"));
    assert_eq!(havana("2012-04", 1), time("2012-04-01T05:00:00Z"));
    assert_eq!(havana("2012-04", 2), time("2012-04-01T06:00:00Z"));
    assert_eq!(havana("2020-11", 0), time("2020-11-01T04:00:00Z"));
    assert_eq!(havana("2020-11", 1), time("2020-11-01T06:00:00Z"));
}

#[test]
fn s02_only_the_newest_due_period_is_owed() {
    let brussels = zone("Europe/Brussels");
    let newest = |now, at| newest_due_period(time(now), &brussels, hour(at)).to_string();
    assert_eq!(newest("2024-03-31T21:59:59.999999Z", 0), "2024-03");
    assert_eq!(newest("2024-03-31T22:00:00Z", 0), "2024-04");
    assert_eq!(newest("2024-04-01T05:59:59Z", 8), "2024-03");
    assert_eq!(newest("2024-04-01T06:00:00Z", 8), "2024-04");
    assert_eq!(newest("2024-04-30T12:00:00Z", 0), "2024-04");
    assert_eq!(newest("2023-12-31T23:00:00Z", 0), "2024-01");
}

#[test]
fn s02_a_period_stays_due_when_clocks_go_back_into_the_old_month() {
    // St. John's: at 00:01 on 2009-11-01 clocks went back to 23:01 of 2009-10-31.
    let st_johns = zone("America/St_Johns");
    let again_october = time("2009-11-01T02:45:00Z");
    assert_eq!(
        st_johns.local_date(again_october),
        NaiveDate::from_ymd_opt(2009, 10, 31).unwrap()
    );
    assert_eq!(
        newest_due_period(again_october, &st_johns, hour(0)),
        period("2009-11")
    );
}

#[test]
fn s02_a_broken_clock_does_not_panic() {
    for now in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        for name in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
            let _ = newest_due_period(now, &zone(name), hour(23));
        }
    }
}

#[test]
fn s09_schedule_hour_is_0_to_23() {
    assert_eq!(ScheduleHour::default().get(), 0);
    assert_eq!(hour(23).get(), 23);
    assert_eq!(
        ScheduleHour::try_from(24_u8).unwrap_err().to_string(),
        "schedule hour 24 is out of range: it must be a whole number from 0 to 23"
    );
    for refused in ["24", "-1", "4294967296"] {
        let error = serde_json::from_str::<ScheduleHour>(refused).unwrap_err();
        assert!(error.to_string().contains("from 0 to 23"), "{error}");
    }
    assert_eq!(serde_json::from_str::<ScheduleHour>("7").unwrap(), hour(7));
}

#[test]
fn periods_are_written_one_way() {
    assert_eq!(Period::new(2024, 4).unwrap(), period("2024-04"));
    assert_eq!(period("2024-04").to_string(), "2024-04");
    assert_eq!(
        serde_json::to_string(&period("2024-04")).unwrap(),
        "\"2024-04\""
    );
    assert_eq!(
        serde_json::from_str::<Period>("\"2024-04\"").unwrap(),
        period("2024-04")
    );
    for refused in [
        "",
        "2024",
        "2024-4",
        "24-04",
        "+024-04",
        "2024-+4",
        "2024-04-01",
        "2024/04",
        " 2024-04",
        "April",
    ] {
        let error = refused.parse::<Period>().unwrap_err().to_string();
        assert!(error.contains("YYYY-MM"), "{refused}: {error}");
    }
    assert_eq!(
        "2024-13".parse::<Period>().unwrap_err().to_string(),
        "2024-13: there is no month 13; months are 01 to 12"
    );
    assert_eq!(
        "2100-01".parse::<Period>().unwrap_err().to_string(),
        "month 2100-01 is out of range: months lie between 1900-01 and 2099-12"
    );
    assert!(Period::new(i32::MAX, 1).is_err());
    assert!(Period::new(2024, 0).is_err());
}

#[test]
fn an_endless_or_unprintable_value_is_cut_and_escaped() {
    let error = format!("a\n\u{1b}[2J{}", "x".repeat(1_000))
        .parse::<Period>()
        .unwrap_err()
        .to_string();
    assert!(
        error.len() < 200 && !error.contains(['\n', '\u{1b}']),
        "{error}"
    );
}

#[test]
fn months_serialise_as_a_number() {
    assert_eq!(serde_json::to_string(&Months::MAX).unwrap(), "1200");
    assert_eq!(serde_json::from_str::<Months>("1").unwrap(), Months::MIN);
    assert!(serde_json::from_str::<Months>("0").is_err());
    assert!(serde_json::from_str::<Months>("1201").is_err());
}

proptest! {
    #[test]
    fn period_arithmetic_is_that_of_months(
        year in 1900..=2099_i32,
        month in 1..=12_u32,
        months in 1..=1200_i64,
    ) {
        let period = Period::new(year, month).unwrap();
        prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        prop_assert_eq!(period.next().previous(), period);
        prop_assert!(period.previous() < period && period < period.next());
        let by_chrono = period
            .nominal_date()
            .checked_sub_months(chrono::Months::new(u32::try_from(months).unwrap()))
            .unwrap();
        let earlier = period.minus(Months::try_from(months).unwrap());
        prop_assert_eq!(earlier.nominal_date(), by_chrono);
    }

    #[test]
    fn newest_due_period_is_due_and_its_successor_is_not(
        name in proptest::sample::select(crate::tzdata::names_for_tests()),
        // 1970 to 2099
        seconds in 0..4_100_000_000_i64,
        at in 0..=23_u8,
    ) {
        let zone = zone(name);
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        let newest = newest_due_period(now, &zone, hour(at));
        prop_assert!(due_instant(newest, &zone, hour(at)) <= now);
        prop_assert!(due_instant(newest.next(), &zone, hour(at)) > now);
        // … and on both sides of the very instant.
        let due = due_instant(newest, &zone, hour(at));
        prop_assert_eq!(newest_due_period(due, &zone, hour(at)), newest);
        let just_before = due - TimeDelta::microseconds(1);
        prop_assert_eq!(newest_due_period(just_before, &zone, hour(at)), newest.previous());
    }
}
