//! Which column of an upload is which. Pure.

use std::collections::HashMap;

use super::IntakeError;
use super::record::{METADATA_KEY_CHARS_MAX, contains_nul};

/// The five personal fields, in the order of the table's columns.
pub const FIELDS: [&str; 5] = ["first_name", "last_name", "email", "phone", "customer_id"];

/// Place of the e-mail address in [`FIELDS`].
pub const EMAIL: usize = 2;

/// What a rejects file begins with.
pub(super) const REJECTS_COLUMNS: [&str; 2] = ["line", "reason"];

/// What the command line says about columns.
#[derive(Clone, Debug, Default)]
pub struct MappingOptions {
    /// Pairs of field and column, as given.
    pub map: Vec<(String, String)>,
    /// The column that holds each row's `added_at`.
    pub added_at_column: Option<String>,
}

/// Where a column's values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A personal field, by its place in [`FIELDS`].
    Field(usize),
    /// The row's `added_at`.
    AddedAt,
    /// Metadata, under the column's name.
    Metadata,
    /// Nowhere: the columns that a rejects file begins with.
    LeftOut,
}

/// A header, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Where each column's values go.
    pub targets: Vec<Target>,
}

impl MappingOptions {
    /// Reads `field=Column`, as `--map` takes it.
    ///
    /// # Errors
    ///
    /// A sentence for people.
    pub fn add(&mut self, text: &str) -> Result<(), IntakeError> {
        let (field, column) = text.split_once('=').ok_or_else(|| {
            usage("--map takes FIELD=COLUMN, for example --map email=EmailAddress".to_owned())
        })?;
        if !FIELDS.contains(&field) {
            return Err(usage(format!(
                "--map {field:?} is no field; the fields are {}",
                FIELDS.join(", ")
            )));
        }
        if self.map.iter().any(|(known, _)| known == field) {
            return Err(usage(format!("--map names the field {field} twice")));
        }
        if let Some((other, _)) = self.map.iter().find(|(_, known)| known == column) {
            return Err(usage(format!(
                "--map gives the column {column:?} to both {other} and {field}"
            )));
        }
        self.map.push((field.to_owned(), column.to_owned()));
        Ok(())
    }
}

impl Mapping {
    /// Decides where each of the header's columns goes. Without `--map`, a column that is named
    /// exactly like a field is that field.
    ///
    /// # Errors
    ///
    /// A sentence for people, when the header is not one, or `options` does not fit it.
    pub fn of(header: &[&[u8]], options: &MappingOptions) -> Result<Self, IntakeError> {
        let mut columns = Vec::with_capacity(header.len());
        for (position, name) in header.iter().enumerate() {
            let name = std::str::from_utf8(name).map_err(|_| {
                usage(format!(
                    "the name of column {} is not UTF-8; save the file as UTF-8",
                    position + 1
                ))
            })?;
            if contains_nul(name) {
                return Err(usage(format!(
                    "the name of column {} holds a NUL character",
                    position + 1
                )));
            }
            columns.push(name.to_owned());
        }
        let left_out = left_out(&columns, options);
        // By their places: in a file without a header, the names are somebody's data.
        let mut seen = HashMap::new();
        for (position, name) in columns.iter().enumerate().skip(left_out) {
            if let Some(first) = seen.insert(name.as_str(), position) {
                return Err(usage(format!(
                    "columns {} and {} of the header have the same name; give every column a name of \
                     its own",
                    first + 1,
                    position + 1
                )));
            }
        }
        let mut targets = vec![Target::Metadata; columns.len()];
        targets[..left_out].fill(Target::LeftOut);
        let find = |column: &str| columns.iter().position(|name| name == column);
        for (field, column) in &options.map {
            let position = find(column).ok_or_else(|| missing("--map", column))?;
            let field = FIELDS.iter().position(|known| known == field);
            targets[position] = Target::Field(field.unwrap_or_default());
        }
        if let Some(column) = &options.added_at_column {
            let position = find(column).ok_or_else(|| missing("--added-at-column", column))?;
            if targets[position] != Target::Metadata {
                return Err(usage(format!(
                    "the column {column:?} cannot be both --added-at-column and a field"
                )));
            }
            targets[position] = Target::AddedAt;
        }
        for (place, field) in FIELDS.iter().enumerate() {
            let mapped = targets.contains(&Target::Field(place));
            if let Some(position) = find(field)
                && !mapped
                && targets[position] == Target::Metadata
            {
                targets[position] = Target::Field(place);
            }
        }
        let mapping = Self { columns, targets };
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), IntakeError> {
        if !self
            .targets
            .iter()
            .any(|target| matches!(target, Target::Field(_)))
        {
            return Err(usage(format!(
                "no column of the file is one of the fields {}; name them with --map, for example \
                 --map email=EmailAddress (columns are separated by commas)",
                FIELDS.join(", ")
            )));
        }
        for (position, name) in self.metadata() {
            if name.is_empty() {
                return Err(usage(format!(
                    "column {} has no name, and metadata needs one; name it in the header",
                    position + 1
                )));
            }
            if name.chars().nth(METADATA_KEY_CHARS_MAX).is_some() {
                return Err(usage(format!(
                    "the name of column {} is longer than {METADATA_KEY_CHARS_MAX} characters",
                    position + 1
                )));
            }
        }
        Ok(())
    }

