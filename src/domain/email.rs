//! Normalising e-mail addresses, so that a person is recognised however the address is written.
//!
//! The rules are version 1 ([`NORM_VERSION`]) and can never change under that number: a stored hash is
//! all that is left of its address, so it cannot be computed again by other rules.
//!
//! 1. Trim Unicode `White_Space` and zero-width characters at both ends.
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

/// Version of the rules by which an address is normalised; stored beside every hash.
pub const NORM_VERSION: i32 = 1;

/// More passes than any text needs: the second settles where the last `@` is, the third confirms it.
const PASSES_MAX: usize = 8;

/// An e-mail address in its normal form.
///
/// It is personal data: wiped from memory when dropped, and neither `Debug` nor anything else prints it.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct NormalizedEmail(String);

impl NormalizedEmail {
    /// Normalises `address`; `None` if it has no `@`, or nothing on one of its sides.
    #[must_use]
    pub fn normalize(address: &str) -> Option<Self> {
        let mut settled = Self(normalize_once(address)?);
        for _ in 1..PASSES_MAX {
            let next = Self(normalize_once(&settled.0)?);
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
        &self.0
    }
}

impl Debug for NormalizedEmail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NormalizedEmail([redacted])")
    }
}

/// The rules, applied once.
fn normalize_once(address: &str) -> Option<String> {
    let (local, domain) = address.trim_matches(is_padding).rsplit_once('@')?;
    if local.is_empty() {
        return None;
    }
    let mut domain = normalize_domain(domain);
    let mut local = fold(local);
    let normalized = (!domain.is_empty()).then(|| format!("{local}@{domain}"));
    local.zeroize();
    domain.zeroize();
    normalized
}

