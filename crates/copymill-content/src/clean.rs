//! Recipient values are hostile: what is invisible or could break a line goes, and the rest becomes one line.

use unicode_normalization::UnicodeNormalization;

/// Characters of a value that a prompt shows at most.
const PROMPT_CHARACTERS: usize = 500;

/// One visible line of NFC text.
pub(crate) fn one_line(value: &str) -> String {
    // Most values are plain: they are taken as they are.
    let plain = |byte: u8| (b' '..0x7f).contains(&byte);
    if value.bytes().all(plain) && !value.starts_with(' ') && !value.ends_with(' ') && !value.contains("  ") {
        return value.to_owned();
    }
    let mut line = String::with_capacity(value.len());
    for character in value.nfc() {
        if character.is_whitespace() || matches!(character, '\u{85}' | '\0'..='\u{1f}') {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !is_hidden(line.chars().next_back(), character) {
            line.push(character);
        }
    }
    line.truncate(line.trim_end_matches([' ', '\u{200c}', '\u{200d}']).len());
    line
}

/// A value as a prompt shows it: one line, cut after a word where it is too long.
pub(crate) fn for_prompt(value: &str) -> String {
    let line = one_line(value);
    let Some((end, _)) = line.char_indices().nth(PROMPT_CHARACTERS) else { return line };
    let cut = &line[..end];
    cut.rfind(' ').map_or(cut, |space| &cut[..space]).to_owned()
}

/// Control, zero-width, bidirectional and tag characters, and other code points that show nothing.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character shows nothing where it stands. Joiners do their work after letters of scripts that join, as in
/// Persian and Hindi, and in emoji that are put together.
pub(crate) fn is_hidden(before: Option<char>, character: char) -> bool {
    let joins = match character {
        '\u{200c}' => before.is_some_and(is_joining),
        '\u{200d}' => before.is_some_and(|before| is_joining(before) || is_pictograph(before)),
        _ => false,
    };
    is_invisible(character) && !joins
}

/// Letters and signs of Arabic, Syriac, N’Ko, Mongolian and the Indic scripts.
fn is_joining(character: char) -> bool {
    matches!(character, '\u{620}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{18af}')
}

/// What may stand before a joiner: emoji, their modifiers and the variation selector.
fn is_pictograph(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_becomes_one_visible_line() {
        for (value, line) in [
            ("Zoe\u{308}", "Zoë"),
            (" A\r\nBcc: x ", "A Bcc: x"),
            ("a\u{200b}b\u{202e}c\u{e0041}", "abc"),
            ("x\u{2028}y\0z", "x y z"),
            ("👩\u{200d}👧", "👩\u{200d}👧"),
            ("a\u{200d}b", "ab"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("a\u{200c}b", "ab"),
            ("O’Brien", "O’Brien"),
        ] {
            assert_eq!(one_line(value), line, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_becomes_a_line_without_invisible_characters(value in any::<String>()) {
            let line = one_line(&value);
            let before = std::iter::once(None).chain(line.chars().map(Some));
            let hidden = before.zip(line.chars()).any(|(before, c)| is_hidden(before, c));
            prop_assert!(!hidden);
            prop_assert_eq!(one_line(&line), line.clone());
            prop_assert!(for_prompt(&value).chars().count() <= PROMPT_CHARACTERS);
        }
    }
}
