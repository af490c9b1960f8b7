//! What the importer is told of rows that came in all the same: how many, and on which lines. Never a
//! value.

use crate::domain::address::{NotBare, read_bare};

use super::IntakeError;
use super::mapping::{EMAIL, FIELDS, Mapping};
use super::no_person::{Finder, NoPerson};
use super::pii_heuristic::PiiHeuristic;
use super::reader::Records;
use super::record::Row;
use super::{headings, mapping};

/// Lines that are named; of more, only the number is told.
pub const LINES_MAX: usize = 10;

/// Rows of one kind: how many, and the lines of the first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted<T> {
    /// How many there are.
    pub rows: u64,
    /// Line, and what is said of it; at most [`LINES_MAX`].
    pub first: Vec<(u64, T)>,
}

impl<T> Default for Noted<T> {
    fn default() -> Self {
        Self {
            rows: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Noted<T> {
    /// Adds the row that was read last.
    fn add(&mut self, what: T, records: &Records) -> Result<(), IntakeError> {
        self.rows += 1;
        if self.first.len() < LINES_MAX {
            self.first.push((records.raw()?.line, what));
        }
        Ok(())
    }
}

/// Why a metadata column looks personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Values that look like e-mail addresses or telephone numbers.
    pub hits: u64,
    /// Values in all.
    pub values: u64,
    /// Whether the column's name says so.
    pub by_name: bool,
}

/// What is noted of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// U12: e-mail values that are not one bare address.
    pub not_bare: Noted<NotBare>,
    /// E17: rows that repeat a header.
    pub headers: Noted<()>,
    /// E17: rows that are totals or rulers.
    pub summaries: Noted<()>,
    /// Stored rows that stand on several lines of the file.
    pub spanning_lines: u64,
    /// Whether the columns were left out that a rejects file begins with.
    pub left_out_columns: bool,
    /// E11: columns that became metadata and look like personal data.
    pub suspicious_columns: Vec<(String, Suspicion)>,
    /// Pairs of metadata columns whose names are almost the same.
    pub alike_columns: Vec<(String, String)>,
}

/// Takes notes while rows come in.
pub(super) struct NoteTaker<'a> {
    mapping: &'a Mapping,
    finder: Finder<'a>,
    looks: Vec<PiiHeuristic>,
    notes: Notes,
}

impl<'a> NoteTaker<'a> {
    pub(super) fn new(mapping: &'a Mapping) -> Self {
        Self {
            mapping,
            finder: Finder::new(mapping),
            looks: vec![PiiHeuristic::default(); mapping.columns.len()],
            notes: Notes {
                left_out_columns: mapping.leaves_out(),
                ..Notes::default()
            },
        }
    }

    /// Looks at an accepted row, the one that was read last.
    pub(super) fn see(
        &mut self,
        row: &Row,
        spans_lines: bool,
        records: &Records,
    ) -> Result<(), IntakeError> {
        self.notes.spanning_lines += u64::from(spans_lines);
        row.look(&mut self.looks);
        if let Some(Err(kind)) = row.fields[EMAIL].as_deref().map(read_bare) {
            self.notes.not_bare.add(kind, records)?;
        }
        match self.finder.see(records.record()) {
            Some(NoPerson::Header) => self.notes.headers.add((), records),
            Some(NoPerson::Summary) => self.notes.summaries.add((), records),
            None => Ok(()),
        }
    }

    pub(super) fn finish(mut self) -> Notes {
        for (position, name) in self.mapping.metadata() {
            let looks = self.looks[position];
            let confirmed = self.mapping.is_confirmed(position);
            let named = headings::is_personal(name) || mapping::is_almost_field(name);
            let suspicion = Suspicion {
                hits: looks.hits(),
                values: looks.values(),
                by_name: named && !confirmed,
            };
            let by_name = suspicion.by_name && (suspicion.values > 0 || FIELDS.contains(&name));
            if looks.personal() || by_name {
                let column = (name.to_owned(), suspicion);
                self.notes.suspicious_columns.push(column);
            }
        }
        let alike = self.mapping.alike().into_iter();
        let alike = alike.map(|(one, other)| (one.to_owned(), other.to_owned()));
        self.notes.alike_columns = alike.collect();
        self.notes
    }
}
