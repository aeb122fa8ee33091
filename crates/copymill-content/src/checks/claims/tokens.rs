//! A text as words, numbers and signs.

use std::ops::Range;

use super::{amount, words};
use crate::fold::fold_trimmed;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Letters.
    Word,
    /// Digits with what groups them; holds the amount in one spelling.
    Number(String),
    /// Letters and digits in one, such as `SPRING20`.
    Mixed,
    /// One other character.
    Sign,
}

/// A word, number or sign.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Lower case, without accents.
    pub(super) folded: String,
    pub(super) range: Range<usize>,
    /// Whether no blank stands before it.
    pub(super) is_tight: bool,
}

impl Token {
    /// The day of a month that the token may be: `30`, `30th`.
    pub(super) fn day(&self) -> Option<String> {
        let digits = self.folded.trim_end_matches(|c: char| !c.is_ascii_digit());
        let is_day = match &self.kind {
            TokenKind::Number(_) => true,
            TokenKind::Mixed => words::is_ordinal(&self.folded[digits.len()..]),
            TokenKind::Word | TokenKind::Sign => false,
        };
        let day = digits.parse::<u32>().ok().filter(|day| (1..=31).contains(day))?;
        is_day.then(|| day.to_string())
    }
}

/// Splits a text. Blanks are dropped.
pub(super) fn split(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let end = match c {
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            _ if digit(c).is_some() => number_end(text, at),
            _ if c.is_alphanumeric() => word_end(text, at),
            _ => at + c.len_utf8(),
        };
        let is_tight = tokens.last().is_some_and(|last| last.range.end == at);
        tokens.extend(token(text, at..end, is_tight));
        at = end;
    }
    tokens
}

/// A token; two where a number has its currency or unit glued to it (`129USD`, `20%` is two signs anyway).
fn token(text: &str, range: Range<usize>, is_tight: bool) -> Vec<Token> {
    let written = &text[range.clone()];
    let folded = fold_trimmed(written).into_owned();
    let single = |kind, folded, range| Token { kind, folded, range, is_tight };
    let has_digit = written.chars().any(|c| digit(c).is_some());
    let has_letter = written.chars().any(|c| c.is_alphabetic());
    if has_digit && has_letter {
        let number = written.trim_end_matches(|c: char| c.is_alphabetic());
        let unit = &written[number.len()..];
        let is_number = number.chars().all(|c| digit(c).is_some() || is_separator(c));
        let glued = fold_trimmed(unit);
        if is_number && (words::is_ordinal(&glued) || words::sense(&glued).is_some()) {
            let cut = range.start + number.len();
            let kind = TokenKind::Number(amount::normal(&ascii(number)));
            let first = single(kind, ascii(number), range.start..cut);
            if words::is_ordinal(&glued) {
                return vec![Token { range, ..first }];
            }
            return vec![first, single(TokenKind::Word, glued.into_owned(), cut..range.end)];
        }
        return vec![single(TokenKind::Mixed, folded, range)];
    }
    let kind = match (has_digit, has_letter) {
        (true, _) => TokenKind::Number(amount::normal(&ascii(written))),
        (_, true) => TokenKind::Word,
        _ => TokenKind::Sign,
    };
    // A sign may fold to nothing or to a blank; it is itself then.
    let folded = match kind {
        TokenKind::Sign => written.to_owned(),
        TokenKind::Number(_) => ascii(written),
        _ => folded,
    };
    vec![single(kind, folded, range)]
}

/// The end of a run of digits with what groups or parts them, and of letters glued to it.
fn number_end(text: &str, start: usize) -> usize {
    let mut end = start;
    let mut group = 0;
    let mut chars = text[start..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let here = start + at;
        if digit(c).is_some() {
            group += 1;
        } else if c.is_alphabetic() && here == end {
            return word_end(text, here);
        } else {
            let next_is_digit = chars.peek().is_some_and(|(_, next)| digit(*next).is_some());
            let groups = !is_blank(c) || (group <= 3 && is_group_of_three(&text[here + c.len_utf8()..]));
            if !is_separator(c) || !next_is_digit || !groups {
                break;
            }
            group = 0;
            continue;
        }
        end = here + c.len_utf8();
    }
    end
}

fn word_end(text: &str, start: usize) -> usize {
    let part = |c: char| c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c);
    text[start..].char_indices().find(|(_, c)| !part(*c)).map_or(text.len(), |(at, _)| start + at)
}

fn is_group_of_three(text: &str) -> bool {
    text.chars().take_while(|c| digit(*c).is_some()).count() == 3
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '\'' | '’') || is_blank(c)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

fn ascii(number: &str) -> String {
    number.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

/// A digit of any script that copy is likely to have, as an ASCII one.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 8] = [0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0x1040, 0xff10];
    let code = c as u32;
    let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}
