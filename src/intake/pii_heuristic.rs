//! E11: metadata columns that look like personal data. Pure.
//!
//! Metadata stays after anonymization, so a column that was forgotten in `--map` would keep what the
//! tenant wants gone. A guess is good enough for a warning; it refuses nothing. Looked at are the
//! values, and what stands in them, and the column's name (see [`super::headings`]).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Fewer are no telephone number.
const TELEPHONE_DIGITS_MIN: usize = 6;

/// What the values of one metadata column looked like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PiiHeuristic {
    values: u64,
    /// Addresses, international numbers, and numbers that a spreadsheet shortened.
    certain: u64,
    /// Anything that could be a telephone number.
    likely: u64,
}

impl PiiHeuristic {
    /// Takes the next value; not empty.
    pub(super) fn see(&mut self, value: &str) {
        self.values += 1;
        match sight(value) {
            Sight::Certain => self.certain += 1,
            Sight::Likely => self.likely += 1,
            Sight::Nothing => {}
        }
    }

    /// Whether to warn: one certain value is enough; of the likely ones it takes half of all, since
    /// an order number may look like a telephone number now and then.
    pub(super) fn personal(self) -> bool {
        self.certain > 0 || (self.likely > 0 && self.likely * 2 >= self.values)
    }

    /// How many values look personal.
    pub(super) fn hits(self) -> u64 {
        self.certain + self.likely
    }

    /// How many values there are.
    pub(super) fn values(self) -> u64 {
        self.values
    }
}

enum Sight {
    Certain,
    Likely,
    Nothing,
}

fn sight(value: &str) -> Sight {
    let value = plain(value);
    if holds_address(&value) || holds_shortened_number(&value) {
        return Sight::Certain;
    }
    // Most values end here.
    if value.bytes().filter(u8::is_ascii_digit).count() < TELEPHONE_DIGITS_MIN {
        return Sight::Nothing;
    }
    if holds_international_number(&value) || holds_called_number(&value) {
        return Sight::Certain;
    }
    let part_end = |c: char| ";|,:<>\"\n\r\t".contains(c);
    if is_telephone(&value) || value.split(part_end).any(is_telephone) {
        return Sight::Likely;
    }
    Sight::Nothing
}

/// With plain marks and digits in place of full-width ones, and an `@` where people write it in words to
/// hide it from programs.
fn plain(value: &str) -> Cow<'_, str> {
    let mut plain = if value.is_ascii() {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(value.nfkc().collect())
    };
    if !plain.contains(['(', '[', '{', '%']) {
        return plain;
    }
    for hidden in ["(at)", "[at]", "{at}", "%40"] {
        if plain.contains(hidden) {
            plain = Cow::Owned(
                plain
                    .replace(hidden, "@")
                    .replace(" @", "@")
                    .replace("@ ", "@"),
            );
        }
    }
    plain
}

/// `ann@example.be` anywhere; in brackets or after `mailto:` also a host without a dot.
fn holds_address(value: &str) -> bool {
    value.match_indices('@').any(|(at, _)| {
        let (before, after) = (&value[..at], &value[at + 1..]);
        let local_end = |c: char| c.is_whitespace() || ",;:\"<>()[]|@".contains(c);
        let begin = before.rfind(local_end).map_or(0, |place| {
            place + before[place..].chars().next().map_or(1, char::len_utf8)
        });
        let (around, local) = before.split_at(begin);
        let in_domain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        let end = after.find(|c| !in_domain(c)).unwrap_or(after.len());
        let (domain, rest) = after.split_at(end);
        if domain.is_empty() {
            return false;
        }
        let quoted = local.is_empty() && around.ends_with('"') && around.len() > 1;
        if local.is_empty() && !quoted {
            return false;
        }
        let bracketed = around.ends_with('<') && rest.starts_with('>');
        let linked = around.to_ascii_lowercase().ends_with("mailto:");
        bracketed || linked || is_host(domain)
    })
}

/// Has a dot, and its last part is no number (`package@1.2.3`).
fn is_host(domain: &str) -> bool {
    let domain = domain.trim_matches('.');
    domain
        .rsplit_once('.')
        .is_some_and(|(name, last)| !name.is_empty() && last.chars().any(|c| !c.is_ascii_digit()))
}

