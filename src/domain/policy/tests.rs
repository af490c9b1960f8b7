use proptest::prelude::*;

use super::*;
use crate::domain::period::{Period, ScheduleHour, due_instant};

fn months(number: i64) -> Months {
    Months::try_from(number).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn refusal<T: fmt::Debug>(result: Result<T, PolicyError>) -> String {
    result.unwrap_err().to_string()
}

fn version(number: i32, effective_from: &str) -> Version {
    Version {
        number,
        terms: Terms::new(Some(months(1)), None, None, false).unwrap(),
        effective_from: time(effective_from),
        created_at: time("2024-04-10T08:00:00Z"),
        created_by: "operator".to_owned(),
        reason: "test".to_owned(),
    }
}

#[test]
fn p05_a_refusal_names_value_rule_and_nearest_value() {
    assert_eq!(
        refusal(parse_anonymize("0m")),
        "anonymization period 0m is refused: it must be at least 1 and at most 1200 months; \
         the nearest allowed value is 1m"
    );
    assert_eq!(
        refusal(parse_retain("11m")),
        "retention period 11m is refused: it must be at least 12 and at most 1200 months; \
         the nearest allowed value is 12m"
    );
    assert_eq!(
        refusal(Terms::new(Some(months(12)), Some(months(12)), None, false)),
        "anonymization period 12m is refused: it must be shorter than the retention period, which \
         is 12m; the nearest allowed value is 11m"
    );
    assert_eq!(
        refusal(parse_anonymize("90d")),
        "anonymization period `90d` is refused: it must be a whole number of months (m) or years \
         (y), because days and weeks do not divide a calendar month; the nearest allowed value is 3m"
    );
    assert_eq!(
        refusal(parse_anonymize("12")),
        "anonymization period `12` cannot be read: write a whole number of months or years, such \
         as 1m or 1y, or `none`"
    );
}

#[test]
fn p05_the_nearest_allowed_value() {
    for (parse, text, nearest) in [
        (parse_anonymize as fn(&str) -> _, "0y", "1m"),
        (parse_anonymize, "-1m", "1m"),
        (parse_anonymize, "0.5m", "1m"),
        (parse_anonymize, "20d", "1m"),
        (parse_anonymize, "0d", "1m"),
        (parse_anonymize, "4w", "1m"),
        (parse_anonymize, "52 weeks", "12m"),
        (parse_anonymize, "1.5y", "18m"),
        (parse_anonymize, "1201m", "1200m"),
        (parse_anonymize, "101y", "1200m"),
        (parse_anonymize, "99999999999999999999999999m", "1200m"),
        (parse_retain, "1m", "12m"),
        (parse_retain, "365d", "12m"),
        (parse_retain, "30d", "12m"),
        (parse_retain, "104w", "24m"),
        (parse_retain, "1201m", "1200m"),
    ] {
        let error = refusal(parse(text));
        assert!(error.contains(text), "{text}: {error}");
        let ending = format!("the nearest allowed value is {nearest}");
        assert!(error.ends_with(&ending), "{text}: {error}");
    }
}

#[test]
fn p05_what_cannot_be_read() {
    for text in [
        "",
        "m",
        "one month",
        "1x",
        "1m1",
        "1,5m",
        "1e3m",
        "--1m",
        "None",
        "1..5m",
        "P1M",
    ] {
        let error = refusal(parse_retain(text));
        assert!(error.contains("such as 12m or 1y"), "{text}: {error}");
    }
}

#[test]
fn p05_terms_and_stored_terms_keep_the_same_rules() {
    let stored = |anonymize, retain| Terms::from_stored(anonymize, retain, None, false);
    for refused in [
        stored(Some(0), None),
        stored(Some(-1), None),
        stored(Some(1201), None),
        stored(None, Some(11)),
        stored(None, Some(1201)),
        stored(Some(12), Some(12)),
        stored(Some(24), Some(12)),
        Terms::new(None, Some(months(11)), None, false),
    ] {
        assert!(refusal(refused).contains("the nearest allowed value is"));
    }
    assert!(stored(None, None).unwrap().is_empty());
    assert_eq!(
        stored(Some(1199), Some(1200)).unwrap(),
        Terms::new(Some(months(1199)), Some(Months::MAX), None, false).unwrap()
    );
}

#[test]
fn p06_what_is_accepted() {
    assert_eq!(parse_anonymize("1m"), Ok(Some(months(1))));
    assert_eq!(parse_retain("12m"), Ok(Some(months(12))));
    assert_eq!(parse_retain("1y"), parse_retain("12m"));
    assert_eq!(parse_retain("100y"), Ok(Some(Months::MAX)));
    assert_eq!(parse_anonymize("none"), Ok(None));
    assert_eq!(parse_retain("none"), Ok(None));
    let terms = Terms::new(Some(months(11)), Some(months(12)), None, false).unwrap();
    assert!(!terms.is_empty());
}

#[test]
fn p07_a_quarantine_longer_than_the_guaranteed_age_is_refused() {
    for (number, guaranteed) in [(1, 28), (2, 59), (3, 89), (12, 365), (1200, 36_524)] {
        let with = |days, accept| Terms::new(Some(months(number)), None, Some(days), accept);
        let terms = with(guaranteed, false).unwrap();
        assert!(!terms.long_quarantine_accepted);
        if guaranteed == QUARANTINE_DAYS_MAX {
            continue;
        }
        let error = refusal(with(guaranteed + 1, false));
        assert!(error.contains(&format!("the {guaranteed} days")), "{error}");
        assert!(error.contains("--accept-long-quarantine"), "{error}");
        assert!(with(guaranteed + 1, true).unwrap().long_quarantine_accepted);
    }
}

#[test]
fn p07_acceptance_is_recorded_only_where_it_was_needed() {
    let accepted = |anonymize, days| {
        Terms::new(anonymize, None, days, true)
            .unwrap()
            .long_quarantine_accepted
    };
    assert!(accepted(Some(months(1)), Some(29)));
    assert!(!accepted(Some(months(1)), Some(28)));
    assert!(!accepted(Some(months(1)), None));
    assert!(!accepted(None, Some(400)));
}

#[test]
fn p07_a_stored_long_quarantine_needs_its_acceptance() {
    assert!(Terms::from_stored(Some(1), None, Some(29), true).is_ok());
    assert!(Terms::from_stored(Some(1), None, Some(29), false).is_err());
    assert!(Terms::from_stored(Some(1), None, Some(0), false).is_err());
    assert!(Terms::from_stored(Some(1), None, Some(-1), true).is_err());
    assert!(Terms::from_stored(None, None, Some(i32::MAX), true).is_err());
}

#[test]
fn p07_quarantine_is_whole_days_only() {
    assert_eq!(parse_quarantine("28d"), Ok(Some(28)));
    assert_eq!(parse_quarantine("none"), Ok(None));
    for (text, nearest) in [
        ("4w", "28d"),
        ("1m", "30d"),
        ("1.5d", "2d"),
        ("0d", "1d"),
        ("-3d", "1d"),
        ("36525d", "36524d"),
        ("99999999999d", "36524d"),
    ] {
        let error = refusal(parse_quarantine(text));
        assert!(error.contains(text), "{text}: {error}");
        let ending = format!("the nearest allowed value is {nearest}");
        assert!(error.ends_with(&ending), "{text}: {error}");
    }
    assert_eq!(
        refusal(parse_quarantine("28")),
        "quarantine `28` cannot be read: write a whole number of days, such as 28d, or `none`"
    );
}

#[test]
fn p09_the_highest_version_that_is_effective_rules() {
    let brussels = crate::tzdata::zone_for_tests("Europe/Brussels");
    let due = |month: &str| {
        due_instant(
            month.parse::<Period>().unwrap(),
            &brussels,
            ScheduleHour::default(),
        )
    };
    let number_at =
        |versions: &[Version], instant| version_at(versions, instant).map(|version| version.number);
    // Set on 10 April: first acts on 1 May.
    let set_in_april = [version(1, "2024-04-10T08:00:00Z")];
    assert_eq!(number_at(&set_in_april, due("2024-04")), None);
    assert_eq!(number_at(&set_in_april, due("2024-05")), Some(1));
    // Effective from the due instant on includes it.
    let on_the_instant = [version(1, "2024-03-31T22:00:00Z")];
    assert_eq!(number_at(&on_the_instant, due("2024-04")), Some(1));
    // Dated back before its predecessor: the higher number rules, in whatever order they come.
    let dated_back = [
        version(2, "2024-01-01T00:00:00Z"),
        version(1, "2024-02-01T00:00:00Z"),
    ];
    assert_eq!(number_at(&dated_back, due("2024-04")), Some(2));
    // A later version that is not effective yet does not.
    let planned = [
        version(1, "2024-02-01T00:00:00Z"),
        version(2, "2024-06-10T00:00:00Z"),
    ];
    assert_eq!(number_at(&planned, due("2024-06")), Some(1));
    assert_eq!(number_at(&planned, due("2024-07")), Some(2));
    assert_eq!(number_at(&[], due("2024-04")), None);
}

proptest! {
    #[test]
    fn p05_no_text_panics_and_what_is_accepted_is_allowed(text in "-?[0-9.]{0,6} ?[a-z]{0,2}|\\PC*") {
        if let Ok(Some(anonymize_after)) = parse_anonymize(&text) {
            prop_assert!(Terms::new(Some(anonymize_after), None, None, false).is_ok());
        }
        if let Ok(Some(retain)) = parse_retain(&text) {
            prop_assert!(Terms::new(None, Some(retain), None, false).is_ok());
        }
        if let Ok(Some(days)) = parse_quarantine(&text) {
            prop_assert!(Terms::new(None, None, Some(days), false).is_ok());
        }
    }

    #[test]
    fn p06_every_whole_number_within_the_limits_is_accepted(number in 1..=1200_i64) {
        prop_assert_eq!(parse_anonymize(&format!("{number}m")), Ok(Some(months(number))));
        prop_assert_eq!(parse_retain(&format!("{number}m")).is_ok(), number >= 12);
    }
}
