//! `docs/log.md` and the code name the same events, and for each event the same fields.
//!
//! Events are found where they are logged: every call of a `tracing` macro in `src`. An event's name is
//! the literal of its field `event`; where a variable holds it, the literals of the `let` before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Fields by event.
type Reference = BTreeMap<String, BTreeSet<String>>;

const MACROS: [&str; 6] = [
    "error!(",
    "warn!(",
    "info!(",
    "debug!(",
    "trace!(",
    CONDITIONAL,
];

/// Begins with its condition.
const CONDITIONAL: &str = "info_if!(";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Without what only tests see, which stands at the end of a file.
fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod ");
    &text[..tests.unwrap_or(text.len())]
}

/// The text up to the parenthesis that closes the one before it. Strings may hold parentheses.
fn arguments(text: &str) -> &str {
    let (mut depth, mut in_string, mut escaped) = (1, false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' | '[' | '{' if !in_string => depth += 1,
            ')' | ']' | '}' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..position];
        }
    }
    panic!("a macro's call does not end");
}

/// The arguments, split at the commas that are in no parentheses and no string.
fn split(arguments: &str) -> Vec<String> {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    let mut parts = vec![String::new()];
    for character in arguments.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '(' | '[' | '{' if !in_string => depth += 1,
            ')' | ']' | '}' if !in_string => depth -= 1,
            ',' if !in_string && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(character);
    }
    parts
        .iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The names that a `let event = match … { … => "name", … };` before a call may give, or a
/// `let (event, …) = match … { … => ("name", …), … };`.
fn names_of_variable(before: &str) -> Vec<String> {
    let start = before
        .rfind("let (event")
        .max(before.rfind("let event ="))
        .expect("a variable `event` is bound by a let");
    let binding = &before[start..];
    let binding = &binding[..binding.find("};").expect("the let ends")];
    let names: Vec<String> = binding
        .split("=> ")
        .skip(1)
        .map(|arm| arm.trim_start_matches('('))
        .filter_map(|arm| arm.strip_prefix('"'))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(!names.is_empty(), "the let names no event: {binding}");
    names
}

/// The events that one file logs.
fn events_of(text: &str, path: &Path, reference: &mut Reference) {
    let text = without_tests(text);
    for name in MACROS {
        for (position, _) in text.match_indices(name) {
            let is_whole_word = text[..position]
                .chars()
                .next_back()
                .is_none_or(|character| !character.is_alphanumeric() && character != '_');
            if !is_whole_word {
                continue;
            }
            let mut parts = split(arguments(&text[position + name.len()..]));
            if name == CONDITIONAL {
                parts.remove(0);
            }
            if parts.iter().any(|part| part.starts_with('$')) {
                // The macro that begins with a condition is made here.
                continue;
            }
            let mut events = Vec::new();
            let mut fields = BTreeSet::new();
            for part in parts.iter().filter(|part| !part.starts_with('"')) {
                let (field, value) = part.split_once('=').unwrap_or((part, ""));
                let field = field.trim().trim_start_matches(['%', '?']);
                match (field, value.trim()) {
                    ("event", "") => events = names_of_variable(&text[..position]),
                    ("event", value) => events.push(value.trim_matches('"').to_owned()),
                    (field, _) => {
                        fields.insert(field.to_owned());
                    }
                }
            }
            assert!(
                !events.is_empty(),
                "{}: an event without a name: {parts:?}",
                path.display()
            );
            for event in events {
                reference
                    .entry(event)
                    .or_default()
                    .extend(fields.iter().cloned());
            }
        }
    }
}

fn in_the_code() -> Reference {
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let mut reference = Reference::new();
    for path in files
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
    {
        let text = fs::read_to_string(path).expect("a source file");
        events_of(&text, path, &mut reference);
    }
    reference
}

/// A heading of an event's name in backticks, and below it a table whose first column is the field.
fn in_the_page() -> Reference {
    let page = fs::read_to_string(root().join("docs/log.md")).expect("docs/log.md");
    let mut reference = Reference::new();
    let mut event: Option<String> = None;
    for line in page.lines() {
        let in_backticks = |text: &str| text.split('`').next().map(str::to_owned);
        if let Some(name) = line.strip_prefix("### `") {
            event = in_backticks(name);
            reference.insert(event.clone().expect("an event's name"), BTreeSet::new());
        } else if line.starts_with('#') {
            event = None;
        } else if let (Some(event), Some(field)) = (&event, line.strip_prefix("| `")) {
            let fields = reference.get_mut(event).expect("its heading came before");
            fields.insert(in_backticks(field).expect("a field's name"));
        }
    }
    reference
}

#[test]
fn every_event_and_field_of_the_log_is_documented_and_nothing_else_is() {
    let (code, page) = (in_the_code(), in_the_page());
    assert!(code.len() > 10, "the search finds the events: {code:?}");
    let mut wrong = Vec::new();
    for event in code.keys().chain(page.keys()).collect::<BTreeSet<_>>() {
        match (code.get(event), page.get(event)) {
            (Some(_), None) => wrong.push(format!("{event} is logged, but not in docs/log.md")),
            (None, Some(_)) => wrong.push(format!("{event} is in docs/log.md, but never logged")),
            (Some(code), Some(page)) => {
                for field in code.symmetric_difference(page) {
                    let place = if code.contains(field) {
                        "the code"
                    } else {
                        "docs/log.md"
                    };
                    wrong.push(format!("{event}: the field {field} is in {place} only"));
                }
            }
            (None, None) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_search_understands_shorthands_nesting_and_strings() {
    let text = r#"
        let (event, state) = match error {
            A => ("first", 1),
            B => ("second", 2),
        };
        tracing::warn!(event, tenant = run.slug, code, period = %f(a, "(,"), "text, {error}");
        info!(event = "third", %location, rows = g(&[1, 2]));
        #[cfg(test)]
mod tests { info!(event = "not_this"); }"#;
    let mut reference = Reference::new();
    events_of(
        &text.replace("        #[cfg", "#[cfg"),
        Path::new("a.rs"),
        &mut reference,
    );
    let fields = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        reference,
        Reference::from([
            ("first".to_owned(), fields(&["code", "period", "tenant"])),
            ("second".to_owned(), fields(&["code", "period", "tenant"])),
            ("third".to_owned(), fields(&["location", "rows"])),
        ])
    );
}
