//! What is left of a name when everything goes that people do not see, or do not mean. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Letters and digits only, in lower case, in their plain form and without accents: `First-Name`,
/// ` first_name` and `FİRST NAME` are all `firstname`.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        let kept = name.chars().filter(char::is_ascii_alphanumeric);
        return kept.map(|c| c.to_ascii_lowercase()).collect();
    }
    name.nfkd()
        .filter(|c| !is_combining_mark(*c) && c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(|c| plain(c).chars().collect::<Vec<_>>())
        .collect()
}

/// Letters of which no accent can be taken, as people type them on another keyboard.
fn plain(letter: char) -> String {
    match letter {
        'ß' => "ss".to_owned(),
        'ı' => "i".to_owned(),
        'ł' => "l".to_owned(),
        'ø' => "o".to_owned(),
        'đ' => "d".to_owned(),
        'æ' => "ae".to_owned(),
        'œ' => "oe".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_to_what_people_mean() {
        for (name, folded) in [
            ("", ""),
            (" First-Name\u{A0}", "firstname"),
            ("\u{FEFF}Ｅ－Ｍａｉｌ", "email"),
            ("Prénom", "prenom"),
            ("Straße", "strasse"),
            ("IMIĘ i NAZWISKO", "imieinazwisko"),
            ("F\u{130}RST", "first"),
            ("Имя", "имя"),
            ("--", ""),
        ] {
            assert_eq!(fold(name), folded, "{name:?}");
        }
    }
}
