//! Percent codes, as they stand in a `mailto:` link (RFC 3986, section 2.1).

use zeroize::Zeroizing;

/// The text with its percent codes resolved; `None` if that is not UTF-8.
pub(super) fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%');
        let value = code.and_then(|code| {
            let code = std::str::from_utf8(code).ok()?;
            let hexadecimal = code.bytes().all(|digit| digit.is_ascii_hexdigit());
            hexadecimal.then(|| u8::from_str_radix(code, 16).ok())?
        });
        match value {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u12_percent_codes_are_resolved_and_everything_else_is_kept() {
        for (text, expected) in [
            ("ann%40example.be", Some("ann@example.be")),
            ("100% %4 %4g %", Some("100% %4 %4g %")),
            ("%C3%A9", Some("\u{E9}")),
            ("%C3", None),
        ] {
            assert_eq!(decoded(text).as_deref().map(String::as_str), expected);
        }
    }
}
