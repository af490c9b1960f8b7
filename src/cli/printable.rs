//! Text of others on a terminal: names and reasons come from the database, and files are named by whoever made
//! them. A line break in one would forge a row of a table, an escape sequence would move the cursor over what
//! stands above, a mark of direction would turn it around. So none of them gets through.

use std::fmt::Write as _;

use crate::domain::invisible::is_invisible;

/// The text in one line, with every character that does not show as itself written as `\u{…}`.
pub(super) fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    for character in text.chars() {
        if is_telling(character) {
            printed.push(character);
        } else {
            // A String takes everything.
            let _ = write!(printed, "\\u{{{:x}}}", u32::from(character));
        }
    }
    printed
}

/// Whether it shows as what it is. White space other than a blank is none: it moves what follows.
fn is_telling(character: char) -> bool {
    character == ' '
        || !(character.is_control() || character.is_whitespace() || is_invisible(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_or_hides_text_is_written_out() {
        for (text, printed) in [
            ("Müller & Søn – 例え 🙂", "Müller & Søn – 例え 🙂"),
            ("two\nrows\r", "two\\u{a}rows\\u{d}"),
            ("\u{1b}[2Kgone", "\\u{1b}[2Kgone"),
            ("\u{9b}2K", "\\u{9b}2K"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b\tc\u{a0}", "a\\u{2028}b\\u{9}c\\u{a0}"),
            ("del\u{7f}", "del\\u{7f}"),
        ] {
            assert_eq!(printable(text), printed, "{text:?}");
        }
    }
}
