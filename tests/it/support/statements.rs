//! The statements that the service sends, by their names.

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
