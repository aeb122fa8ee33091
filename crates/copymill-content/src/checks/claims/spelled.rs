//! Claims without a digit: "fifty percent", "ninety-nine dollars", "half price".

use super::{
    Class, is_per_cent,
    tokens::Token,
    words::{Sense, is_half, number, sense_after_words},
};

/// Words of one number at most: "one thousand two hundred fifty five".
const WORDS_MAX: usize = 6;

/// The claim that begins at a token: its class, its parts, and its last token.
pub(super) fn claim(tokens: &[Token], at: usize) -> Option<(Class, Vec<String>, usize)> {
    let word = |at: usize| tokens.get(at).map(|token| token.folded.as_str());
    if is_half(word(at)?, word(at + 1).unwrap_or_default()) {
        return Some((Class::Percent, vec!["50".into()], at + 1));
    }
    let (amount, mut next) = amount(tokens, at)?;
    // "fifty-percent"
    if word(next) == Some("-") {
        next += 1;
    }
    match sense_after_words(word(next)?) {
        _ if is_per_cent(tokens, next) => Some((Class::Percent, vec![amount], next + 1)),
        Some(Sense::Percent) => Some((Class::Percent, vec![amount], next)),
        Some(Sense::Currency(code)) => Some((Class::Price, vec![code, amount], next)),
        _ => None,
    }
}

/// The number that words say from a token on, and the token after it.
fn amount(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let (mut sum, mut part, mut next) = (0_u64, None::<u64>, at);
    for _ in 0..WORDS_MAX {
        let joins = part.is_some()
            && tokens.get(next).is_some_and(|token| matches!(token.folded.as_str(), "-" | "and"));
        let word = next + usize::from(joins);
        // "per cent" is no hundred.
        let Some(value) =
            tokens.get(word).filter(|_| !is_per_cent(tokens, next)).and_then(|token| number(&token.folded))
        else {
            break;
        };
        match value {
            1_000 => sum += part.take().unwrap_or(1) * 1_000,
            100 => part = Some(part.unwrap_or(1) * 100),
            _ => part = Some(part.unwrap_or(0) + value),
        }
        next = word + 1;
    }
    (next > at).then(|| ((sum + part.unwrap_or(0)).to_string(), next))
}
