use super::*;

#[test]
fn u12_one_address_is_let_in_however_odd() {
    for text in [
        "ann@example.be",
        "Ann.Peeters+news@Mail.Example.BE",
        " ann@example.be \r\n",
        "\u{FEFF}\u{A0}ann@example.be\u{200B}",
        "a@b",
        "o'brien@example.ie",
        "ann..b.@docomo.example",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        "user%example.com@relay.example",
        "_ann_@under_score.example",
        "\"ann smith\"@example.org",
        "\"a@b\"@example.org",
        "\"A@B\"@XN--BCHER-KVA.example",
        "\"a\\\"b\\\\c, d\"@example.org",
        "ann@[192.0.2.1]",
        "ann@[IPv6:2001:db8::1]",
        "ren\u{E9}@caf\u{E9}.example",
        "rene\u{301}@cafe\u{301}.example",
        "用户@例子.广告",
        "ann@例子。广告",
        "ann@\u{FF45}xample.be",
        "\u{E0A}\u{E33}@example.org",
        "\u{646}\u{627}\u{645}\u{200C}\u{647}\u{627}@example.ir",
        "\u{2764}\u{FE0F}@example.org",
        "ann@xn--zzzzzzzzz.example",
    ] {
        let read = read_bare(text);
        assert_eq!(
            read.map_err(|kind| (text, kind)),
            Ok(NormalizedEmail::normalize(text).unwrap())
        );
    }
}

#[test]
fn u12_what_is_not_one_bare_address_is_named() {
    use NotBare::*;
    let long = format!("{}@example.org", "a".repeat(320));
    for (text, kind) in [
        ("", Empty),
        (" \u{FEFF}\u{200E}\u{2060} ", Empty),
        (&long, TooLong),
        ("ann\0@example.be", Nul),
        ("ann@example.be\0", Nul),
        ("ann@example.be\nbob@example.be", LineBreak),
        ("ann@example\r\n.be", LineBreak),
        ("ann@example.be\u{2028}bob", LineBreak),
        ("ann\u{7F}@example.be", Control),
        ("\u{1}ann@example.be", Control),
        ("\u{200E}ann@example.be", Invisible),
        ("ann@example.be\u{200F}", Invisible),
        ("\u{202A}ann@example.be\u{202C}", Invisible),
        ("\u{FE0F}ann@example.be", Invisible),
        ("\u{E0101}ann@example.be", Invisible),
        ("\u{3164}ann@example.be", Invisible),
        ("an\u{200B}n@example.be", Invisible),
        ("an\u{AD}n@example.be", Invisible),
        ("ann@exam\u{AD}ple.be", Invisible),
        ("an\u{200D}n@example.be", Invisible),
        ("mailto:ann@example.be", Prefix),
        ("MAILTO:ann@example.be?subject=x", Prefix),
        ("mailto:ann%40example.be", Prefix),
        ("E-mail: ann@example.be", Prefix),
        ("smtp:ann@example.be", Prefix),
        ("mailto：ann@example.be", Prefix),
        ("Ann <ann@example.be>", NameAndAddress),
        ("\"Ann\" <ann@example.be>", NameAndAddress),
        ("\"Peeters, Ann\" <ann@example.be>", NameAndAddress),
        ("Ann<ann@example.be>", NameAndAddress),
        ("Ann ＜ann@example.be＞", NameAndAddress),
        ("ann@example.be>", NameAndAddress),
        ("<ann@example.be>", AngleBrackets),
        ("‹ann@example.be›", AngleBrackets),
        ("<mailto:ann@example.be>", AngleBrackets),
        ("ann@example.be,bob@example.be", Several),
        ("ann@example.be; bob@example.be", Several),
        ("Ann <ann@example.be>, Bob <bob@example.be>", Several),
        ("ann@example.be bob@example.be", Several),
        ("ann@example.be/bob@example.be", Several),
        ("ann@example.be，bob@example.be", Several),
        ("ann@example.be、bob@example.be", Several),
        ("ann@example.be\u{60C} bob", Several),
        ("ann,bob", Several),
        ("a@b\u{FF20}c", Several),
        ("@relay,@other:ann@example.be", Several),
        ("ann@example.be (Ann)", Comment),
        ("ann(work)@example.be", Comment),
        ("\"ann@example.be\"", Quotes),
        ("'ann@example.be'", Quotes),
        ("'ann@example.be", Quotes),
        ("“ann@example.be”", Quotes),
        ("«ann@example.be»", Quotes),
        ("`ann@example.be`", Quotes),
        ("\"ann\"@example.be", Quotes),
        ("\"a\\nn b\"@example.be", Quotes),
        ("\"\"@example.be", Quotes),
        ("\"Ann\" ann@example.be", Quotes),
        ("ann smith@example.be", Space),
        ("ann @example.be", Space),
        ("ann@ example.be", Space),
        ("ann@example.be Ann", Space),
        ("ann\u{A0}smith@example.be", Space),
        ("ann\t@example.be", Space),
        ("ann@example.be.", TrailingMark),
        ("ann@example.be,", TrailingMark),
        ("ann@example.be;", TrailingMark),
        ("ann@example.be。", TrailingMark),
        ("ann＠example.be", LookAlike),
        ("ａｎｎ@example.be", LookAlike),
        ("o’brien@example.ie", LookAlike),
        ("ann–marie@example.be", LookAlike),
        ("ﬁona@example.be", LookAlike),
        ("ann%40example.be", PercentEncoded),
        ("ann%2Bx@example.be", PercentEncoded),
        ("ann@example%2Ebe", PercentEncoded),
        ("ann", NoAt),
        ("ann at example.be", NoAt),
        ("@example.be", EmptySide),
        ("ann@", EmptySide),
        ("@", EmptySide),
        ("ann[work]@example.be", Character),
        ("ann\\@example.be", Character),
        ("ann@example.be?subject=x", Domain),
        ("ann@example..be", Domain),
        ("ann@.example.be", Domain),
        ("ann@*", Domain),
        ("ann@[example]", Domain),
        ("ann@\u{FFFD}", Domain),
    ] {
        let read = read_bare(text);
        assert_eq!(read, Err(kind), "{text:?}");
    }
}

#[test]
fn e10_kinds_say_nothing_of_the_text() {
    let read = read_bare("Ann <ann@example.be>");
    let shown = format!("{} {read:?}", read.clone().unwrap_err());
    assert!(!shown.contains("ann"), "{shown}");
}
