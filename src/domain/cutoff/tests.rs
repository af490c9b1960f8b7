use proptest::prelude::*;

use super::super::span::{longest_age_days, longest_span_days, shortest_span_days};
use super::*;
use crate::domain::period::{ScheduleHour, due_instant};

fn period(text: &str) -> Period {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    crate::tzdata::zone_for_tests(name)
}

fn months(number: i64) -> Months {
    Months::try_from(number).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn until(month: &str, number: i64) -> String {
    let brussels = zone("Europe/Brussels");
    until_inclusive(cutoff(period(month), &brussels, months(number)), &brussels).to_string()
}

fn example() -> Cutoffs {
    let terms = Terms::new(Some(months(1)), Some(months(12)), None, false).unwrap();
    Cutoffs::of(period("2024-04"), &zone("Europe/Brussels"), &terms)
}

#[test]
fn d01_added_just_before_the_anonymization_cutoff() {
    let cutoff = example().anonymize.unwrap();
    assert_eq!(cutoff, time("2024-02-29T23:00:00Z"));
    assert!(time("2024-02-29T22:59:59.999999Z") < cutoff);
    assert_eq!(until("2024-04", 1), "2024-02-29");
}

#[test]
fn d02_added_exactly_at_the_cutoff_waits_a_month() {
    let added_at = time("2024-02-29T23:00:00Z");
    let brussels = zone("Europe/Brussels");
    assert!(added_at >= cutoff(period("2024-04"), &brussels, months(1)));
    assert!(added_at < cutoff(period("2024-05"), &brussels, months(1)));
}

#[test]
fn d03_added_around_the_retention_cutoff() {
    let cutoff = example().purge.unwrap();
    assert_eq!(cutoff, time("2023-03-31T22:00:00Z"));
    assert!(time("2023-03-31T21:59:59.999999Z") < cutoff);
    assert!(time("2023-03-31T22:00:00Z") >= cutoff);
    assert_eq!(until("2024-04", 12), "2023-03-31");
}

#[test]
fn d04_leap_years() {
    assert_eq!(until("2025-03", 12), "2024-02-29");
    assert_eq!(until("2024-03", 12), "2023-02-28");
    assert_eq!(until("2024-03", 48), "2020-02-29");
}

#[test]
fn d05_over_the_turn_of_the_year() {
    assert_eq!(until("2024-01", 2), "2023-10-31");
}

#[test]
fn d06_one_calendar_month_guarantees_28_days() {
    let brussels = zone("Europe/Brussels");
    // 23:59:59 in Brussels
    let added_at = time("2023-01-31T22:59:59Z");
    assert!(added_at < cutoff(period("2023-03"), &brussels, months(1)));
    let due = due_instant(period("2023-03"), &brussels, ScheduleHour::default());
    assert_eq!((due - added_at).num_days(), 28);
}

#[test]
fn d07_new_york_but_not_brussels() {
    let added_at = time("2024-03-01T01:00:00Z");
    let cutoff = |name| cutoff(period("2024-04"), &zone(name), months(1));
    assert_eq!(cutoff("America/New_York"), time("2024-03-01T05:00:00Z"));
    assert!(added_at < cutoff("America/New_York"));
    assert!(added_at >= cutoff("Europe/Brussels"));
}

#[test]
fn d09_cutoff_at_a_midnight_that_does_not_exist() {
    let asuncion = zone("America/Asuncion");
    let cutoff = cutoff(period("2023-11"), &asuncion, months(1));
    assert_eq!(cutoff, time("2023-10-01T04:00:00Z"));
    assert_eq!(until_inclusive(cutoff, &asuncion).to_string(), "2023-09-30");
}

#[test]
fn d09_until_is_a_day_that_existed() {
    let kiritimati = zone("Pacific/Kiritimati");
    let cutoff = cutoff(period("1995-02"), &kiritimati, months(1));
    assert_eq!(cutoff, time("1994-12-31T10:00:00Z"));
    assert_eq!(
        until_inclusive(cutoff, &kiritimati).to_string(),
        "1994-12-30"
    );
}

#[test]
fn d10_cutoff_at_a_midnight_that_happens_twice() {
    let havana = zone("America/Havana");
    let cutoff = cutoff(period("2020-12"), &havana, months(1));
    assert_eq!(cutoff, time("2020-11-01T04:00:00Z"));
    assert_eq!(until_inclusive(cutoff, &havana).to_string(), "2020-10-31");
}

#[test]
fn d10_until_leaves_out_a_day_that_was_entered_again_after_the_cutoff() {
    // St. John's: at 00:01 on 2009-11-01 clocks went back to 23:01 of 2009-10-31.
    let st_johns = zone("America/St_Johns");
    let cutoff = cutoff(period("2009-12"), &st_johns, months(1));
    assert_eq!(cutoff, time("2009-11-01T02:30:00Z"));
    assert_eq!(until_inclusive(cutoff, &st_johns).to_string(), "2009-10-30");
}

#[test]
fn p07_spans_of_the_calendar() {
    let spans = |number| {
        (
            shortest_span_days(months(number)),
            longest_span_days(months(number)),
        )
    };
    assert_eq!(spans(1), (28, 31));
    assert_eq!(spans(2), (59, 62));
    assert_eq!(spans(3), (89, 92));
    assert_eq!(spans(11), (334, 337));
    assert_eq!(spans(12), (365, 366));
    // Only over 1900 or 2100 is a span of four years without a leap day.
    assert_eq!(spans(48), (1_460, 1_461));
    assert_eq!(spans(1_200), (36_524, 36_525));
    assert_eq!(longest_age_days(months(1)), 62);
    assert_eq!(longest_age_days(Months::MAX), 36_525 + 31);
}

#[test]
fn p10_a_stage_uses_the_older_cutoff_and_unset_is_never() {
    let (old, new) = (time("2023-01-01T00:00:00Z"), time("2024-01-01T00:00:00Z"));
    let of = |anonymize, purge| Cutoffs { anonymize, purge };
    // lengthened
    assert_eq!(
        of(Some(new), Some(new)).older_of(of(Some(old), Some(old))),
        of(Some(old), Some(old))
    );
    // cleared, each stage for itself
    assert_eq!(
        of(Some(new), Some(old)).older_of(of(None, Some(old))),
        of(None, Some(old))
    );
    assert!(
        of(Some(new), Some(old))
            .older_of(Cutoffs::default())
            .is_empty()
    );
    assert!(!of(None, Some(old)).is_empty());
}

#[test]
fn p11_a_shortened_policy_waits_for_the_next_period() {
    let brussels = zone("Europe/Brussels");
    let terms = |anonymize, retain| Terms::new(anonymize, retain, None, false).unwrap();
    let pinned = Cutoffs::of(period("2024-04"), &brussels, &terms(Some(months(6)), None));
    let current = Cutoffs::of(
        period("2024-04"),
        &brussels,
        &terms(Some(months(1)), Some(months(12))),
    );
    assert_eq!(pinned.older_of(current), pinned);
    assert_eq!(current.older_of(pinned), pinned);
}

#[test]
fn p10_without_a_current_version_nothing_is_erased_and_nothing_is_forgiven() {
    let (month, brussels) = (period("2024-04"), zone("Europe/Brussels"));
    let version = |retain| Version {
        number: 1,
        terms: Terms::new(None, Some(months(retain)), None, false).unwrap(),
        effective_from: time("2023-01-01T00:00:00Z"),
        created_at: time("2023-01-01T00:00:00Z"),
        created_by: String::new(),
        reason: String::new(),
    };
    let (pinned, longer) = (version(12), version(24));
    let cutoffs = Cutoffs::of(month, &brussels, &pinned.terms);
    let kept = Cutoffs::of(month, &brussels, &longer.terms);
    assert!(cutoffs.in_force(None, month, &brussels).is_empty());
    assert_eq!(
        cutoffs.in_force(Some(&longer.terms), month, &brussels),
        kept
    );
    let judging = |recount, current| cutoffs.judging(month, &brussels, recount, current);
    assert_eq!(judging(None, None), cutoffs);
    assert_eq!(judging(None, Some(&pinned)), cutoffs);
    assert_eq!(judging(None, Some(&longer)), kept);
    assert_eq!(judging(Some(&longer), Some(&pinned)), kept);
    assert_eq!(judging(Some(&pinned), Some(&longer)), kept);
}

prop_compose! {
    fn any_zone()(name in proptest::sample::select(crate::tzdata::names_for_tests())) -> Zone {
        zone(name)
    }
}

prop_compose! {
    fn any_period()(year in 1950..=2099_i32, month in 1..=12_u32) -> Period {
        Period::new(year, month).unwrap()
    }
}

prop_compose! {
    fn any_months()(number in 1..=1200_i64) -> Months {
        months(number)
    }
}

prop_compose! {
    fn any_terms()(
        anonymize in proptest::option::of(1..=1199_i64),
        retain in proptest::option::of(12..=1200_i64),
    ) -> Terms {
        let longer = |retain: i64| retain.max(anonymize.unwrap_or(0) + 1);
        let retain = retain.map(longer);
        Terms::new(anonymize.map(months), retain.map(months), None, false).unwrap()
    }
}

proptest! {
    #[test]
    fn cutoffs_are_monotone_in_period_and_in_months(
        zone in any_zone(),
        period in any_period(),
        number in 1..1200_i64,
    ) {
        let at = cutoff(period, &zone, months(number));
        prop_assert!(at < cutoff(period.next(), &zone, months(number)));
        prop_assert!(at > cutoff(period, &zone, months(number + 1)));
        prop_assert_eq!(at, cutoff(period.next(), &zone, months(number + 1)));
    }

    #[test]
    fn everybody_eligible_has_the_guaranteed_age(
        zone in any_zone(),
        period in any_period(),
        months in any_months(),
        older_microseconds in 1..100_000_000_000_i64,
    ) {
        let due = due_instant(period, &zone, ScheduleHour::default());
        let cutoff = cutoff(period, &zone, months);
        for microseconds in [1, older_microseconds] {
            let added_on = zone.local_date(cutoff - TimeDelta::microseconds(microseconds));
            let age_days = (zone.local_date(due) - added_on).num_days();
            prop_assert!(age_days >= i64::from(shortest_span_days(months)));
        }
    }

    #[test]
    fn nobody_older_than_the_longest_age_is_left(
        zone in any_zone(),
        period in any_period(),
        months in any_months(),
        after_microseconds in 0..100_000_000_000_i64,
    ) {
        // Who is untouched in this period, at the due instant of the next.
        let added_at = cutoff(period, &zone, months) + TimeDelta::microseconds(after_microseconds);
        let age_days = (period.next().nominal_date() - zone.local_date(added_at)).num_days();
        // A day more where clocks went back over the cutoff's midnight.
        prop_assert!(age_days <= i64::from(longest_age_days(months)) + 1);
    }

    #[test]
    fn added_before_the_cutoff_splits_exactly(
        zone in any_zone(),
        period in any_period(),
        months in any_months(),
    ) {
        let cutoff = cutoff(period, &zone, months);
        let cutoff_day = period.minus(months).nominal_date();
        prop_assert!(zone.local_date(cutoff - TimeDelta::microseconds(1)) < cutoff_day);
        prop_assert!(zone.local_date(cutoff) >= cutoff_day);
        // The last day that is named is erased whole, and the day of the cutoff is not begun.
        let until = until_inclusive(cutoff, &zone);
        prop_assert!(until < cutoff_day);
        prop_assert!((cutoff_day - until).num_days() <= 2);
        prop_assert!(zone.first_instant_of(until) < cutoff);
        prop_assert!(end_of_day(until, &zone) <= cutoff);
    }

    #[test]
    fn p10_older_of_keeps_what_either_keeps(
        zone in any_zone(),
        period in any_period(),
        pinned in any_terms(),
        current in any_terms(),
    ) {
        let pinned = Cutoffs::of(period, &zone, &pinned);
        let current = Cutoffs::of(period, &zone, &current);
        let both = pinned.older_of(current);
        prop_assert_eq!(both, current.older_of(pinned));
        prop_assert_eq!(both.older_of(pinned), both);
        for (both, one, other) in [
            (both.anonymize, pinned.anonymize, current.anonymize),
            (both.purge, pinned.purge, current.purge),
        ] {
            match (one, other) {
                (Some(one), Some(other)) => prop_assert_eq!(both, Some(one.min(other))),
                _ => prop_assert_eq!(both, None),
            }
        }
        // Nobody is ever deleted before being old enough to be anonymized.
        if let (Some(anonymize), Some(purge)) = (both.anonymize, both.purge) {
            prop_assert!(purge < anonymize);
        }
    }
}
