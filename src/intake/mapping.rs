//! Which column of an upload is which. Pure.

use std::collections::HashMap;

use super::IntakeError;
use super::folding::fold;

/// Longest name of a metadata column, in characters.
pub(super) const METADATA_KEY_CHARS_MAX: usize = 255;

/// PostgreSQL stores no NUL in text, so no database gets one.
pub(super) fn contains_nul(text: &str) -> bool {
    text.contains('\0')
}

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
    /// Columns that are metadata, whatever they are called.
    pub metadata: Vec<String>,
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
    /// Which columns `--metadata` names.
    confirmed: Vec<bool>,
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
    /// exactly like a field is that field. One that is named almost so is refused, because metadata
    /// outlives anonymization.
    ///
    /// # Errors
    ///
    /// A sentence for people, when the header is not one, or `options` does not fit it.
    pub fn of(header: &[&[u8]], options: &MappingOptions) -> Result<Self, IntakeError> {
        let columns = names(header)?;
        let left_out = left_out(&columns, options);
        check_duplicates(&columns, left_out)?;
        let mut targets = vec![Target::Metadata; columns.len()];
        targets[..left_out].fill(Target::LeftOut);
        let confirmed = vec![false; columns.len()];
        let mut mapping = Self {
            columns,
            targets,
            confirmed,
        };
        mapping.apply(options)?;
        mapping.take_fields();
        mapping.refuse_almost_fields(options)?;
        mapping.check()?;
        Ok(mapping)
    }

    /// What the command line says.
    fn apply(&mut self, options: &MappingOptions) -> Result<(), IntakeError> {
        for (field, column) in &options.map {
            let position = self.find("--map", column)?;
            if let Target::Field(other) = self.targets[position] {
                return Err(usage(format!(
                    "--map gives column {} to both {} and {field}",
                    position + 1,
                    FIELDS[other]
                )));
            }
            let field = FIELDS.iter().position(|known| known == field);
            self.targets[position] = Target::Field(field.unwrap_or_default());
        }
        if let Some(column) = &options.added_at_column {
            let position = self.find("--added-at-column", column)?;
            if matches!(self.targets[position], Target::Field(_)) {
                return Err(usage(format!(
                    "the column {column:?} cannot be both --added-at-column and a field"
                )));
            }
            self.targets[position] = Target::AddedAt;
        }
        for column in &options.metadata {
            let position = self.find("--metadata", column)?;
            if self.targets[position] != Target::Metadata {
                return Err(usage(format!(
                    "the column {column:?} cannot be both --metadata and something else"
                )));
            }
            self.confirmed[position] = true;
        }
        Ok(())
    }

    /// Columns that are named exactly like a field which nothing was mapped to.
    fn take_fields(&mut self) {
        for (place, field) in FIELDS.iter().enumerate() {
            let mapped = self.targets.contains(&Target::Field(place));
            if let Some(position) = self.columns.iter().position(|name| name == field)
                && !mapped
                && self.targets[position] == Target::Metadata
                && !self.confirmed[position]
            {
                self.targets[position] = Target::Field(place);
            }
        }
    }

    /// Columns that are named almost like a field, unless the command line says what is what: by
    /// `--map`, which column is the field; by `--metadata`, that this one is none.
    fn refuse_almost_fields(&self, options: &MappingOptions) -> Result<(), IntakeError> {
        for (position, name) in self.metadata() {
            let Some(field) = FIELDS.iter().find(|field| fold(name) == fold(field)) else {
                continue;
            };
            let said = options.map.iter().any(|(mapped, _)| mapped == field);
            if said || self.confirmed[position] {
                continue;
            }
            return Err(usage(format!(
                "column {} of the header, {name:?}, is almost the field {field}; say which is meant: \
                 --map {field}=HEADER, or --metadata HEADER to keep it as metadata (spaces, case and \
                 invisible characters of HEADER do not matter)",
                position + 1
            )));
        }
        Ok(())
    }

    /// The column that an option names: by its exact name, or else the only one whose name differs
    /// from it in nothing that people see or mean.
    fn find(&self, option: &str, column: &str) -> Result<usize, IntakeError> {
        if let Some(position) = self.columns.iter().position(|name| name == column) {
            return Ok(position);
        }
        let folded = fold(column);
        let mut alike = self.columns.iter().enumerate().filter(|(position, name)| {
            let kept = self.targets[*position] != Target::LeftOut;
            kept && !folded.is_empty() && fold(name) == folded
        });
        match (alike.next(), alike.next()) {
            (Some((position, _)), None) => Ok(position),
            (Some((first, _)), Some((second, _))) => Err(usage(format!(
                "{option} {column:?} fits columns {} and {} of the header alike; give them names that \
                 differ",
                first + 1,
                second + 1
            ))),
            (None, _) => Err(missing(option, column)),
        }
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

    /// Whether `--metadata` names this column.
    pub(super) fn is_confirmed(&self, position: usize) -> bool {
        self.confirmed[position]
    }

    /// Pairs of metadata columns whose names differ in nothing that people see or mean.
    pub(super) fn alike(&self) -> Vec<(&str, &str)> {
        let mut seen: HashMap<String, &str> = HashMap::new();
        let mut pairs = Vec::new();
        for (_, name) in self.metadata() {
            let folded = fold(name);
            if folded.is_empty() {
                continue;
            }
            if let Some(first) = seen.get(&folded) {
                pairs.push((*first, name));
            } else {
                seen.insert(folded, name);
            }
        }
        pairs
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

/// The names of the columns, as text.
fn names(header: &[&[u8]]) -> Result<Vec<String>, IntakeError> {
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
    Ok(columns)
}

fn check_duplicates(columns: &[String], left_out: usize) -> Result<(), IntakeError> {
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
    Ok(())
}

/// Whether a name is a field's, or differs from one in nothing that people see or mean.
pub(super) fn is_almost_field(name: &str) -> bool {
    let folded = fold(name);
    FIELDS.iter().any(|field| fold(field) == folded)
}

/// How many columns to leave out: a file that begins like a rejects file is a corrected one. Rejects
/// of such a file begin so twice.
fn left_out(columns: &[String], options: &MappingOptions) -> usize {
    let wanted = |name: &str| {
        options.map.iter().any(|(_, column)| column == name)
            || options.added_at_column.as_deref() == Some(name)
            || options.metadata.iter().any(|column| column == name)
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
mod tests;
