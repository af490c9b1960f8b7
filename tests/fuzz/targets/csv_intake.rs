//! An upload (E8): any bytes. Every row is accepted or rejected with a reason, and none is lost.
//!
//! Counted by bytes rather than by rows, because only the parser knows what a row is: the rows'
//! own bytes, one after the other, are the file, but for its byte-order mark and the ends of lines. That finds a row that
//! was lost as well as one that came in twice.
#![no_main]

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use retentiond::domain::suppression::{Keyring, MasterKey, TenantHasher};
use retentiond::domain::zone::Zone;
use retentiond::ids::TenantId;
use retentiond::intake::mapping::{Mapping, MappingOptions, Target};
use retentiond::intake::reader::{Records, Source};
use retentiond::intake::record::Rules;
use retentiond::intake::row_filter::{RowOutcome, next_fate};
use retentiond::tzdata::Snapshot;
use tempfile::NamedTempFile;

/// Written anew for each input.
static FILE: LazyLock<Mutex<NamedTempFile>> =
    LazyLock::new(|| Mutex::new(NamedTempFile::new().expect("a temporary file")));

static BRUSSELS: LazyLock<Zone> =
    LazyLock::new(|| Snapshot::bundled().zone("Europe/Brussels").expect("a zone"));

static HASHER: LazyLock<TenantHasher> = LazyLock::new(|| {
    let key = MasterKey::new(vec![7; 32].into()).expect("long enough");
    let id = "k1".parse().expect("an id");
    Keyring::new((id, key), Vec::new())
        .expect("a keyring")
        .for_tenant(TenantId(1))
});

fuzz_target!(|bytes: &[u8]| {
    let mut file = FILE.lock().expect("one thread");
    file.as_file().set_len(0).expect("emptied");
    file.seek(SeekFrom::Start(0)).expect("at its start");
    file.write_all(bytes).expect("written");
    judge(file.path(), bytes);
});

fn judge(path: &Path, bytes: &[u8]) {
    let source = Source::new(path);
    let Ok(content) = source.content(&HASHER) else {
        assert!(bytes.is_empty(), "only an empty file has no content");
        return;
    };
    let mut records = source.records(&HASHER).expect("a readable file");
    let Some(header) = records.next().expect("no record of these is too long") else {
        return;
    };
    let names: Vec<&[u8]> = header.iter().collect();
    // The example's column for times, if the file has it.
    let options = MappingOptions {
        added_at_column: names
            .contains(&b"when".as_slice())
            .then(|| "when".to_owned()),
        ..MappingOptions::default()
    };
    let Ok(mapping) = Mapping::of(&names, &options) else {
        return;
    };
    let rows = sift(&mut records, &mapping);
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    assert!(
        rows == without_line_ends(bytes),
        "bytes were lost, or came in twice"
    );
    assert!(
        records.macs() == content.macs,
        "the file is not what it was"
    );
}

/// The bytes of all rows, the header first.
fn sift(records: &mut Records, mapping: &Mapping) -> Vec<u8> {
    let now: DateTime<Utc> = "2024-03-01T00:00:00Z".parse().expect("a time");
    let rules = Rules {
        mapping,
        accepted_at: now,
        zone: &BRUSSELS,
        now,
        strict_email: false,
    };
    let header = records.raw().expect("a readable file");
    let mut seen = without_line_ends(&header.bytes);
    let mut line = header.line;
    while let Some(fate) = next_fate(records, &rules).expect("no record of these is too long") {
        let raw = match fate {
            RowOutcome::Accepted { row, spans_lines } => {
                assert!(
                    row.fields.iter().any(Option::is_some),
                    "accepted without a field"
                );
                assert!(row.added_at <= now, "accepted from the future");
                let is_metadata =
                    |place: &usize| mapping.targets.get(*place) == Some(&Target::Metadata);
                assert!(row.metadata.iter().all(|(place, _)| is_metadata(place)));
                let raw = records.raw().expect("a readable file");
                assert_eq!(spans_lines, raw.bytes.contains(&b'\n'), "on how many lines");
                raw
            }
            RowOutcome::Rejected { raw, reason } => {
                assert!(!reason.is_empty(), "rejected without a reason");
                raw
            }
        };
        assert!(raw.line >= line, "rows came out of their order");
        line = raw.line;
        seen.extend(without_line_ends(&raw.bytes));
    }
    seen
}

fn without_line_ends(bytes: &[u8]) -> Vec<u8> {
    let is_kept = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    bytes.iter().copied().filter(is_kept).collect()
}
