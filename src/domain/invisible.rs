//! Characters that nobody sees: left by mail programs, web pages and spreadsheets when somebody copies
//! an address or a heading out of them.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The characters without width that version 1 of the normalisation trims. Never change this list:
/// stored hashes depend on it.
pub(super) fn is_zero_width(character: char) -> bool {
    matches!(
        character,
        '\u{180E}' | '\u{200B}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}'
    )
}

/// Format characters (general category `Cf`: marks of direction, soft hyphens, tags and the like) and
/// variation selectors. Version 2 of the normalisation trims them.
pub(super) fn is_format(character: char) -> bool {
    // Nothing in ASCII, and most text is ASCII.
    !character.is_ascii()
        && (is_variation_selector(character)
            || character.general_category() == GeneralCategory::Format)
}

/// The property `Variation_Selector` (Unicode, PropList.txt).
pub(super) fn is_variation_selector(character: char) -> bool {
    matches!(
        character,
        '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
    )
}

/// Everything that shows nothing and is no white space: format characters, and what else Unicode
/// advises not to show (`Default_Ignorable_Code_Point`, DerivedCoreProperties.txt: fillers, joiners of
/// graphemes), with the blank of Braille and the mark of an object that was not copied.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    is_format(character)
        || matches!(
            character,
            '\u{34F}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{2065}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FFA0}'
                | '\u{FFF0}'..='\u{FFF8}'
                | '\u{FFFC}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unicode 17.0, DerivedGeneralCategory.txt, `Cf`. A character that Unicode adds to it changes what
    /// version 2 trims: then these rules need a version 3, and look-ups under version 2.
    const FORMAT: [(char, char); 21] = [
        ('\u{AD}', '\u{AD}'),
        ('\u{600}', '\u{605}'),
        ('\u{61C}', '\u{61C}'),
        ('\u{6DD}', '\u{6DD}'),
        ('\u{70F}', '\u{70F}'),
        ('\u{890}', '\u{891}'),
        ('\u{8E2}', '\u{8E2}'),
        ('\u{180E}', '\u{180E}'),
        ('\u{200B}', '\u{200F}'),
        ('\u{202A}', '\u{202E}'),
        ('\u{2060}', '\u{2064}'),
        ('\u{2066}', '\u{206F}'),
        ('\u{FEFF}', '\u{FEFF}'),
        ('\u{FFF9}', '\u{FFFB}'),
        ('\u{110BD}', '\u{110BD}'),
        ('\u{110CD}', '\u{110CD}'),
        ('\u{13430}', '\u{1343F}'),
        ('\u{1BCA0}', '\u{1BCA3}'),
        ('\u{1D173}', '\u{1D17A}'),
        ('\u{E0001}', '\u{E0001}'),
        ('\u{E0020}', '\u{E007F}'),
    ];

    #[test]
    fn u12_the_format_characters_are_those_of_unicode_17() {
        let listed = |c: char| FORMAT.iter().any(|(from, to)| (*from..=*to).contains(&c));
        for character in char::MIN..=char::MAX {
            let expected = listed(character) || is_variation_selector(character);
            assert_eq!(is_format(character), expected, "{character:?}");
            assert!(!is_zero_width(character) || is_format(character));
            assert!(!is_format(character) || is_invisible(character));
            assert!(!is_invisible(character) || !character.is_whitespace());
        }
    }
}
