//! Rows that are lines of a report rather than people: the header once more, where files were joined,
//! and totals below a table. Pure.
//!
//! They come in like any other row, since nobody can be sure; but the import warns of them by their
//! lines.

use std::collections::HashSet;

use csv::ByteRecord;

use super::folding::fold;
use super::mapping::{FIELDS, Mapping, Target};

/// What a row is instead of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPerson {
    /// A header.
    Header,
    /// A total, a count of rows, a ruler.
    Summary,
}

/// Words with which a line of totals begins, folded.
const TOTALS: &str = "\
    total totals totaal totalen gesamt gesamtsumme summe insgesamt somme suma sum soma somma totale \
    totali razem ogolem subtotal subtotaal zwischensumme soustotal grandtotal count rowcount \
    recordcount anzahl aantal cantidad conteggio contagem liczba eof";

/// What such a line counts.
const COUNTED: &str = "\
    row rows record records line lines entry entries item items result results people person \
    participant participants contact contacts recipient recipients customer customers affected selected \
    found in set of \
    rij rijen regels deelnemers klanten zeile zeilen datensatze teilnehmer kunden ligne lignes \
    personnes clients fila filas registros personas clientes riga righe persone linhas pessoas wiersz \
    wierszy wiersze osob";

/// Finds such rows of one file.
pub(super) struct Finder<'a> {
    mapping: &'a Mapping,
    headings: HashSet<String>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(mapping: &'a Mapping) -> Self {
        let columns = mapping.columns.iter().map(String::as_str);
        let headings = columns.chain(FIELDS).map(fold);
        Self {
            mapping,
            headings: headings.filter(|heading| !heading.is_empty()).collect(),
        }
    }

    /// What the row is, unless it may be a person.
    pub(super) fn see(&self, record: &ByteRecord) -> Option<NoPerson> {
        let kept = record.iter().zip(&self.mapping.targets);
        let mut values = kept
            .filter(|(value, target)| !value.is_empty() && **target != Target::LeftOut)
            .filter_map(|(value, _)| std::str::from_utf8(value).ok());
        let first = values.next()?;
        // Most rows end here.
        if self.is_heading(first) {
            return values
                .all(|value| self.is_heading(value))
                .then_some(NoPerson::Header);
        }
        let summary = is_summary(first) && values.all(|value| is_counted(value) || is_ruler(value));
        summary.then_some(NoPerson::Summary)
    }

    fn is_heading(&self, value: &str) -> bool {
        value.len() < 1_024 && self.headings.contains(&fold(value))
    }
}

/// `Total: 2`, `(2 rows)`, `-----`.
fn is_summary(value: &str) -> bool {
    if value.len() > 100 || value.contains('@') {
        return false;
    }
    if is_ruler(value) {
        return true;
    }
    let mut words = words(value);
    let Some(first) = words.next() else {
        return false;
    };
    if first.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number alone may be a customer's; one with what it counts is a count.
        return words.clone().count() > 0 && words.all(|word| is_count_word(&word));
    }
    let grand = matches!(
        first.as_str(),
        "grand" | "sub" | "sous" | "row" | "record" | "end"
    );
    let total = if grand {
        words.next().unwrap_or_default()
    } else {
        first
    };
    let ends = grand && matches!(total.as_str(), "of" | "file");
    (ends || holds(TOTALS, &total)) && words.all(|word| is_count_word(&word))
}

/// A number, or words that say what is counted.
fn is_counted(value: &str) -> bool {
    !value.contains('@') && words(value).all(|word| is_count_word(&word))
}

fn is_count_word(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
        || holds(COUNTED, word)
        || holds(TOTALS, word)
        || matches!(word, "file" | "number" | "de" | "des")
}

/// A line drawn with signs: `-----`, `=====`, `+----+`.
fn is_ruler(value: &str) -> bool {
    let value = value.trim();
    value.len() >= 3
        && value
            .chars()
            .all(|c| "-=_+*#~|.\u{2500}\u{2014}".contains(c))
}

fn words(value: &str) -> impl Iterator<Item = String> + Clone + '_ {
    let parts = value.split(|c: char| !c.is_alphanumeric());
    parts.map(fold).filter(|word| !word.is_empty())
}

fn holds(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::super::mapping::MappingOptions;
    use super::*;

    fn see(row: &[&str]) -> Option<NoPerson> {
        let header: Vec<&[u8]> = vec![b"email", b"first_name", b"Team"];
        let mapping = Mapping::of(&header, &MappingOptions::default()).expect("a good header");
        Finder::new(&mapping).see(&ByteRecord::from(row.to_vec()))
    }

    #[test]
    fn e17_a_header_once_more_is_seen() {
        for row in [
            ["email", "first_name", "Team"],
            ["Email", " First Name", "team"],
            ["\u{FEFF}email", "first_name", "Team"],
            ["first_name", "email", "phone"],
            ["email", "", ""],
        ] {
            assert_eq!(see(&row), Some(NoPerson::Header), "{row:?}");
        }
    }

    #[test]
    fn e17_totals_and_rulers_are_seen() {
        for row in [
            ["Total: 2", "", ""],
            ["Total", "2", ""],
            ["", "TOTAL", "2"],
            ["Totaal: 2", "", ""],
            ["Gesamt", "2", ""],
            ["Grand total", "", "1.250"],
            ["Sub-total = 2", "", ""],
            ["(2 rows)", "", ""],
            ["2 rows in set", "", ""],
            ["Total number of participants: 2", "", ""],
            ["Row count: 2", "", ""],
            ["-----", "-----", "----"],
            ["End of file", "", ""],
            ["EOF", "", ""],
        ] {
            assert_eq!(see(&row), Some(NoPerson::Summary), "{row:?}");
        }
    }

    #[test]
    fn e17_people_are_not() {
        for row in [
            ["ann@example.be", "Ann", "Team"],
            ["total@example.be", "Total", ""],
            ["", "Sum", "Li"],
            ["", "Total Energies", ""],
            ["", "Phone", "Sales"],
            ["", "End", "Of"],
            ["", "12345", ""],
            ["Total: 2", "Ann", ""],
            ["-", "-", "-"],
            ["", "", ""],
        ] {
            assert_eq!(see(&row), None, "{row:?}");
        }
    }
}
