//! Data on stdout: tables for people, one JSON document for programs.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{ContentArrangement, presets};
use serde::Serialize;

use super::exit::Failure;
use super::printable::printable;

/// Form of the data on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One document with stable keys, times in UTC by RFC 3339.
    Json,
}

/// Writes text to stdout. A reader that has gone away (`| head`) is no failure.
///
/// # Errors
///
/// When stdout cannot be written to.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
            format_args!("cannot write to standard output: {}", error.kind()),
        )),
        _ => Ok(()),
    }
}

/// Writes a line to stdout.
///
/// # Errors
///
/// As [`print`].
pub fn print_line(line: &str) -> Result<(), Failure> {
    print(&format!("{line}\n"))
}

/// Writes one JSON document to stdout.
///
/// # Errors
///
/// As [`print`].
pub fn print_json<T: Serialize>(document: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|_| Failure::failed("the result cannot be written as JSON"))?;
    print_line(&text)
}

/// A table for people. Each cell is one line, whatever it holds.
pub struct Table(comfy_table::Table);

impl Table {
    /// Adds a row.
    pub fn add_row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.0
            .add_row(cells.into_iter().map(|cell| printable(cell.as_ref())));
    }
}

/// An empty table with these headings, in this house's style.
#[must_use]
pub fn table(headings: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    Table(table)
}

/// A table as text, without spaces at the ends of lines.
#[must_use]
pub fn table_text(table: &Table) -> String {
    table
        .0
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Names and values below each other. Each value is one line, whatever it holds.
#[must_use]
pub fn facts(facts: &[(&str, String)]) -> String {
    facts
        .iter()
        .map(|(name, value)| format!("{name:<19}{}\n", printable(value)))
        .collect()
}

/// An instant for people and programs: UTC, RFC 3339, no needless zeros.
#[must_use]
pub fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// An instant, or a dash.
#[must_use]
pub fn instant_or_dash(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), instant)
}

/// A line for people on stderr, whatever it holds.
pub(super) fn say(line: &str) {
    // Nothing more can be done if stderr is gone.
    let _ = writeln!(crate::telemetry::stderr::Stderr, "{}", printable(line));
}
