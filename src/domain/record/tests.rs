use super::*;
use crate::domain::cutoff::cutoff;
use crate::domain::period::{ScheduleHour, due_instant};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 time")
}

fn period(text: &str) -> Period {
    text.parse().expect("a period")
}

fn months(number: i64) -> Option<Months> {
    Some(Months::try_from(number).expect("months"))
}

const NOW: &str = "2024-04-10T00:00:00Z";
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The record of the example: Brussels, one month, one year.
fn example() -> Record {
    Record {
        period: period("2024-04"),
        state: RunState::Completed,
        due_at: at("2024-03-31T22:00:00Z"),
        version: Named::Version {
            anonymize_after: months(1),
            retain: months(12),
        },
        pinned: Cutoffs {
            anonymize: Some(at("2024-02-29T23:00:00Z")),
            purge: Some(at("2023-03-31T22:00:00Z")),
        },
        attempts: 1,
        started_at: Some(at("2024-03-31T22:00:01Z")),
        finished_at: Some(at("2024-03-31T22:00:09Z")),
    }
}

fn faults(record: Record) -> Vec<Fault> {
    let mut faults: Vec<Fault> = record.pinned_fault().into_iter().collect();
    faults.extend(record.time_faults(at(NOW), SKEW));
    faults
}

#[test]
fn s14_the_record_of_the_example_has_no_fault() {
    assert_eq!(faults(example()), []);
    let unclaimed = Record {
        state: RunState::Pending,
        version: Named::None,
        pinned: Cutoffs::default(),
        attempts: 0,
        started_at: None,
        finished_at: None,
        ..example()
    };
    assert_eq!(faults(unclaimed), []);
}

#[test]
fn s14_forged_versions_and_cutoffs_are_faults_in_every_state() {
    let empty = Named::Version {
        anonymize_after: None,
        retain: None,
    };
    for version in [Named::None, Named::Unknown, empty] {
        let record = Record {
            version,
            ..example()
        };
        assert_eq!(faults(record), [Fault::PolicyVersion], "{version:?}");
    }
    let genuine = example().pinned;
    for (anonymize, purge) in [
        (None, None),
        (genuine.anonymize, None),
        (None, genuine.purge),
        (Some(at("1900-01-01T00:00:00Z")), genuine.purge),
        (genuine.anonymize, Some(at("1900-01-01T00:00:00Z"))),
        (Some(at("2024-03-31T22:00:00Z")), genuine.purge),
        (genuine.anonymize, Some(at("2023-04-30T22:00:00Z"))),
        (genuine.purge, genuine.anonymize),
        // The first instants that are nobody's.
        (Some(at("2024-02-29T08:59:59.999999Z")), genuine.purge),
        (Some(at("2024-03-01T13:00:00.000001Z")), genuine.purge),
    ] {
        for state in [
            RunState::Completed,
            RunState::Pending,
            RunState::Running,
            RunState::Failed,
        ] {
            let record = Record {
                state,
                pinned: Cutoffs { anonymize, purge },
                ..example()
            };
            assert_eq!(record.pinned_fault(), Some(Fault::Cutoffs), "{record:?}");
        }
    }
}

#[test]
fn s14_a_stage_that_the_version_does_not_set_must_have_no_cutoff() {
    let record = Record {
        version: Named::Version {
            anonymize_after: months(1),
            retain: None,
        },
        ..example()
    };
    assert_eq!(record.pinned_fault(), Some(Fault::Cutoffs));
    let right = Record {
        pinned: Cutoffs {
            purge: None,
            ..example().pinned
        },
        ..record
    };
    assert_eq!(right.pinned_fault(), None);
}

#[test]
fn s14_impossible_times_are_faults() {
    let time = |text: &str| Some(at(text));
    for (started_at, finished_at) in [
        (time("1970-01-01T00:00:00Z"), time("2024-03-31T22:00:09Z")),
        (time("2024-03-30T00:00:00Z"), time("2024-03-31T22:00:09Z")),
        (time("2024-03-31T22:00:01Z"), time("2024-03-30T00:00:00Z")),
        (time("2024-04-11T00:00:00Z"), time("2024-04-11T00:00:01Z")),
        (time("2024-03-31T22:00:01Z"), time("2024-04-11T00:00:00Z")),
        (None, time("2024-03-31T22:00:09Z")),
        (time("2024-03-31T22:00:01Z"), None),
        (None, None),
    ] {
        let record = Record {
            started_at,
            finished_at,
            ..example()
        };
        assert_eq!(faults(record), [Fault::Times], "{record:?}");
    }
    let unclaimed = Record {
        attempts: 0,
        ..example()
    };
    assert_eq!(faults(unclaimed), [Fault::Times]);
    for due_at in [
        "1970-01-01T00:00:00Z",
        "2024-03-31T08:59:59Z",
        "2024-04-02T13:00:01Z",
        "2099-01-01T00:00:00Z",
    ] {
        let record = Record {
            due_at: at(due_at),
            ..example()
        };
        assert_eq!(faults(record), [Fault::DueAt], "{due_at}");
    }
}

