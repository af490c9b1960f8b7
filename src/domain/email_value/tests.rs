use proptest::prelude::*;

use super::*;

fn exposed(list: &[NormalizedEmail]) -> Vec<&str> {
    list.iter().map(NormalizedEmail::expose).collect()
}

#[test]
fn u12_a_bare_address_means_itself() {
    let value = EmailValue::read(" Ann@Example.BE ");
    assert_eq!(exposed(value.addresses()), ["ann@example.be"]);
    assert_eq!(value.readings().count(), 1);
    assert_eq!(value.old_whole(), None, "one hash a key and version");
}

#[test]
fn u12_mail_reaches_whoever_stands_inside() {
    for text in [
        "Ann <ann@example.be>",
        "\"Peeters, Ann\" <Ann@Example.be>",
        "Peeters, Ann <ann@example.be>",
        "bob@example.be <ann@example.be>",
        "<ann@example.be>",
        "<<ann@example.be>>",
        "Ann ＜ann＠example.be＞",
        "Ann [mailto:ann@example.be]",
        "mailto:ann@example.be",
        "MAILTO:ann%40example.be?subject=hello",
        "E-mail: ann@example.be",
        "ann@example.be (Ann Peeters)",
        "ann(work)@example.be",
        "(home) ann@example.be",
        "\"ann@example.be\"",
        "'ann@example.be'",
        "'ann@example.be",
        "“ann@example.be”",
        "\"ann\"@example.be",
        "ann@example.be,",
        "ann@example.be.",
        "ann @ example.be",
        "ann@example .be",
        "Ann Peeters ann@example.be",
        "ann@example.be Ann Peeters",
        "ann@example.be\n",
        "Ann\nann@example.be",
        "\u{200E}ann@example.be",
        "\u{202A}ann@example.be\u{202C}",
        "an\u{200B}n@exam\u{AD}ple.be",
        "ann\u{200E}@example.be",
        "ann@\u{200E}example.be",
        "ａｎｎ＠ｅｘａｍｐｌｅ．ｂｅ",
        "ann%40example.be",
        "\0ann@example.be\0",
        "ann@example.be?subject=x",
        "[ann@example.be](mailto:ann@example.be)",
        "\"Ann ann@example.be",
        "ann@example.be)",
    ] {
        let value = EmailValue::read(text);
        assert_eq!(exposed(value.addresses()), ["ann@example.be"], "{text:?}");
    }
}

#[test]
fn u12_other_forms_of_a_plain_address_are_that_address() {
    for (text, plain) in [
        ("ann%2Bx@example.be", "ann+x@example.be"),
        ("o’brien@example.be", "o'brien@example.be"),
        ("ann–marie@example.be", "ann-marie@example.be"),
        ("ﬁona@example.be", "fiona@example.be"),
        ("Ann <\"ann smith\"@example.be>", "\"ann smith\"@example.be"),
        ("Ann <\"a@b\"@example.be>", "\"a@b\"@example.be"),
        ("Ann <ann@[192.0.2.1]>", "ann@[192.0.2.1]"),
    ] {
        let value = EmailValue::read(text);
        assert_eq!(exposed(value.addresses()), [plain], "{text:?}");
    }
}

#[test]
fn u12_all_of_a_list_are_reached() {
    for text in [
        "ann@example.be,bob@example.be",
        "ann@example.be; bob@example.be",
        "Ann <ann@example.be>; Bob <bob@example.be>",
        "ann@example.be bob@example.be",
        "ann@example.be\nbob@example.be",
        "ann@example.be/bob@example.be",
        "ann@example.be | bob@example.be",
        "ann@example.be & bob@example.be",
        "ann@example.be and bob@example.be",
        "ann@example.be，bob@example.be",
        "ann@example.be、bob@example.be",
        "mailto:ann@example.be,bob@example.be",
    ] {
        let value = EmailValue::read(text);
        let expected = ["ann@example.be", "bob@example.be"];
        assert_eq!(exposed(value.addresses()), expected, "{text:?}");
    }
}

#[test]
fn u12_guesses_are_looked_for_and_never_stored() {
    for (text, addresses, guess) in [
        ("an n@example.be", &["n@example.be"][..], "ann@example.be"),
        (
            "bob@example.be <ann@example.be>",
            &["ann@example.be"],
            "bob@example.be",
        ),
        (
            "\u{646}\u{200C}\u{647}@example.be",
            &["\u{646}\u{200C}\u{647}@example.be"],
            "\u{646}\u{647}@example.be",
        ),
    ] {
        let value = EmailValue::read(text);
        assert_eq!(exposed(value.addresses()), addresses, "{text:?}");
        let guess = NormalizedEmail::normalize(guess).unwrap();
        assert!(value.may_be(&guess), "{text:?}");
    }
}

