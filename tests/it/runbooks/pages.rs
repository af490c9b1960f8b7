//! Takes the pages apart: blocks of shell, the commands in them, names.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the tree.
pub fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `README.md` and every page below `docs`, by name.
pub fn pages() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md")];
    collect(&root().join("docs"), &mut files);
    files.sort();
    assert!(files.len() > 15, "{files:?}");
    files
        .iter()
        .map(|file| {
            let name = file.strip_prefix(root()).expect("a file of the tree");
            let name = name.to_str().expect("a name in ASCII").to_owned();
            let text = page(&name);
            (name, text)
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

/// The text in two parts: blocks that begin with ```` ```sh ````, and what stands outside all blocks.
fn parts(text: &str) -> (Vec<String>, String) {
    let (mut blocks, mut outside) = (Vec::new(), String::new());
    // The language of the block that the line stands in.
    let mut block: Option<&str> = None;
    for line in text.lines() {
        match (block, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                block = Some(language);
                if language == "sh" {
                    blocks.push(String::new());
                }
            }
            (Some(_), Some(_)) => block = None,
            (None, None) => {
                outside.push_str(line);
                outside.push('\n');
            }
            (Some("sh"), None) => {
                let last = blocks.last_mut().expect("a block was begun");
                last.push_str(line);
                last.push('\n');
            }
            (Some(_), None) => {}
        }
    }
    assert!(block.is_none(), "a block does not end");
    (blocks, outside)
}

/// The lines of all blocks of shell. One that goes on in the next line, in quotes or after a backslash,
/// is one; comments are left out.
pub fn lines_of_shell(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in parts(text).0 {
        let mut whole = String::new();
        for line in block.lines() {
            if whole.is_empty() && line.trim_start().starts_with('#') {
                continue;
            }
            if let Some(before) = line.strip_suffix('\\') {
                whole.push_str(before);
                whole.push(' ');
                continue;
            }
            whole.push_str(line);
            if split(&whole).is_some() {
                lines.push(std::mem::take(&mut whole));
            } else {
                whole.push('\n');
            }
        }
        assert!(whole.is_empty(), "a quotation does not end: {whole}");
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// The words of a line of shell, and its operators as words of their own; `None` = a quotation does not
/// end. A comment at its end is left out.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => return Some(words),
            (None, '|' | ';' | '&' | '<' | '>' | '(' | ')') => {
                words.extend(word.take());
                words.push(character.to_string());
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The arguments of each `retentiond` command: in a block of shell, also behind `sudo` and variables, or
/// between backticks.
pub fn retentiond_commands(text: &str) -> Vec<Vec<String>> {
    let mut lines = lines_of_shell(text);
    let (_, outside) = parts(text);
    // A span may go on in the next line of its paragraph, and ends with it at the latest.
    for paragraph in outside.split("\n\n") {
        let spans = paragraph.split('`').skip(1).step_by(2);
        lines.extend(
            spans
                .filter(|span| span.starts_with("retentiond "))
                .map(|span| span.replace('\n', " ")),
        );
    }
    let mut commands = Vec::new();
    for line in lines {
        let words = split(&line).expect("quotations end");
        for part in words.split(|word| ["|", ";", "&", "(", ")"].contains(&word.as_str())) {
            let mut part = part.iter().skip_while(|word| {
                word.contains('=') || ["sudo", "env", "!"].contains(&word.as_str())
            });
            if part.next().is_some_and(|word| word == "retentiond") {
                commands.push(
                    part.take_while(|word| ![">", "<"].contains(&word.as_str()))
                        .cloned()
                        .collect(),
                );
            }
        }
    }
    commands
}

/// Every name in the text that begins with `prefix`.
pub fn words_like(text: &str, prefix: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}
