//! E8: may this record come in? Pure.

use std::fmt::{self, Debug};

use chrono::{DateTime, Utc};
use csv::ByteRecord;

use crate::domain::address::read_bare;
use crate::domain::period::Zone;

use super::mapping::{EMAIL, FIELDS, Mapping, Target, contains_nul};
use super::pii_heuristic::PiiHeuristic;
use super::times::{TimeError, read_time};

/// Longest values, in characters, in the order of [`FIELDS`]; those of the table's columns.
pub(super) const FIELD_CHARS_MAX: [usize; 5] = [255, 255, 320, 64, 255];

/// Longest metadata value, in characters.
pub(super) const METADATA_VALUE_CHARS_MAX: usize = 4096;

/// An accepted row.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// When the participant was added.
    pub added_at: DateTime<Utc>,
    /// The five personal fields; empty ones are `None`.
    pub fields: [Option<String>; FIELDS.len()],
    /// Place of the column, and value; no empty ones.
    pub metadata: Vec<(usize, String)>,
}

impl Debug for Row {
    /// E10: never a value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Row([redacted])")
    }
}

/// What a record is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The header.
    pub mapping: &'a Mapping,
    /// `added_at` of rows that have none of their own.
    pub accepted_at: DateTime<Utc>,
    /// The tenant's.
    pub zone: &'a Zone,
    /// Nothing is later.
    pub now: DateTime<Utc>,
    /// U12: whether an e-mail value must be one bare address.
    pub strict_email: bool,
}

impl Rules<'_> {
    /// The row that a record stands for, or the reason why it goes to the rejects file. Reasons name
    /// columns, never values.
    pub(super) fn judge(&self, record: &ByteRecord) -> Result<Row, String> {
        let columns = &self.mapping.columns;
        if record.len() != columns.len() {
            return Err(format!(
                "wrong number of fields: {} instead of {}",
                record.len(),
                columns.len()
            ));
        }
        let mut row = Row {
            added_at: self.accepted_at,
            fields: Default::default(),
            metadata: Vec::new(),
        };
        for (position, (bytes, target)) in record.iter().zip(&self.mapping.targets).enumerate() {
            let name = &columns[position];
            let text =
                std::str::from_utf8(bytes).map_err(|_| format!("{name} is not valid UTF-8"))?;
            if contains_nul(text) {
                return Err(format!("{name} holds a NUL character"));
            }
            match target {
                Target::Field(field) => {
                    check_length(text, name, FIELD_CHARS_MAX[*field])?;
                    if self.strict_email
                        && *field == EMAIL
                        && !text.is_empty()
                        && let Err(kind) = read_bare(text)
                    {
                        return Err(format!("{name} is not one bare address: it holds {kind}"));
                    }
                    row.fields[*field] = (!text.is_empty()).then(|| text.to_owned());
                }
                Target::LeftOut => {}
                Target::AddedAt => {
                    row.added_at =
                        read_time(text, self.zone, self.now).map_err(|error| match error {
                            TimeError::Unreadable => format!("{name} is unreadable as a time"),
                            TimeError::TooOld => format!("{name} is before 1990, and no real date"),
                            TimeError::Future => format!("{name} is in the future"),
                        })?;
                }
                Target::Metadata => {
                    check_length(text, name, METADATA_VALUE_CHARS_MAX)?;
                    if !text.is_empty() {
                        row.metadata.push((position, text.to_owned()));
                    }
                }
            }
        }
        if row.fields.iter().all(Option::is_none) {
            return Err("all five personal fields are empty".to_owned());
        }
        Ok(row)
    }
}

/// What an allocation takes beyond what it is for, roughly.
const ALLOCATION_BYTES: usize = 16;

impl Row {
    /// Memory that the row takes, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        let fields = self.fields.iter().flatten();
        let fields = fields.map(|value| value.capacity() + ALLOCATION_BYTES);
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(_, value)| value.capacity() + ALLOCATION_BYTES);
        let places = self.metadata.capacity() * size_of::<(usize, String)>();
        size_of::<Self>() + ALLOCATION_BYTES + places + fields.chain(metadata).sum::<usize>()
    }

    /// Whether there is something like an e-mail address in its field.
    pub(super) fn has_address(&self) -> bool {
        let email = self.fields[EMAIL].as_deref();
        email.is_some_and(|email| email.contains('@'))
    }

    /// Notes what the metadata looks like; `looks` has a place for every column.
    pub(super) fn look(&self, looks: &mut [PiiHeuristic]) {
        for (position, value) in &self.metadata {
            looks[*position].see(value);
        }
    }
}

