//! The sources, and the statements that the service sends, by their names.

use std::path::{Path, PathBuf};

/// All source files below a directory.
pub fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The functions that send a statement, each with its name as the first argument.
const SENDING: [&str; 11] = [
    ".execute",
    ".row",
    ".rows",
    ".number",
    ".count",
    ".each_row",
    ".model",
    ".models",
    ".insert",
    ".send",
    "named",
];

/// The names of the statements that a source file sends, in their order.
pub fn names_in(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (position, _) in source.match_indices('(') {
        let Some(argument) = source[position + 1..].trim_start().strip_prefix('"') else {
            continue;
        };
        let (called, _) = match source[..position].strip_suffix('>') {
            Some(generic) => generic.rsplit_once("::<").unwrap_or_default(),
            None => (&source[..position], ""),
        };
        let name = argument.split('"').next().unwrap_or_default();
        let is_name = name.contains('.') && !name.contains(' ');
        if is_name && SENDING.iter().any(|function| called.ends_with(function)) {
            names.push(name.to_owned());
        }
    }
    names
}
