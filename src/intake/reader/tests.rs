use std::io::Write;

use crate::domain::suppression::{Keyring, MasterKey};
use crate::ids::TenantId;

use super::*;

fn hasher() -> TenantHasher {
    let key = MasterKey::new(vec![7; 32].into()).expect("long enough");
    let id = "k1".parse().expect("an id");
    Keyring::new((id, key), Vec::new())
        .expect("a keyring")
        .for_tenant(TenantId(1))
}

fn source(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let source = Source::new(file.path());
    (file, source)
}

/// Line, raw bytes and number of fields of every record.
fn records(bytes: &[u8]) -> Vec<(u64, String, usize)> {
    let (_file, source) = source(bytes);
    let mut records = source.records(&hasher()).expect("opened");
    let mut found = Vec::new();
    while let Some(fields) = records.next().expect("read").map(ByteRecord::len) {
        let raw = records.raw().expect("read again");
        let text = String::from_utf8(raw.bytes).expect("UTF-8");
        found.push((raw.line, text, fields));
    }
    found
}

#[test]
fn e08_lines_are_those_of_the_file_and_bytes_are_kept() {
    let text = "\u{FEFF}\"a\",b\r\n1,\"two\r\nlines\"\r\n\r\n\r\n3, \"4\" \r\n\"5\"x,6,7\n8,9";
    assert_eq!(
        records(text.as_bytes()),
        [
            (1, "\"a\",b".to_owned(), 2),
            (2, "1,\"two\r\nlines\"".to_owned(), 2),
            (6, "3, \"4\" ".to_owned(), 2),
            (7, "\"5\"x,6,7".to_owned(), 3),
            (8, "8,9".to_owned(), 2),
        ]
    );
}

#[test]
fn e09_both_passes_see_the_same_content() {
    let (_file, source) = source(b"a,b\r\n1,2\r\n");
    let content = source.content(&hasher()).expect("read");
    let mut records = source.records(&hasher()).expect("opened");
    while records.next().expect("read").is_some() {}
    assert_eq!(content.bytes, 10);
    assert_eq!(records.macs(), content.macs);
}

#[test]
fn e08_lines_that_were_swallowed_are_read_again_and_the_content_is_the_same() {
    for text in [
        "a,b\r\n1,\"x\r\n\r\n2,y\r\n3,\"z\"\r\n4,w\r\n",
        "a,b\n\"1,x\n2,y\n3,z\n",
    ] {
        let (_file, source) = source(text.as_bytes());
        let mut records = source.records(&hasher()).expect("opened");
        let mut lines = Vec::new();
        while records.next().expect("read").is_some() {
            let mut raw = records.raw().expect("read again");
            if records.quotes().expect("read again").fault.is_some() {
                raw = records.read_again_after_first_line(raw).expect("sought");
            }
            let text = String::from_utf8(raw.bytes).expect("UTF-8");
            lines.push((raw.line, text, records.is_read_again()));
        }
        let expected: Vec<(u64, &str)> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.is_empty())
            .collect();
        let found: Vec<(u64, &str)> = lines.iter().map(|(n, l, _)| (*n, l.as_str())).collect();
        assert_eq!(found, expected);
        assert!(lines[2].2 && !lines[0].2);
        assert_eq!(
            records.macs(),
            source.content(&hasher()).expect("read").macs
        );
    }
}

#[test]
fn e08_a_record_without_end_is_not_read_into_memory() {
    let mut text = b"a,b\n1,2\n\"".to_vec();
    text.resize(3 << 20, b'x');
    let (_file, source) = source(&text);
    let mut records = source.records(&hasher()).expect("opened");
    let sentence = loop {
        match records.next() {
            Ok(record) => assert!(record.is_some(), "the end was reached"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(sentence.contains("starts on line 3 of"), "{sentence}");
    assert!(sentence.ends_with("nothing was stored"), "{sentence}");
}