    /// Whether the file begins like a rejects file, and these columns are not taken.
    pub(super) fn leaves_out(&self) -> bool {
        self.targets.contains(&Target::LeftOut)
    }

    /// Columns that become metadata, with their places.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (usize, &str)> {
        self.columns
            .iter()
            .zip(&self.targets)
            .enumerate()
            .filter(|(_, (_, target))| **target == Target::Metadata)
            .map(|(position, (name, _))| (position, name.as_str()))
    }
}

/// How many columns to leave out: a file that begins like a rejects file is a corrected one. Rejects
/// of such a file begin so twice.
fn left_out(columns: &[String], options: &MappingOptions) -> usize {
    let wanted = |name: &str| {
        options.map.iter().any(|(_, column)| column == name)
            || options.added_at_column.as_deref() == Some(name)
    };
    if REJECTS_COLUMNS.into_iter().any(wanted) {
        return 0;
    }
    let pairs = columns.chunks(REJECTS_COLUMNS.len());
    pairs.take_while(|pair| *pair == REJECTS_COLUMNS).count() * REJECTS_COLUMNS.len()
}

fn missing(option: &str, column: &str) -> IntakeError {
    usage(format!(
        "{option} names the column {column:?}, which the file does not have"
    ))
}

fn usage(sentence: String) -> IntakeError {
    IntakeError::Usage(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(map: &[&str]) -> Result<MappingOptions, IntakeError> {
        let mut options = MappingOptions::default();
        for text in map {
            options.add(text)?;
        }
        Ok(options)
    }

    fn targets(header: &[&str], map: &[&str]) -> Result<Vec<Target>, String> {
        let header: Vec<&[u8]> = header.iter().map(|name| name.as_bytes()).collect();
        options(map)
            .and_then(|options| Mapping::of(&header, &options))
            .map(|mapping| mapping.targets)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_named_like_fields_are_those_fields_unless_mapped() {
        use Target::{Field, Metadata};
        assert_eq!(
            targets(&["email", "Team", "phone"], &[]),
            Ok(vec![Field(2), Metadata, Field(3)])
        );
        assert_eq!(
            targets(&["email", "Mail"], &["email=Mail"]),
            Ok(vec![Metadata, Field(2)])
        );
        assert_eq!(
            targets(&["email", "last_name"], &["customer_id=email"]),
            Ok(vec![Field(4), Field(1)])
        );
        // Names are never folded or trimmed.
        assert_eq!(
            targets(&["Email", " email", "phone"], &[]),
            Ok(vec![Metadata, Metadata, Field(3)])
        );
    }

    #[test]
    fn e08_the_columns_of_a_rejects_file_are_left_out_unless_mapped() {
        use Target::{Field, LeftOut, Metadata};
        assert_eq!(
            targets(&["line", "reason", "email"], &[]),
            Ok(vec![LeftOut, LeftOut, Field(2)])
        );
        assert_eq!(
            targets(&["line", "reason", "line", "reason", "email"], &[]),
            Ok(vec![LeftOut, LeftOut, LeftOut, LeftOut, Field(2)])
        );
        assert_eq!(
            targets(&["line", "reason", "email"], &["customer_id=line"]),
            Ok(vec![Field(4), Metadata, Field(2)])
        );
        for header in [["email", "line", "reason"], ["reason", "line", "email"]] {
            let targets = targets(&header, &[]).expect("taken");
            assert!(!targets.contains(&LeftOut));
        }
    }

    #[test]
    fn e08_headers_that_are_refused() {
        let long = "x".repeat(256);
        for (header, map, part) in [
            (&["email"][..], &["email=Mail"][..], "\"Mail\""),
            (&["email", "a", "a"], &[], "columns 2 and 3"),
            (&["email"], &["mail=email"], "\"mail\" is no field"),
            (&["a"], &["email=a", "phone=a"], "both email and phone"),
            (&["a", "b"], &["email=a", "email=b"], "email twice"),
            (&["a", "b"], &["email"], "FIELD=COLUMN"),
            (&["a", "b"], &[], "no column"),
            (&["email", ""], &[], "column 2 has no name"),
            (&["email", &long], &[], "column 2 is longer"),
            (&["email", "a\0b"], &[], "column 2 holds a NUL"),
        ] {
            let sentence = targets(header, map).expect_err("refused");
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
