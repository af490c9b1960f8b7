//! What an import warns of. Names of columns, numbers of lines and counts; never a value.

use crate::intake::notes::{LINES_MAX, Noted, Notes, Suspicion};

/// One sentence for each thing that the importer should look at.
pub(super) fn of(notes: &Notes) -> Vec<String> {
    let mut warnings = Vec::new();
    if notes.left_out_columns {
        warnings.push(
            "the file begins with the columns line and reason, like a rejects file; they were left \
             out (give them other names to store them)"
                .to_owned(),
        );
    }
    let spanning = notes.spanning_lines;
    if spanning > 0 {
        let rows = if spanning == 1 {
            "row spans"
        } else {
            "rows span"
        };
        warnings.push(format!(
            "{spanning} accepted {rows} several lines of the file; if no value has line breaks, a \
             quotation mark is missing, and people on those lines were not imported"
        ));
    }
    warnings.extend(not_bare(notes));
    warnings.extend(no_person(
        &notes.headers,
        ("repeats the header", "repeat the header"),
    ));
    warnings.extend(no_person(
        &notes.summaries,
        (
            "looks like a total or a ruler",
            "look like totals or rulers",
        ),
    ));
    let alike = notes.alike_columns.iter();
    warnings.extend(alike.map(|(one, other)| {
        format!(
            "the columns {one:?} and {other:?} have almost the same name; each is a metadata key of \
             its own"
        )
    }));
    let columns = notes.suspicious_columns.iter();
    warnings.extend(columns.map(|(column, suspicion)| suspicious(column, *suspicion)));
    warnings
}

fn not_bare(notes: &Notes) -> Option<String> {
    let noted = &notes.not_bare;
    if noted.rows == 0 {
        return None;
    }
    let first: Vec<String> = noted
        .first
        .iter()
        .map(|(line, kind)| format!("line {line} holds {kind}"))
        .collect();
    let values = if noted.rows == 1 {
        "e-mail value is"
    } else {
        "e-mail values are"
    };
    Some(format!(
        "{} {values} not one bare address, and stored as it stands: {}{} (--strict-email rejects such \
         rows)",
        noted.rows,
        first.join("; "),
        more(noted.rows)
    ))
}

fn no_person(noted: &Noted<()>, (one, several): (&str, &str)) -> Option<String> {
    if noted.rows == 0 {
        return None;
    }
    let lines: Vec<String> = noted
        .first
        .iter()
        .map(|(line, ())| line.to_string())
        .collect();
    let lines = lines.join(", ");
    Some(if noted.rows == 1 {
        format!("line {lines} {one}, and was stored as a participant all the same")
    } else {
        format!(
            "lines {lines}{} {several}, and were stored as participants all the same",
            more(noted.rows)
        )
    })
}

fn more(rows: u64) -> String {
    match rows.saturating_sub(LINES_MAX as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

fn suspicious(column: &str, suspicion: Suspicion) -> String {
    let Suspicion {
        hits,
        values,
        by_name,
    } = suspicion;
    let why = match (hits, by_name) {
        (0, _) => "by its name".to_owned(),
        (_, true) => format!("by its name, and by {hits} of {values} values"),
        (_, false) => format!("by {hits} of {values} values"),
    };
    format!(
        "the column {column:?} looks like personal data ({why}); it was stored as metadata, which \
         anonymization keeps (use --map to make it a field)"
    )
}