/// `4.479E+11`: a long number that a spreadsheet shortened, mostly of a telephone or a customer.
fn holds_shortened_number(value: &str) -> bool {
    let part_end = |c: char| c.is_whitespace() || ";|:<>\"()".contains(c);
    value.bytes().any(|byte| byte.is_ascii_digit())
        && value.contains(['e', 'E'])
        && value.split(part_end).any(is_shortened_number)
}

fn is_shortened_number(word: &str) -> bool {
    let Some((mantissa, exponent)) = word.split_once(['e', 'E']) else {
        return false;
    };
    let mantissa = mantissa.trim_start_matches('+');
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    whole.len() == 1
        && digits(whole)
        && digits(fraction)
        && digits(exponent)
        && exponent
            .parse()
            .is_ok_and(|exponent: u32| (8..=14).contains(&exponent))
}

/// `+32 475 55 12 12` anywhere.
fn holds_international_number(value: &str) -> bool {
    value.match_indices('+').any(|(plus, _)| {
        let before = value[..plus].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '+') {
            return false;
        }
        let after = &value[plus + 1..];
        let in_number = |c: char| c.is_ascii_digit() || " \u{A0}-().\u{2F}".contains(c);
        let end = after.find(|c| !in_number(c)).unwrap_or(after.len());
        let number = &after[..end];
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let starts = number
            .trim_start_matches([' ', '('])
            .starts_with(|c: char| c.is_ascii_digit());
        // An amount may begin with `+`, too.
        let amount = after[end..]
            .trim_start()
            .starts_with(['€', '$', '£', '%', ',']);
        let whole = plus == value.len() - value.trim_start().len() && end == after.len();
        let digits_min = if whole { 7 } else { 8 };
        starts && !amount && (digits_min..=15).contains(&digits)
    })
}

/// `tel:0475551212`, `GSM 0475 55 12 12`.
fn holds_called_number(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    [
        "tel", "phone", "gsm", "mobil", "fax", "whatsapp", "callto", "sms",
    ]
    .iter()
    .any(|word| {
        lower.match_indices(word).any(|(place, _)| {
            let starts_word = !lower[..place].ends_with(char::is_alphabetic);
            let rest = &lower[place + word.len()..];
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let rest = rest.trim_start_matches(|c: char| " .:=\u{A0}#".contains(c));
            let in_number = |c: char| c.is_ascii_digit() || " \u{A0}+-().\u{2F}".contains(c);
            let end = rest.find(|c| !in_number(c)).unwrap_or(rest.len());
            let number = rest[..end].trim_end_matches(|c: char| !c.is_ascii_digit());
            starts_word
                && (is_telephone(number) || is_bare_number(number))
                && !rest[number.len()..].starts_with(char::is_alphabetic)
        })
    })
}

