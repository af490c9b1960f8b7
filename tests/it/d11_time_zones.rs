//! D11: where local days begin, compared with Python's zoneinfo on the same time-zone data.
//!
//! `RETENTIOND_TEST_PYTHON` names a Python that has `tests/oracle/requirements.txt` installed; the
//! command that runs all tests sees to it. Without it this fails: an oracle that nobody asked proves
//! nothing.

use std::io::Write;
use std::process::{Command, Stdio};

use chrono::{DateTime, Datelike, NaiveDate};
use retentiond::domain::period::Zone;

/// Month starts from 1990-01 to 2060-12.
const MONTH_STARTS: usize = 71 * 12;
const DIFFERENCES_SHOWN_MAX: usize = 20;

#[test]
fn d11_every_zone_and_month_start_agrees_with_zoneinfo() {
    let names: Vec<&str> = chrono_tz::TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .collect();
    let output = ask_oracle(&names);
    let mut lines = output.lines();

    let release = lines.next().expect("the oracle begins with its release");
    assert_eq!(
        release,
        chrono_tz::IANA_TZDB_VERSION,
        "the oracle's time-zone data (left) is of another release than chrono-tz's (right): pin that \
         release of tzdata in tests/oracle/requirements.txt"
    );

    let mut differences = Vec::new();
    let mut compared = 0;
    for name in &names {
        let zone: Zone = name.parse().expect("a zone that chrono-tz lists");
        let mut date = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a valid date");
        for _ in 0..MONTH_STARTS {
            let line = lines.next().expect("a line for every zone and month start");
            let seconds = line
                .strip_prefix(&format!("{name},{date},"))
                .unwrap_or_else(|| panic!("expected {name} at {date}, and read: {line}"))
                .parse()
                .expect("whole seconds");
            let expected = DateTime::from_timestamp(seconds, 0).expect("a valid time");
            let ours = zone.first_instant_of(date);
            if ours != expected {
                differences.push(format!("{name} {date}: ours {ours}, zoneinfo {expected}"));
            }
            compared += 1;
            date = date
                .checked_add_months(chrono::Months::new(1))
                .expect("a valid date");
        }
        assert_eq!((date.year(), date.month()), (2061, 1));
    }
    assert_eq!(lines.next(), None, "the oracle says more than was asked");
    assert_eq!(compared, names.len() * MONTH_STARTS);
    assert!(
        names.len() > 500,
        "only {} zones were compared",
        names.len()
    );
    assert!(
        differences.is_empty(),
        "{} of {compared} differ, the first being\n{}",
        differences.len(),
        differences[..differences.len().min(DIFFERENCES_SHOWN_MAX)].join("\n")
    );
}

/// What `tests/oracle/time_zones.py` says about the zones `names`.
fn ask_oracle(names: &[&str]) -> String {
    let python = std::env::var_os("RETENTIOND_TEST_PYTHON").expect(
        "RETENTIOND_TEST_PYTHON is not set: it must name a Python 3.9 or later that has \
         tests/oracle/requirements.txt installed",
    );
    let mut oracle = Command::new(&python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/time_zones.py"
        ))
        // The tzdata package only; the system's files may be of another release.
        .env("PYTHONTZPATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "RETENTIOND_TEST_PYTHON, {}, does not start: {error}",
                python.display()
            )
        });
    // It reads everything before it writes anything, so neither waits for the other. If it ended
    // early, its exit status below says more than the broken pipe.
    let mut stdin = oracle.stdin.take().expect("stdin is piped");
    let _ = stdin.write_all(names.join("\n").as_bytes());
    drop(stdin);
    let output = oracle
        .wait_with_output()
        .expect("the oracle can be waited for");
    assert!(
        output.status.success(),
        "the oracle failed ({}); its message stands above",
        output.status
    );
    String::from_utf8(output.stdout).expect("the oracle writes UTF-8")
}
