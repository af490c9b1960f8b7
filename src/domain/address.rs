//! Is this text one e-mail address, and nothing else?
//!
//! A person may write `Ann <ann@example.be>`, `mailto:ann@example.be` or two addresses where one
//! belongs. Normalising takes such a text for an address of its own, which nobody has: somebody who
//! unsubscribes with it would still be invited. So whoever reads an address from a person asks
//! [`read_bare`] first, and says what stands there instead.
//!
//! The rule follows RFC 5321 (section 4.1.2) and RFC 6531, and lets in what they refuse but platforms
//! do store: dots anywhere in the part before the `@`, underscores in host names, names without a dot.
//! It refuses what is valid but stands for another address: `"ann"@example.be` is
//! `ann@example.be`, and `ann%2Bx@example.be` was `ann+x@example.be`.

use std::fmt::{self, Display};

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use super::email::{NormVersion, NormalizedEmail, is_plain};
use super::invisible::{is_invisible, is_variation_selector};

/// Longest address, in characters; that of the table's column.
pub const ADDRESS_CHARS_MAX: usize = 320;

/// What stands where one bare address should. Says the kind and never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotBare {
    /// Nothing but white space and invisible characters.
    Empty,
    /// More than [`ADDRESS_CHARS_MAX`] characters.
    TooLong,
    /// A NUL character.
    Nul,
    /// A line break.
    LineBreak,
    /// Another control character.
    Control,
    /// A character that nobody sees.
    Invisible,
    /// `mailto:` or another word with a colon.
    Prefix,
    /// A name, and the address in angle brackets.
    NameAndAddress,
    /// Angle brackets.
    AngleBrackets,
    /// Several addresses, or a comma or semicolon.
    Several,
    /// Something in parentheses.
    Comment,
    /// Quotation marks that are no part of the address.
    Quotes,
    /// White space.
    Space,
    /// A dot or another mark at the end.
    TrailingMark,
    /// Full-width letters, a typographic dash and the like.
    LookAlike,
    /// `%40` and the like.
    PercentEncoded,
    /// No `@`.
    NoAt,
    /// Nothing before or after the `@`.
    EmptySide,
    /// A character that stands in no address.
    Character,
    /// No name of a host after the `@`.
    Domain,
}

impl NotBare {
    /// What stands there, for the middle of a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::TooLong => "more than 320 characters",
            Self::Nul => "a NUL character",
            Self::LineBreak => "a line break",
            Self::Control => "a control character",
            Self::Invisible => "an invisible character",
            Self::Prefix => "a prefix with a colon, such as mailto:",
            Self::NameAndAddress => "a name beside the address in angle brackets",
            Self::AngleBrackets => "angle brackets",
            Self::Several => "several addresses, or a comma or semicolon",
            Self::Comment => "parentheses",
            Self::Quotes => "quotation marks",
            Self::Space => "a space inside",
            Self::TrailingMark => "a dot or another mark at the end",
            Self::LookAlike => "a full-width or typographic character in place of a plain one",
            Self::PercentEncoded => "a percent-encoded character",
            Self::NoAt => "no `@`",
            Self::EmptySide => "nothing on one side of the `@`",
            Self::Character => "a character that no address has",
            Self::Domain => "no host name after the `@`",
        }
    }
}

impl Display for NotBare {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The address that `text` is, if it is one and nothing else. White space and the zero-width characters
/// of version 1 at both ends are no part of it: a line end, or the byte-order mark of a file.
///
/// # Errors
///
/// What stands there instead.
pub fn read_bare(text: &str) -> Result<NormalizedEmail, NotBare> {
    if !is_plain(text) {
        check(text)?;
    }
    NormalizedEmail::normalize(text).ok_or(NotBare::EmptySide)
}

/// The rules themselves.
pub(super) fn check(text: &str) -> Result<(), NotBare> {
    let text = text.trim_matches(|character| NormVersion::One.is_padding(character));
    if text.is_empty() || text.chars().all(is_invisible) {
        return Err(NotBare::Empty);
    }
    if text.chars().nth(ADDRESS_CHARS_MAX).is_some() {
        return Err(NotBare::TooLong);
    }
    check_unseen(text)?;
    let (local, domain) = split(text)?;
    if let Some(content) = local
        .strip_prefix('"')
        .and_then(|local| local.strip_suffix('"'))
    {
        check_quoted(content)?;
    } else {
        check_local(local)?;
    }
    check_domain(domain)
}

/// Characters that a person does not see, wherever they stand.
fn check_unseen(text: &str) -> Result<(), NotBare> {
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\0' => return Err(NotBare::Nul),
            '\t' => {}
            '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                return Err(NotBare::LineBreak);
            }
            character if character.is_control() => return Err(NotBare::Control),
            character if is_invisible(character) => {
                let joins = belongs_to_script(before, character, characters.peek().copied());
                if !joins {
                    return Err(NotBare::Invisible);
                }
            }
            _ => {}
        }
        before = Some(character);
    }
    Ok(())
}