fn normalize_domain(domain: &str) -> String {
    match idna::domain_to_ascii(domain) {
        Ok(mut ascii) => {
            // Padding goes too: it can hide behind a dot (`example.be. .`), and one character a pass
            // would need as many passes as there are dots.
            let kept_bytes = ascii
                .trim_end_matches(|character| character == '.' || is_padding(character))
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

/// What mail programs and spreadsheets leave around an address without showing it: `White_Space`, and
/// the characters of no width.
fn is_padding(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{180E}' | '\u{200B}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::char::canonical_combining_class;

    use super::*;

    fn normal(address: &str) -> Option<String> {
        NormalizedEmail::normalize(address).map(|normalized| normalized.expose().to_owned())
    }

    #[test]
    fn u01_invalid_only_without_an_at_or_with_an_empty_side() {
        for invalid in [
            "",
            " ",
            "ann",
            "ann.example.be",
            "@",
            "@example.be",
            "ann@",
            " \u{200B}@example.be",
            "ann@ \u{FEFF}",
            "ann@.",
            "ann@...",
            "ann@\u{3002}",
            "ann@. . .",
            // UTS 46 maps a soft hyphen to nothing.
            "ann@\u{AD}",
            "ann@\u{AD}.",
            // The domain's full-width sign becomes the last `@`, with nothing behind it.
            "ann@example\u{FF20}",
            // No `@` as long as it is full-width.
            "ann\u{FF20}example.be",
        ] {
            assert_eq!(normal(invalid), None, "{invalid:?}");
        }
        for valid in ["a@b", "@@b", "a b@c", "\"a@b\"@c", "a@b c", "a@-", "a@*"] {
            assert_eq!(normal(valid).as_deref(), Some(valid));
        }
    }

    #[test]
    fn u01_trims_both_ends_and_nothing_inside() {
        let padding =
            "\u{FEFF}\u{200B}\u{200C}\u{200D}\u{2060}\u{180E} \t\r\n\u{A0}\u{3000}\u{2028}\u{85}";
        assert_eq!(
            normal(&format!("{padding}ann@example.be{padding}")).as_deref(),
            Some("ann@example.be")
        );
        assert_eq!(
            normal("ann @ example.be").as_deref(),
            Some("ann @ example.be")
        );
        assert_eq!(
            normal("an\u{200B}n@example.be").as_deref(),
            Some("an\u{200B}n@example.be")
        );
        assert_eq!(
            normal("ann@example.be\u{3000}. .").as_deref(),
            Some("ann@example.be")
        );
    }

    #[test]
    fn u01_domain_is_uts46_without_trailing_dots() {
        for (address, expected) in [
            ("a@EXAMPLE.be.", "a@example.be"),
            ("a@example.be...", "a@example.be"),
            ("a@example\u{3002}be\u{FF0E}", "a@example.be"),
            ("a@B\u{FC}cher.example", "a@xn--bcher-kva.example"),
            ("a@Bu\u{308}cher.example", "a@xn--bcher-kva.example"),
            ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
            // Non-transitional: sharp s is a letter of its own.
            ("a@stra\u{DF}e.example", "a@xn--strae-oqa.example"),
            ("a@under_score.example", "a@under_score.example"),
            ("a@..b", "a@..b"),
        ] {
            assert_eq!(normal(address).as_deref(), Some(expected), "{address:?}");
        }
    }

    #[test]
    fn u01_where_uts46_fails_the_domain_follows_the_rule_of_the_local_part() {
        for (address, expected) in [
            ("A@XN--ZZZZZZZZZ.Example", "a@xn--zzzzzzzzz.example"),
            ("A@\u{FFFD}E\u{301}", "a@\u{FFFD}\u{E9}"),
        ] {
            assert!(
                idna::domain_to_ascii(address.split_once('@').unwrap().1).is_err(),
                "{address:?} was meant to fail"
            );
            assert_eq!(normal(address).as_deref(), Some(expected), "{address:?}");
        }
    }

    #[test]
    fn u01_splits_at_the_last_at() {
        assert_eq!(
            normal("\"A@B\"@B\u{FC}cher.example").as_deref(),
            Some("\"a@b\"@xn--bcher-kva.example")
        );
        assert_eq!(normal("a@b\u{FF20}C.").as_deref(), Some("a@b@c"));
    }

    /// Without the second NFC these would hash differently: lower-casing the composed form leaves a
    /// letter and a mark uncomposed, or in the wrong order. Every letter with a lower case is tried with
    /// every mark. How many there are depends on which marks are counted (semantics U1 has 124): 102
    /// with the marks of U+0300 to U+036F, for all time; 478 with all marks of Unicode 17.
    #[test]
    fn u01_the_second_nfc_composes_what_lower_casing_leaves_apart() {
        let marks: Vec<char> = (char::MIN..=char::MAX)
            .filter(|&mark| canonical_combining_class(mark) != 0)
            .collect();
        let mut found = Vec::new();
        for base in (char::MIN..=char::MAX).filter(|base| !base.to_lowercase().eq([*base])) {
            for mark in &marks {
                let composed: String = [base, *mark].into_iter().nfc().collect();
                let lower = composed.to_lowercase();
                let settled: String = lower.nfc().collect();
                if settled != lower {
                    let expected = Some(format!("{settled}@example.be"));
                    assert_eq!(normal(&format!("{base}{mark}@example.be")), expected);
                    assert_eq!(normal(&format!("{lower}@example.be")), expected);
                    found.push(*mark);
                }
            }
        }
        let classic = |mark: &&char| ('\u{300}'..='\u{36F}').contains(*mark);
        assert_eq!(found.iter().filter(classic).count(), 102);
        assert!(found.len() >= 124);
    }

    #[test]
    fn u02_the_same_person() {
        let ann = normal("Ann.Peeters@Example.BE");
        assert_eq!(ann.as_deref(), Some("ann.peeters@example.be"));
        for same in [
            "ANN.PEETERS@EXAMPLE.BE",
            "\u{A0}ann.peeters@example.be\u{200B}",
            "\u{FEFF}ann.peeters@example.be\r\n",
            "ann.peeters@example.be.",
            "ann.peeters@\u{FF45}xample\u{3002}be",
        ] {
            assert_eq!(normal(same), ann, "{same:?}");
        }

        let rene = normal("ren\u{E9}@caf\u{E9}.example");
        assert!(rene.is_some());
        for same in [
            "rene\u{301}@cafe\u{301}.example",
            "RENE\u{301}@CAFE\u{301}.EXAMPLE",
            "REN\u{C9}@xn--caf-dma.example",
        ] {
            assert_eq!(normal(same), rene, "{same:?}");
        }
    }

    #[test]
    fn u02_another_person() {
        let ann = normal("ann.peeters@example.be");
        for other in [
            "ann.peeters+x@example.be",
            "annpeeters@example.be",
            "ann.peeters@mail.example.be",
            "ann.peeters@example.com",
            "\u{FF41}nn.peeters@example.be",
            "ann\u{200B}.peeters@example.be",
        ] {
            assert_ne!(normal(other), ann, "{other:?}");
        }
        assert_ne!(normal("stra\u{DF}e@b"), normal("strasse@b"));
        assert_ne!(normal("\u{131}lk@b"), normal("ilk@b"));
    }

    #[test]
    fn e10_debug_does_not_show_the_address() {
        let ann = NormalizedEmail::normalize("ann@example.be").unwrap();
        assert_eq!(format!("{ann:?}"), "NormalizedEmail([redacted])");
    }

    /// Pieces that normalising treats in some special way.
    fn odd_piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[@＠﹫.。．｡ \u{A0}\u{3000}\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{180E}\u{AD}]",
            4 => "[ßẞıİIiΣσςſKÅΩéÉǅἈᾈͅａＡﬁ①½א١क्-]",
            3 => "[\u{300}-\u{36F}\u{5B0}\u{1E94A}\u{94D}]",
            2 => "(xn--|XN--|xn--bcher-kva|xn--zca|xn--a|-9fa)",
            2 => "[a-zA-Z0-9]{1,3}",
            1 => "\\PC",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

        #[test]
        fn u01_idempotent_over_any_text(text in any::<String>(), domain in any::<String>()) {
            for address in [text.clone(), format!("{text}@{domain}")] {
                if let Some(once) = normal(&address) {
                    prop_assert_eq!(normal(&once), Some(once));
                }
            }
        }

        #[test]
        fn u01_idempotent_over_odd_text(pieces in prop::collection::vec(odd_piece(), 0..12)) {
            if let Some(once) = normal(&pieces.concat()) {
                prop_assert_eq!(normal(&once), Some(once));
            }
        }

        #[test]
        fn u01_canonically_equivalent_text_is_one_address(pieces in prop::collection::vec(odd_piece(), 0..8)) {
            let address = format!("{}@example.be", pieces.concat());
            let decomposed: String = address.nfd().collect();
            prop_assert_eq!(normal(&address), normal(&decomposed));
        }
    }
}
