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
fn u12_version_2_trims_every_invisible_format_character_and_nothing_else() {
    let by = |version, address: &str| {
        NormalizedEmail::normalize_by(version, address).map(|email| email.expose().to_owned())
    };
    for mark in "\u{AD}\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2061}\u{2066}\u{2069}\u{FE00}\u{FE0F}\u{FFF9}\u{E0001}\u{E007F}\u{E0100}\u{E01EF}".chars() {
        for address in [
            format!("{mark}ann@example.be"),
            format!("ann@example.be{mark}"),
            format!(" {mark}\u{FEFF}{mark} ann@example.be{mark}\r\n{mark}"),
        ] {
            assert_eq!(by(NormVersion::Two, &address).as_deref(), Some("ann@example.be"));
        }
        let before = format!("{mark}ann@example.be");
        assert_eq!(by(NormVersion::One, &before), Some(before), "version 1 never changes");
        let inside = format!("a{mark}nn@example.be");
        assert_eq!(by(NormVersion::Two, &inside), Some(inside));
    }
    for visible in ["'", "*", "\u{B7}", "\u{301}", "-"] {
        assert_ne!(normal(&format!("{visible}ann@b")), normal("ann@b"));
    }
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
        4 => "[@＠﹫.。．｡ \u{A0}\u{3000}\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{180E}\u{AD}\u{200E}\u{202C}\u{FE0F}\u{E0020}]",
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
    fn u12_what_is_plain_is_only_put_in_lower_case(
        local in "[a-zA-Z0-9._+-]{1,8}",
        domain in "([a-zA-Z0-9_-]{1,4}\\.){0,3}(XN--)?[a-zA-Z0-9_-]{1,6}",
    ) {
        let address = format!("{local}@{domain}");
        for version in [NormVersion::One, NormVersion::Two] {
            prop_assert_eq!(
                NormalizedEmail::normalize_by(version, &address),
                NormalizedEmail::normalize_slowly(version, &address)
            );
        }
        if is_plain(&address) {
            prop_assert!(crate::domain::address::check(&address).is_ok());
        }
    }

    /// So the same text stands for an address under both versions.
    #[test]
    fn u12_version_1_leaves_what_version_2_leaves(pieces in prop::collection::vec(odd_piece(), 0..12)) {
        if let Some(two) = normal(&pieces.concat()) {
            let one = NormalizedEmail::normalize_by(NormVersion::One, &two);
            prop_assert_eq!(one.map(|one| one.expose().to_owned()), Some(two));
        }
    }

    #[test]
    fn u01_canonically_equivalent_text_is_one_address(pieces in prop::collection::vec(odd_piece(), 0..8)) {
        let address = format!("{}@example.be", pieces.concat());
        let decomposed: String = address.nfd().collect();
        prop_assert_eq!(normal(&address), normal(&decomposed));
    }
}
