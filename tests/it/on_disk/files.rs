//! Searching files byte by byte for markers, and what was found of whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// Begins a value that a run must erase. Long enough that no random id looks like it.
pub const ERASED: &str = "zqerased";

/// Begins a value that it must keep. They show in the same search that the search finds what is there.
pub const KEPT: &str = "zqkeptby";

/// A marker is shorter than this.
const LENGTH_MAX: usize = 40;

/// A value of a column, of the person with this number: `zqerased-first-00012-`.
pub fn marker(fate: &str, column: &str, number: usize) -> String {
    format!("{fate}-{column}-{number:05}-")
}

/// Whose values of which columns were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    whole: BTreeMap<String, BTreeSet<String>>,
    /// Beginnings of values, of which the rest was overwritten.
    torn: usize,
}

impl Found {
    /// Everything of that fate in these files. A file that cannot be read fails the test: one that was
    /// left out would look like one without a hit.
    pub fn in_files<P: AsRef<Path>>(fate: &str, files: impl IntoIterator<Item = P>) -> Self {
        let mut found = Self::default();
        for file in files {
            let file = file.as_ref();
            let bytes = fs::read(file).unwrap_or_else(|error| {
                panic!("{} cannot be read: {}", file.display(), error.kind())
            });
            found.search(fate, &bytes);
        }
        found
    }

    pub fn in_bytes(fate: &str, bytes: &[u8]) -> Self {
        let mut found = Self::default();
        found.search(fate, bytes);
        found
    }

    pub fn search(&mut self, fate: &str, bytes: &[u8]) {
        let first = fate.as_bytes()[0];
        for (position, byte) in bytes.iter().enumerate() {
            if *byte == first && bytes[position..].starts_with(fate.as_bytes()) {
                let end = bytes.len().min(position + LENGTH_MAX);
                match whole(&bytes[position + fate.len()..end]) {
                    Some((column, number)) => {
                        self.whole.entry(column).or_default().insert(number);
                    }
                    None => self.torn += 1,
                }
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.torn == 0
    }

    /// How many different values there are in all, as far as they are whole.
    pub fn total(&self) -> usize {
        self.whole.values().map(BTreeSet::len).sum()
    }

    /// How many people's value of that column was found.
    pub fn of(&self, column: &str) -> usize {
        self.whole.get(column).map_or(0, BTreeSet::len)
    }
}

/// Column and number of `-first-00012-…`; `None` if part of it was overwritten.
fn whole(rest: &[u8]) -> Option<(String, String)> {
    let mut parts = rest.splitn(4, |byte| *byte == b'-').skip(1);
    let (column, number, _end) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = column.iter().all(u8::is_ascii_lowercase)
        && number.len() == 5
        && number.iter().all(u8::is_ascii_digit);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    is_whole.then(|| (text(column), text(number)))
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} values, {} torn", self.total(), self.torn)?;
        for (column, numbers) in &self.whole {
            write!(formatter, ", {column} {}", numbers.len())?;
        }
        Ok(())
    }
}

#[test]
fn the_search_finds_every_marker_wherever_it_stands() {
    let text = format!(
        "{}\0\0{}x{}zq{}",
        marker(ERASED, "first", 1),
        marker(ERASED, "first", 2),
        marker(KEPT, "first", 3),
        marker(ERASED, "email", 1)
    );
    let found = Found::in_bytes(ERASED, text.as_bytes());
    assert_eq!(
        (found.of("first"), found.of("email"), found.total()),
        (2, 1, 3)
    );
    assert_eq!(Found::in_bytes(KEPT, text.as_bytes()).total(), 1);
    for torn in [
        &b"..zqerased-fi"[..],
        b"zqerased-first-0\xff0",
        b"zqerased",
        b"zqerased-first-00001",
    ] {
        let torn = Found::in_bytes(ERASED, torn);
        assert!(torn.total() == 0 && !torn.is_empty(), "a leak all the same");
    }
    assert!(Found::in_bytes(ERASED, b"zqe zqkeptby-first-00001-").is_empty());
}
