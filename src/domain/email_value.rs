//! Whom does mail to this text reach?
//!
//! What stands in a participant's `email` came from somebody's file, and need not be one bare address.
//! A mailer delivers to `Ann <ann@example.be>` all the same. So somebody who unsubscribed is looked for
//! under every address that the text may mean, and what is stored of such a row is the hash of the
//! address that a mailer takes from it.
//!
//! - *One bare address* ([`super::address`]): that one.
//! - *Something else with addresses in it*: those that a mailer would deliver to. Of a name with an
//!   address in angle brackets, the one in the brackets; of a list, all of it. They count as one
//!   person's: the row is one participant.
//! - *Nothing to deliver to, but an `@`*: the whole text, as version 1 had it.
//!
//! Beside them there are *guesses*: other readings under which the person is looked for, and never
//! stored. Wrongly recognised means one invitation too few; not recognised means mail to somebody who
//! said no.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::Zeroizing;

use super::address::{has_percent_code, has_prefix, is_atext, plain_mark, read_bare};
use super::email::{NormVersion, NormalizedEmail, is_plain};
use super::invisible::is_invisible;

mod percent;

/// More addresses than this in one value are no participant's; the others are left out.
const ADDRESSES_MAX: usize = 16;

/// The addresses that the value of an e-mail field may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailValue {
    addresses: Vec<NormalizedEmail>,
    guesses: Vec<NormalizedEmail>,
    old_whole: Option<NormalizedEmail>,
}

impl EmailValue {
    /// Reads a value.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut value = Self::default();
        if is_plain(text) {
            value.addresses.extend(NormalizedEmail::normalize(text));
            return value;
        }
        match read_bare(text) {
            Ok(address) => value.addresses.push(address),
            Err(_) => value.read_odd(text),
        }
        if value.addresses.is_empty() {
            value.addresses.extend(NormalizedEmail::normalize(text));
        }
        if text.chars().any(is_invisible) {
            let seen: Zeroizing<String> = text
                .chars()
                .filter(|c| !is_invisible(*c))
                .collect::<String>()
                .into();
            if let Some(seen) = NormalizedEmail::normalize(&seen) {
                value.guess(seen);
            }
        }
        // Hashes of version 1 are those of the whole text, whatever it was. By version 2 no text is
        // stored that has an address in it.
        let old_whole = NormalizedEmail::normalize_by(NormVersion::One, text);
        value.old_whole =
            old_whole.filter(|old| !value.readings().any(|known| known.expose() == old.expose()));
        value
    }

    /// The addresses that a mailer delivers to: those whose hashes are stored. None if the value cannot
    /// be hashed.
    #[must_use]
    pub fn addresses(&self) -> &[NormalizedEmail] {
        &self.addresses
    }

    /// Every reading under which its owner is looked for; the addresses first.
    pub fn readings(&self) -> impl Iterator<Item = &NormalizedEmail> {
        self.addresses.iter().chain(&self.guesses)
    }

    /// The whole text as version 1 of the normalisation has it, unless it is one of the readings.
    #[must_use]
    pub fn old_whole(&self) -> Option<&NormalizedEmail> {
        self.old_whole.as_ref()
    }

    /// Whether mail to this value may reach `address`.
    #[must_use]
    pub fn may_be(&self, address: &NormalizedEmail) -> bool {
        self.readings().any(|reading| reading == address)
    }

    fn read_odd(&mut self, text: &str) {
        let seen = plain(text, false);
        deliver(&seen, &mut self.addresses, &mut self.guesses);
        // A joiner may belong to the script, and so to the address.
        if text.chars().any(is_invisible) {
            let (mut inside, mut outside) = (Vec::new(), Vec::new());
            deliver(&plain(text, true), &mut inside, &mut outside);
            for address in inside {
                push(&mut self.guesses, address);
            }
        }
        // `an n@example.be`: some programs take the spaces out.
        if seen.matches('@').count() == 1 {
            let joined: Zeroizing<String> = seen.split_whitespace().collect::<String>().into();
            if let Ok(joined) = read_bare(&joined) {
                push(&mut self.guesses, joined);
            }
        }
        let addresses = &self.addresses;
        self.guesses.retain(|guess| !addresses.contains(guess));
    }

    fn guess(&mut self, reading: NormalizedEmail) {
        if !self.addresses.contains(&reading) {
            push(&mut self.guesses, reading);
        }
    }
}

fn push(list: &mut Vec<NormalizedEmail>, address: NormalizedEmail) {
    if list.len() < ADDRESSES_MAX && !list.contains(&address) {
        list.push(address);
    }
}

/// Finds the addresses that a mailer takes from a plain text, and those that stand beside them.
fn deliver(text: &str, found: &mut Vec<NormalizedEmail>, beside: &mut Vec<NormalizedEmail>) {
    if !text.contains('@') {
        return;
    }
    for part in parts(text) {
        match bracketed(&part) {
            Some((inside, outside)) => {
                read_part(inside, found);
                // Mostly the same one again.
                for text in outside {
                    read_part(text, beside);
                }
            }
            None => read_part(&part, found),
        }
    }
}

fn read_part(text: &str, found: &mut Vec<NormalizedEmail>) {
    // Behind `mailto:` or a word like it.
    let bare = match text.split_once(':') {
        Some((_, after)) if has_prefix(text) => after,
        _ => text,
    };
    match read_bare(bare) {
        Ok(address) => push(found, address),
        Err(_) => scan(text, |address| push(found, address)),
    }
}