#[test]
fn s14_a_clock_within_its_limit_is_no_fault() {
    let record = Record {
        started_at: Some(at("2024-04-10T00:04:59Z")),
        finished_at: Some(at("2024-04-10T00:01:00Z")),
        ..example()
    };
    assert_eq!(faults(record), []);
    // Nor is one that was set back while the run was under way, and is right now.
    let set_back = Record {
        started_at: Some(at("2024-04-05T13:00:00Z")),
        finished_at: Some(at("2024-04-05T12:10:00Z")),
        ..example()
    };
    assert_eq!(faults(set_back), []);
    // Whoever allows any difference of the clocks has no limit.
    let any = Record {
        started_at: Some(at("1990-01-01T00:00:00Z")),
        finished_at: Some(at("2090-01-01T00:00:00Z")),
        ..example()
    };
    assert_eq!(any.time_faults(at(NOW), TimeDelta::MAX), []);
}

#[test]
fn s14_what_came_after_an_impossible_start_is_not_late() {
    let genuine = example();
    assert_eq!(genuine.began_at(SKEW), at("2024-03-31T22:00:01Z"));
    let forged = Record {
        started_at: Some(at("1970-01-01T00:00:00Z")),
        ..genuine
    };
    assert_eq!(forged.began_at(SKEW), at("2024-03-31T22:00:00Z"));
    let forged = Record {
        due_at: at("1970-01-01T00:00:00Z"),
        ..forged
    };
    assert_eq!(forged.began_at(SKEW), at("2024-03-31T09:00:00Z"));
}

#[test]
fn s12_a_month_has_come_when_it_is_due_or_due_everywhere() {
    let due = at("2024-03-31T22:00:00Z");
    let come = |now: &str, text: &str, due_at: DateTime<Utc>| {
        MonthsCome::by(at(now)).includes(period(text), due_at)
    };
    assert!(come("2024-03-31T22:00:00Z", "2024-04", due));
    assert!(!come("2024-03-31T21:59:59Z", "2024-04", due));
    // However its record lies about when.
    let long_ago = at("1970-01-01T00:00:00Z");
    let never = at("2099-12-31T00:00:00Z");
    assert!(!come("2024-03-31T08:59:59Z", "2024-04", long_ago));
    assert!(!come("2024-03-31T22:00:00Z", "2099-12", long_ago));
    assert!(!come("2024-04-02T12:59:59Z", "2024-04", never));
    assert!(come("2024-04-02T13:00:00Z", "2024-04", never));
}

#[test]
fn s14_no_zone_lies_outside_of_the_limits() {
    for name in crate::tzdata::names_for_tests() {
        let zone = crate::tzdata::zone_for_tests(name);
        for year in 1915..=2099 {
            for month in 1..=12 {
                let period = Period::new(year, month).expect("a period");
                let (begins, midnight) = (
                    zone.first_instant_of(period.nominal_date()),
                    midnight(period),
                );
                assert!(
                    (midnight - EAST..=midnight + WEST).contains(&begins),
                    "{name} {period}: {begins}"
                );
                let last = ScheduleHour::try_from(23_u8).expect("an hour");
                let due = due_instant(period, &zone, last);
                assert!(due <= midnight + WEST + SCHEDULE, "{name} {period}: {due}");
            }
        }
        let month = Months::try_from(1).expect("months");
        let cutoff = cutoff(period("2024-04"), &zone, month);
        let record = Record {
            version: Named::Version {
                anonymize_after: Some(month),
                retain: None,
            },
            pinned: Cutoffs {
                anonymize: Some(cutoff),
                purge: None,
            },
            ..example()
        };
        assert_eq!(record.pinned_fault(), None, "{name}");
    }
}