fn check_length(text: &str, column: &str, chars_max: usize) -> Result<(), String> {
    // No text has more characters than bytes.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(format!("{column} is longer than {chars_max} characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::mapping::MappingOptions;
    use super::*;

    const HEADER: [&[u8]; 4] = [b"email", b"Team", b"phone", b"when"];

    fn judge(fields: &[&[u8]]) -> Result<Row, String> {
        judge_by(false, fields)
    }

    fn judge_by(strict_email: bool, fields: &[&[u8]]) -> Result<Row, String> {
        let options = MappingOptions {
            added_at_column: Some("when".to_owned()),
            ..MappingOptions::default()
        };
        let mapping = Mapping::of(&HEADER, &options).expect("a good header");
        let rules = Rules {
            mapping: &mapping,
            accepted_at: "2024-01-01T00:00:00Z".parse().expect("a time"),
            zone: Zone::utc(),
            now: "2024-03-01T00:00:00Z".parse().expect("a time"),
            strict_email,
        };
        rules.judge(&ByteRecord::from(fields.to_vec()))
    }

    #[test]
    fn e08_values_are_kept_as_they_are_and_empty_ones_are_not_kept() {
        let row = judge(&[b" a@b ", b"", b"", b"2024-02-29"]).expect("accepted");
        assert_eq!(row.fields[2].as_deref(), Some(" a@b "));
        assert_eq!(row.fields[3], None);
        assert_eq!(row.metadata, []);
        assert_eq!(row.added_at.to_rfc3339(), "2024-02-29T00:00:00+00:00");
        let row = judge(&[b"", b" ", b"0", b"2024-02-29"]).expect("accepted");
        assert_eq!(row.metadata, [(1, " ".to_owned())]);
    }

    #[test]
    fn e08_reasons_name_columns_and_never_values() {
        let day = b"2024-02-29".as_slice();
        let long_phone = "é".repeat(65);
        let long_team = "é".repeat(4097);
        for (fields, reason) in [
            (
                &[b"a@b".as_slice()][..],
                "wrong number of fields: 1 instead of 4",
            ),
            (&[b"", b"x", b"", day], "all five personal fields are empty"),
            (&[b"a@b", b"\xFF", b"", day], "Team is not valid UTF-8"),
            (&[b"a\0@b", b"", b"", day], "email holds a NUL character"),
            (
                &[b"a@b", b"", long_phone.as_bytes(), day],
                "phone is longer than 64 characters",
            ),
            (
                &[b"a@b", long_team.as_bytes(), b"", day],
                "Team is longer than 4096 characters",
            ),
            (&[b"a@b", b"", b"", b"soon"], "when is unreadable as a time"),
            (&[b"a@b", b"", b"", b""], "when is unreadable as a time"),
            (&[b"a@b", b"", b"", b"2024-03-02"], "when is in the future"),
        ] {
            assert_eq!(judge(fields), Err(reason.to_owned()));
        }
        let longest = "é".repeat(64);
        assert!(judge(&[b"", b"", longest.as_bytes(), day]).is_ok());
    }

    #[test]
    fn u12_a_strict_import_rejects_what_is_not_one_bare_address() {
        for (email, reason) in [
            (
                "Ann <a@b>",
                Some(
                    "email is not one bare address: it holds a name beside the address in angle brackets",
                ),
            ),
            (
                "nobody",
                Some("email is not one bare address: it holds no `@`"),
            ),
            ("a@b", None),
            ("", None),
        ] {
            let fields: [&[u8]; 4] = [email.as_bytes(), b"", b"1", b"2024-02-29"];
            assert_eq!(judge_by(true, &fields).err().as_deref(), reason);
            assert!(judge_by(false, &fields).is_ok());
        }
    }
}
