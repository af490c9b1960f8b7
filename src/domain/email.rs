//! Normalising e-mail addresses, so that a person is recognised however the address is written.
//!
//! The rules have a version ([`NormVersion`]) and can never change under its number: a stored hash is
//! all that is left of its address, so it cannot be computed again by other rules. New hashes are made
//! by the newest version; look-ups try both.
//!
//! 1. Trim both ends. Version 1: Unicode `White_Space` and six zero-width characters. Version 2: every
//!    invisible format character as well, see [`super::invisible`].
//! 2. Split at the last `@`; no `@` or an empty side is no address.
//! 3. Local part: NFC, lower case, NFC again (lower-casing can leave a letter and a mark uncomposed).
//! 4. Domain: UTS 46 `domain_to_ascii`, non-strict, then all trailing dots removed; where UTS 46
//!    fails, the local part's rule.
//!
//! Nothing else: no rules about dots or plus signs, which differ between mail providers and would make
//! one person out of two.
//!
//! One pass of these rules is not always a fixed point. UTS 46 turns a full-width `＠` in the domain
//! into an `@`, which moves the place of the split, and an ideographic space before a trailing dot into
//! a space at the end. Such text is passed through the rules until it no longer changes, so that
//! normalising is idempotent. Text that loses a side on the way is no address.

use std::fmt::{self, Debug};

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::invisible::{is_format, is_zero_width};

/// Version of the rules by which an address is normalised; its number is stored beside every hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormVersion {
    /// White space and six zero-width characters go at both ends.
    One,
    /// As version 1, and all other invisible format characters go at both ends.
    Two,
}

impl NormVersion {
    /// The version by which new hashes are made.
    pub const NEWEST: Self = Self::Two;

    /// Its number, as it is stored and hashed.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// What mail programs and spreadsheets leave around an address without showing it.
    pub(super) fn is_padding(self, character: char) -> bool {
        character.is_whitespace()
            || is_zero_width(character)
            || (self == Self::Two && is_format(character))
    }
}

/// More passes than any text needs: the second settles where the last `@` is, the third confirms it.
const PASSES_MAX: usize = 8;

/// An e-mail address in its normal form.
///
/// It is personal data: wiped from memory when dropped, and neither `Debug` nor anything else prints it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct NormalizedEmail {
    text: String,
    #[zeroize(skip)]
    version: NormVersion,
}

impl NormalizedEmail {
    /// Normalises `address` by the newest version; `None` if it has no `@`, or nothing on one of its
    /// sides.
    #[must_use]
    pub fn normalize(address: &str) -> Option<Self> {
        Self::normalize_by(NormVersion::NEWEST, address)
    }

    /// As [`NormalizedEmail::normalize`], by another version.
    #[must_use]
    pub fn normalize_by(version: NormVersion, address: &str) -> Option<Self> {
        if is_plain(address) {
            let text = address.to_ascii_lowercase();
            return Some(Self { text, version });
        }
        Self::normalize_slowly(version, address)
    }

    /// The rules themselves.
    fn normalize_slowly(version: NormVersion, address: &str) -> Option<Self> {
        let once = |text: &str| {
            let text = normalize_once(version, text)?;
            Some(Self { text, version })
        };
        let mut settled = once(address)?;
        for _ in 1..PASSES_MAX {
            let next = once(&settled.text)?;
            if next == settled {
                break;
            }
            settled = next;
        }
        Some(settled)
    }

    /// The address itself. Never log it, never put it into an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// By which rules it was normalised.
    #[must_use]
    pub fn version(&self) -> NormVersion {
        self.version
    }
}

impl Debug for NormalizedEmail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NormalizedEmail([redacted])")
    }
}

/// Whether the rules change nothing of an address but its case, and it is one bare address beyond doubt.
/// Almost all are, and a run or an import sees millions. A test holds this to the rules.
pub(super) fn is_plain(address: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        // Punycode is decoded and checked.
        let encoded = label
            .as_bytes()
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"));
        !label.is_empty() && !encoded && label.bytes().all(is_word)
    };
    address.len() <= 254
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local
                    .bytes()
                    .all(|byte| is_word(byte) || matches!(byte, b'.' | b'+'))
                && domain.split('.').all(is_label)
        })
}

/// The rules, applied once.
fn normalize_once(version: NormVersion, address: &str) -> Option<String> {
    let is_padding = |character| version.is_padding(character);
    let (local, domain) = address.trim_matches(is_padding).rsplit_once('@')?;
    if local.is_empty() {
        return None;
    }
    let mut domain = normalize_domain(version, domain);
    let mut local = fold(local);
    let normalized = (!domain.is_empty()).then(|| format!("{local}@{domain}"));
    local.zeroize();
    domain.zeroize();
    normalized
}

fn normalize_domain(version: NormVersion, domain: &str) -> String {
    match idna::domain_to_ascii(domain) {
        Ok(mut ascii) => {
            // Padding goes too: it can hide behind a dot (`example.be. .`), and one character a pass
            // would need as many passes as there are dots.
            let kept_bytes = ascii
                .trim_end_matches(|character| character == '.' || version.is_padding(character))
                .len();
            ascii.truncate(kept_bytes);
            ascii
        }
        Err(_) => fold(domain),
    }
}

/// NFC, lower case, NFC.
fn fold(text: &str) -> String {
    let mut composed: String = text.nfc().collect();
    let mut lower = composed.to_lowercase();
    let folded = lower.nfc().collect();
    composed.zeroize();
    lower.zeroize();
    folded
}

#[cfg(test)]
mod tests;