/// Persian and the scripts of India spell words with joiners, and emoji are put together with them; they
/// mean something between characters of such a script only.
fn belongs_to_script(before: Option<char>, character: char, after: Option<char>) -> bool {
    let beyond_ascii = |neighbour: Option<char>| {
        neighbour.is_some_and(|neighbour| {
            !neighbour.is_ascii() && (!is_invisible(neighbour) || is_variation_selector(neighbour))
        })
    };
    match character {
        '\u{200C}' | '\u{200D}' => beyond_ascii(before) && beyond_ascii(after),
        '\u{FE00}'..='\u{FE0F}' => beyond_ascii(before),
        _ => false,
    }
}

/// The two sides of the only `@` that is not quoted.
fn split(text: &str) -> Result<(&str, &str), NotBare> {
    let plain: String = text.chars().map(plain_mark).collect();
    let has = |marks: &[char]| plain.contains(marks);
    let ats = plain.matches('@').count();
    if let Some(parts) = split_quoted(text) {
        return Ok(parts);
    }
    if has(&['<', '>']) {
        let whole = plain.starts_with('<') && plain.ends_with('>');
        let one = plain.matches('<').count() == 1;
        return Err(if whole && one {
            NotBare::AngleBrackets
        } else if ats > 1 && has(&[',', ';']) {
            NotBare::Several
        } else {
            NotBare::NameAndAddress
        });
    }
    if has_prefix(&plain) {
        return Err(NotBare::Prefix);
    }
    if ats == 0 {
        return Err(if has(&[',', ';']) {
            NotBare::Several
        } else if plain.contains("%40") {
            NotBare::PercentEncoded
        } else {
            NotBare::NoAt
        });
    }
    let unmarked = plain.trim_end_matches([',', ';', '.', ':', '!', '?']);
    if ats > 1 || unmarked.contains([',', ';']) {
        return Err(NotBare::Several);
    }
    if unmarked.len() < plain.len() && unmarked.contains('@') && !unmarked.ends_with('@') {
        return Err(NotBare::TrailingMark);
    }
    if has(&['(', ')']) {
        return Err(NotBare::Comment);
    }
    if has(&['"']) || plain.starts_with(['\'', '`']) || plain.ends_with(['\'', '`']) {
        return Err(NotBare::Quotes);
    }
    if text.contains(char::is_whitespace) {
        return Err(NotBare::Space);
    }
    let (local, domain) = text.split_once('@').ok_or(NotBare::LookAlike)?;
    if local.is_empty() || domain.is_empty() {
        return Err(NotBare::EmptySide);
    }
    Ok((local, domain))
}

/// `"quoted part"@domain`; the `@` inside of the quotation marks does not count.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let quoted = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = quoted.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let (local, rest) = text.split_at(end + 2);
    let domain = rest.strip_prefix('@')?;
    (!domain.is_empty()).then_some((local, domain))
}

/// What is inside of `"…"@`. Refused where it says with quotation marks what needs none: that is
/// another spelling of the address without them.
fn check_quoted(content: &str) -> Result<(), NotBare> {
    let mut characters = content.chars();
    while let Some(character) = characters.next() {
        let escapes = character == '\\';
        if escapes && !matches!(characters.next(), Some('"' | '\\')) {
            return Err(NotBare::Quotes);
        }
    }
    if content.is_empty() || check_local(content).is_ok() {
        return Err(NotBare::Quotes);
    }
    if content.contains('\t') {
        return Err(NotBare::Space);
    }
    Ok(())
}