#[test]
fn u12_other_people_are_not_meant() {
    let ann = NormalizedEmail::normalize("ann@example.be").unwrap();
    for text in [
        "joann@example.be",
        "ann@example.bee",
        "ann.x@example.be",
        "ann+x@example.be",
        "Ann <bob@example.be>",
        "x@ann@example.com",
        "ann@mail.example.be",
        "",
        "Ann",
    ] {
        assert!(!EmailValue::read(text).may_be(&ann), "{text:?}");
    }
}

#[test]
fn u10_what_has_no_address_in_it_has_none() {
    for text in ["", " ", "ann", "@example.be", "ann@", "@", "<>", "Ann <>"] {
        assert_eq!(EmailValue::read(text).addresses(), [], "{text:?}");
    }
    // Nothing to deliver to, but version 1 could hash it.
    assert_eq!(exposed(EmailValue::read("a@*").addresses()), ["a@*"]);
}

#[test]
fn u12_version_1_hashed_the_whole_text() {
    for (text, old) in [
        ("Carl <carl@example.be>", "carl <carl@example.be>"),
        ("\u{200E}Bob@example.be", "\u{200E}bob@example.be"),
    ] {
        let value = EmailValue::read(text);
        assert_eq!(value.old_whole().map(NormalizedEmail::expose), Some(old));
    }
    assert_eq!(EmailValue::read("\u{200B}bob@example.be").old_whole(), None);
}

fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[@＠<>(),;:\"'`%.\\[\\]\\\\ \u{A0}\u{200B}\u{200E}\u{FEFF}\u{AD}\u{FE0F}\n\0]",
        3 => "(ann|bob|example\\.be|mailto:|%40|%C3|%)",
        1 => "\\PC",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// One bare address of an odd kind, without quotation marks.
fn bare_address() -> impl Strategy<Value = String> {
    let local = "[a-z!#$&'*+/=?^_`{|}~.\u{E9}\u{646}\u{200C}\u{FE0F}-]{1,6}";
    let domain = "([a-z\u{FC}_-]{1,3}\\.){0,2}[a-z]{1,3}";
    (local, domain)
        .prop_map(|(local, domain)| format!("{local}@{domain}"))
        .prop_filter("one bare address", |text| read_bare(text).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    /// Whatever version 1 could hash can be hashed, and what a bare address says is what is read.
    #[test]
    fn u12_nothing_that_could_be_hashed_is_lost(text in odd_text()) {
        let value = EmailValue::read(&text);
        if NormalizedEmail::normalize(&text).is_some() {
            prop_assert!(!value.addresses().is_empty());
        }
        if let Ok(address) = read_bare(&text) {
            prop_assert_eq!(value.addresses(), std::slice::from_ref(&address));
            let old = NormalizedEmail::normalize_by(NormVersion::One, &text).unwrap();
            prop_assert_eq!(old.expose(), address.expose());
        }
        let old = NormalizedEmail::normalize_by(NormVersion::One, &text);
        if let Some(old) = old {
            let texts: Vec<&str> = value.readings().map(NormalizedEmail::expose).collect();
            let known = texts.contains(&old.expose())
                || value.old_whole().map(NormalizedEmail::expose) == Some(old.expose());
            prop_assert!(known, "a hash of version 1 would no longer be found");
        }
    }

    /// The address inside is found whatever is put around it.
    #[test]
    fn u12_an_address_is_found_in_anything(before in "[ <(\"'\u{200E},;:]{0,4}", after in "[ >)\"',;\u{202C}]{0,4}") {
        let text = format!("{before}ann@example.be{after}");
        let value = EmailValue::read(&text);
        let ann = NormalizedEmail::normalize("ann@example.be").unwrap();
        prop_assert!(value.may_be(&ann), "{:?}", text);
    }

    /// However a bare address is wrapped, its owner is recognised.
    #[test]
    fn u12_a_bare_address_is_found_in_every_wrapping(address in bare_address()) {
        let owner = read_bare(&address).unwrap();
        for text in [
            format!("Name <{address}>"),
            format!("\"Last, First\" <{address}>"),
            format!("<{address}>"),
            format!("mailto:{address}"),
            format!("bob@example.be, {address}"),
            format!("{address};bob@example.be"),
            format!(" {address} (Name)"),
            format!("\u{200E}{address}\u{202C}"),
        ] {
            let value = EmailValue::read(&text);
            prop_assert!(value.may_be(&owner), "{:?}", text);
        }
    }
}
