//! Text as the search for phrases sees it: without case, accents and look-alikes.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::clean::is_invisible;

/// Returns text in lower case, without accents, with plain quotes, and with one space for blanks and hyphens.
///
/// Cyrillic and Greek letters that look like Latin ones become these, on both sides of every comparison, so that a
/// phrase cannot hide behind them.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut push = |c: char| match c {
        ' ' if folded.ends_with(' ') => {}
        _ => folded.push(c),
    };
    if text.is_ascii() {
        text.bytes().for_each(|byte| push(fold_ascii(byte)));
        return folded;
    }
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            _ if c.is_ascii() => push(fold_ascii(c as u8)),
            _ if is_invisible(c) => {}
            _ if c.is_whitespace() || is_dash(c) => push(' '),
            _ => match expanded(c) {
                Some(plain) => plain.chars().for_each(&mut push),
                None => {
                    c.to_lowercase().filter(|c| !is_combining_mark(*c)).map(look_alike).for_each(&mut push)
                }
            },
        }
    }
    folded
}

/// Folds, without blanks at the ends.
pub(crate) fn fold_trimmed(text: &str) -> Cow<'static, str> {
    Cow::Owned(fold(text).trim().to_owned())
}

fn fold_ascii(byte: u8) -> char {
    match byte {
        b'-' | b'_' | b'\t' | b'\n' | b'\r' => ' ',
        _ => byte.to_ascii_lowercase() as char,
    }
}

fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Letters that decomposition leaves alone.
fn expanded(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ı' => "i",
        '‘' | '’' | 'ʼ' | '‛' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        _ => return None,
    })
}

fn look_alike(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'е' => 'e',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'у' => 'y',
        'х' => 'x',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'ѕ' => 's',
        'к' | 'κ' => 'k',
        'м' => 'm',
        'т' | 'τ' => 't',
        'в' => 'b',
        'н' => 'h',
        _ => c,
    }
}

/// Whether words are written without blanks between them in this character's script.
pub(crate) fn has_no_word_gaps(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_gaps_and_look_alikes_do_not_matter() {
        let cases = [
            ("FREE  Money", "free money"),
            ("free-money", "free money"),
            ("frée\u{a0}mönéy", "free money"),
            ("frее mоnеу", "free money"),
            ("Straße ŁÓDŹ", "strasse lodz"),
            ("don’t", "don't"),
            ("fr\u{200b}ee", "free"),
            ("ＦＲＥＥ", "free"),
        ];
        for (text, folded) in cases {
            assert_eq!(fold(text), folded, "{text}");
        }
    }
}