/// The text with plain marks in place of full-width and typographic ones, percent codes resolved,
/// comments left out, no space around an `@`, and, unless they are wanted, without invisible characters.
fn plain(text: &str, with_invisible: bool) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    for character in text.nfc() {
        let mark = plain_mark(character);
        if is_invisible(character) {
            if with_invisible {
                plain.push(character);
            }
        } else if character.is_control() || character.is_whitespace() {
            plain.push(' ');
        } else if mark.is_ascii() {
            plain.push(mark);
        } else if character.nfkc().all(|c| c.is_ascii()) {
            plain.extend(character.nfkc());
        } else {
            plain.push(character);
        }
    }
    if has_percent_code(&plain)
        && let Some(decoded) = percent::decoded(&plain)
    {
        plain = decoded;
    }
    without_spaces_at_marks(&without_comments(&plain))
}

/// Comments go, with their parentheses (RFC 5322, section 3.2.2); not those inside of quotation marks.
fn without_comments(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    let (mut depth, mut quoted) = (0_usize, false);
    for character in text.chars() {
        match character {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => {
                depth += 1;
                continue;
            }
            ')' if !quoted => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            kept.push(character);
        }
    }
    // What nobody closed is no comment, nor is what holds the address.
    if depth > 0 || !kept.contains('@') {
        return Zeroizing::new(text.replace(['(', ')'], " "));
    }
    kept
}

/// `ann @ example .be` is `ann@example.be` (RFC 5322, section 4.4, still has it so).
fn without_spaces_at_marks(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '@' || (character == '.' && starts_a_word(characters.peek().copied())) {
            while kept.ends_with(' ') {
                kept.pop();
            }
        }
        kept.push(character);
        if character == '@' {
            while characters.next_if_eq(&' ').is_some() {}
        }
    }
    kept
}

fn starts_a_word(next: Option<char>) -> bool {
    next.is_some_and(char::is_alphanumeric)
}

/// The members of a list: between commas and semicolons that are not quoted.
fn parts(text: &str) -> Vec<Zeroizing<String>> {
    let mut parts = vec![Zeroizing::new(String::new())];
    // A mark that nobody closed quotes nothing.
    let pairs = text.matches('"').count().is_multiple_of(2);
    let mut quoted = false;
    for character in text.chars() {
        if character == '"' && pairs {
            quoted = !quoted;
        }
        if !quoted && matches!(character, ',' | ';') {
            parts.push(Zeroizing::new(String::new()));
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// What stands in the angle brackets that hold an address, and what around them.
fn bracketed(part: &str) -> Option<(&str, [&str; 2])> {
    let open = part.rfind('<')?;
    let (before, rest) = part.split_at(open);
    let rest = &rest[1..];
    let (inside, after) = rest.split_once('>').unwrap_or((rest, ""));
    inside.contains('@').then_some((inside, [before, after]))
}

/// Finds every address in a text in which anything may stand around it.
fn scan(text: &str, mut found: impl FnMut(NormalizedEmail)) {
    let mut rest_begins = 0;
    for (at, _) in text.match_indices('@') {
        if at < rest_begins {
            continue;
        }
        let domain = domain_at(&text[at + 1..]);
        let after = &text[at + 1 + domain.len()..];
        if after.starts_with("\"@") && text[rest_begins..at].contains('"') {
            // `"a@b"@example.be`: the next `@` is the one.
            continue;
        }
        let local = local_at(&text[rest_begins..at]);
        rest_begins = at + 1 + domain.len();
        let domain = domain.trim_end_matches(['.', '-', '_']);
        if local.is_empty() || domain.is_empty() {
            continue;
        }
        let address = Zeroizing::new(format!("{local}@{domain}"));
        if let Some(address) = NormalizedEmail::normalize(&address) {
            found(address);
        }
    }
}

/// The part before an `@`, at the end of `text`.
fn local_at(text: &str) -> &str {
    if let Some(local) = quoted_at(text) {
        let inside = &local[1..local.len() - 1];
        let plain = read_bare(&format!("{inside}@a")).is_ok();
        return if plain { inside } else { local };
    }
    let allowed = |c: char| is_atext(c) || c == '.' || (!c.is_ascii() && !c.is_whitespace());
    let local = text.rfind(|c| !allowed(c)).map_or(text, |end| {
        let width = text[end..].chars().next().map_or(1, char::len_utf8);
        &text[end + width..]
    });
    local.trim_start_matches(['\'', '`', '*', '/', '|', '&', '='])
}

/// `"quoted part"` at the end of `text`.
fn quoted_at(text: &str) -> Option<&str> {
    let quoted = text.strip_suffix('"')?;
    let open = quoted.rfind('"')?;
    // Not the end of a quoted part, but a mark right before the `@`.
    (open + 1 < quoted.len()).then(|| &text[open..])
}

/// The host name at the start of `text`, or an address literal.
fn domain_at(text: &str) -> &str {
    if text.starts_with('[') {
        return text.find(']').map_or("", |end| &text[..=end]);
    }
    let allowed = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '.' | '-' | '_' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
            || (!c.is_ascii() && is_combining_mark(c))
    };
    let end = text.find(|c| !allowed(c)).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests;