fn is_bare_number(value: &str) -> bool {
    (8..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_telephone(value: &str) -> bool {
    let value = value.trim();
    if value.len() > 40 {
        return false;
    }
    let allowed = |c: char| c.is_ascii_digit() || " \u{A0}+-().\u{2F}".contains(c);
    let digits = value.chars().filter(char::is_ascii_digit).count();
    if !(TELEPHONE_DIGITS_MIN..=15).contains(&digits) || !value.chars().all(allowed) {
        return false;
    }
    let groups: Vec<&str> = value
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    if is_date(value, &groups) {
        return false;
    }
    if value.starts_with(['+', '0', '(']) {
        return digits >= 7 && !value.starts_with("0.");
    }
    // Bare digits are a number of something; a decimal point makes them an amount.
    let amount = groups.len() == 2 && value.contains('.');
    groups.len() >= 2 && !amount && groups.iter().all(|group| group.len() >= 2)
}

/// Three numbers between two equal separators: `3/29/1982`, `2024-02-29`; a time may follow.
fn is_date(value: &str, groups: &[&str]) -> bool {
    let [first, second, third, time @ ..] = groups else {
        return false;
    };
    let separators: Vec<char> = value.chars().filter(|c| !c.is_ascii_digit()).collect();
    let year_last = first.len() <= 2 && third.len() == 4;
    let year_first = first.len() == 4 && third.len() <= 2;
    let days = match separators[..] {
        [one, other] => one == other && "-/.".contains(one),
        // `2024-02-29 23` of `2024-02-29 23:59:59`.
        [one, other, ' '] => {
            one == other && "-/.".contains(one) && time.first().is_some_and(|hour| hour.len() <= 2)
        }
        _ => false,
    };
    days && second.len() <= 2 && (year_last || year_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal(values: &[&str]) -> bool {
        let mut looks = PiiHeuristic::default();
        values.iter().for_each(|value| looks.see(value));
        looks.personal()
    }

    #[test]
    fn e11_addresses_and_numbers_are_seen() {
        for values in [
            &["ann@example.be"][..],
            &["", "x", "y", "z", "rené@café.example"],
            &["+32 2 555 12 12", "n/a", "n/a", "n/a"],
            &["082 490 1693", "025551212"],
            &["(02) 555 12 12"],
            &["84 23 30", "445 6271"],
            &["02.64.62.52.37"],
            &["x", "oops\nu1@b.example,x\nu2@b.example,"],
            &["x", "y", "dear all,\nwrite to <ann@example.be>"],
            &["x", "y", "call\r\n+32 475 55 12 12"],
        ] {
            assert!(personal(values), "{values:?}");
        }
    }

    #[test]
    fn e11_they_are_seen_inside_of_values() {
        for value in [
            "ann@example.be ::: bob@example.be",
            "Ann ::: ann@example.be",
            "Ann ::: +32 475 55 12 12",
            "x ::: 4.479E+11",
            "Ann <ann@example.be>",
            "Ann <ann@x>",
            "<ann@x>",
            "mailto:ann@x",
            "MAILTO:ann%40example.be",
            "see a@b.c for more",
            "\"ann smith\"@example.be",
            "ann (at) example.be",
            "ann[at]example.be",
            "ａｎｎ＠example.be",
            "Ann|ann@example.be|x",
            "tel:+32475551212",
            "tel:+32-475-55-12-12",
            "tel:0475551212",
            "TEL: 475551212",
            "Phone 0475 55 12 12",
            "GSM: 0475/55.12.12 (home)",
            "whatsapp 32475551212",
            "call me on +32 475 55 12 12 please",
            "＋３２ ４７５ ５５ １２ １２",
            "4.479E+11",
            "4,479E+11",
            "3.24756E+10",
            "4.479e11",
            "4.479E+011",
        ] {
            assert!(personal(&["x", "y", "z", value]), "{value:?}");
        }
        for value in [
            "Ann ::: 0475 55 12 12",
            "Ann; 0475 55 12 12",
            "0475 55 12 12 | Ann",
        ] {
            assert!(personal(&[value, "x"]), "{value:?}");
        }
    }

    #[test]
    fn e11_other_values_are_not() {
        for values in [
            &["3/29/1982", "01/02/2024", "2024-02-29", "29.02.2024"][..],
            &[
                "2024-02-29 23:59:59",
                "29/02/2024 10:30",
                "2024-02-29T10:00:00+02:00",
            ],
            &["1234567", "20240229"],
            &[
                "1250000.50",
                "0.1234567",
                "1,250,000.50",
                "+1250000 EUR",
                "+12.5%",
            ],
            &["B-1050 Brussels", "1050"],
            &["two\nlines", "3\n4"],
            &[
                "@handle",
                "me@home",
                "mention @ann.",
                "react@18.2.0",
                "5 @ 3.50",
            ],
            &["1E5", "4.479E-11", "2E+03", "E11", "1.5e300", "Suite 4E11B"],
            &["C++ 11", "ann+12345678", "2+2", "1+12345678901"],
            &["hotel 12345678901", "telex", "fax machine", "Telescope 5"],
            &["082 490 1693", "Sales", "Support"],
            &["BE68 5390 0754 7034", "BE 0123.456.789"],
            &["10:30", "12:34:56"],
        ] {
            for value in values {
                assert!(!personal(&[value, "x", "y"]), "{value:?}");
            }
            assert!(!personal(values), "{values:?}");
        }
    }

    #[test]
    fn e11_hits_are_counted() {
        let mut looks = PiiHeuristic::default();
        for value in ["ann@example.be", "Sales", "082 490 1693", "tel:0475551212"] {
            looks.see(value);
        }
        assert_eq!((looks.hits(), looks.values()), (3, 4));
    }
}