/// The part before the `@`: what RFC 5322 calls `atext` and dots, and what RFC 6531 adds to it.
fn check_local(local: &str) -> Result<(), NotBare> {
    for character in local.nfc() {
        if character.is_ascii() {
            if !is_atext(character) && character != '.' {
                return Err(NotBare::Character);
            }
        } else if stands_for_ascii(character) {
            return Err(NotBare::LookAlike);
        }
    }
    if has_percent_code(local) {
        return Err(NotBare::PercentEncoded);
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<(), NotBare> {
    if let Some(literal) = domain
        .strip_prefix('[')
        .and_then(|domain| domain.strip_suffix(']'))
    {
        // `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
        let number = literal.strip_prefix("IPv6:").unwrap_or(literal);
        let allowed = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
        let good = !number.is_empty() && number.chars().all(allowed);
        return if good { Ok(()) } else { Err(NotBare::Domain) };
    }
    let host = match idna::domain_to_ascii(domain) {
        Ok(host) => host,
        Err(_) if domain.is_ascii() => domain.to_owned(),
        Err(_) => return Err(NotBare::Domain),
    };
    if host.contains('@') {
        return Err(NotBare::Several);
    }
    if host.trim_end_matches('.').len() < host.len() {
        return Err(NotBare::TrailingMark);
    }
    if has_percent_code(&host) {
        return Err(NotBare::PercentEncoded);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let good = |label: &str| !label.is_empty() && label.chars().all(allowed);
    if host.split('.').all(good) {
        Ok(())
    } else {
        Err(NotBare::Domain)
    }
}

/// A character of an atom (RFC 5322, section 3.2.3), as far as it is ASCII.
pub(super) fn is_atext(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// Whether a word with a colon stands at the start: `mailto:`, `E-mail: `.
pub(super) fn has_prefix(text: &str) -> bool {
    text.split_once(':').is_some_and(|(word, _)| {
        let allowed = |c: char| c.is_alphanumeric() || " +-._".contains(c);
        !word.is_empty() && word.chars().all(allowed)
    })
}

/// `%` and two hexadecimal digits.
pub(super) fn has_percent_code(text: &str) -> bool {
    let is_code = |code: &[u8]| code[0] == b'%' && code[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_code)
}

/// Whether a character is a compatible form of plain ASCII (full-width, superscript, ligature), or what
/// word processors make of a plain quotation mark or dash.
fn stands_for_ascii(character: char) -> bool {
    plain_mark(character).is_ascii() || character.nfkc().all(|plain| plain.is_ascii())
}

/// The plain form of a mark that has others.
pub(super) fn plain_mark(character: char) -> char {
    match character {
        '\u{FF20}' | '\u{FE6B}' => '@',
        '\u{FF0C}' | '\u{FE50}' | '\u{3001}' | '\u{FE51}' | '\u{FF64}' | '\u{60C}' | '\u{FE10}'
        | '\u{FE11}' => ',',
        '\u{FF1B}' | '\u{FE54}' | '\u{61B}' | '\u{37E}' | '\u{FE14}' => ';',
        '\u{FF1A}' | '\u{FE55}' | '\u{FE13}' => ':',
        '\u{FF1C}' | '\u{FE64}' | '\u{2039}' | '\u{27E8}' | '\u{2329}' | '\u{3008}' => '<',
        '\u{FF1E}' | '\u{FE65}' | '\u{203A}' | '\u{27E9}' | '\u{232A}' | '\u{3009}' => '>',
        '\u{FF08}' | '\u{FE59}' => '(',
        '\u{FF09}' | '\u{FE5A}' => ')',
        '\u{AB}'
        | '\u{BB}'
        | '\u{201C}'..='\u{201F}'
        | '\u{FF02}'
        | '\u{300C}'..='\u{300F}'
        | '\u{301D}'..='\u{301F}' => '"',
        '\u{2018}'..='\u{201B}' | '\u{FF07}' | '\u{B4}' | '\u{2032}' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}' | '\u{FE63}' | '\u{FE58}' => '-',
        '\u{FF05}' | '\u{FE6A}' => '%',
        other => other,
    }
}

#[cfg(test)]
mod tests;
