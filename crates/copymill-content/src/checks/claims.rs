//! Claims: numbers, prices, percentages, dates and links. Facts are locked, so a claim must be one of the facts or one
//! of the recipient's own fields, however it is written: `1.299,00 €` is `€1,299`.

mod amount;
mod spelled;
mod tokens;
mod words;

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::codes;
use crate::names::{MARKER, Shown};
use tokens::{Token, TokenKind};
use words::{Sense, is_plain, sense};

/// What is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Number,
    Price,
    Percent,
    Date,
    Link,
}

/// One claim in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) class: Class,
    /// What it comes down to: an amount; a currency and an amount; month, day and year as far as they are given.
    parts: Vec<String>,
    /// Its bytes in the text.
    range: Range<usize>,
    /// As it is written.
    pub(crate) shown: String,
}

/// What may be claimed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed(Vec<(Class, Vec<String>)>);

impl Class {
    /// The code of a claim that is not a fact.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Class::Number => codes::NUMBER_NOT_A_FACT,
            Class::Price => codes::PRICE_NOT_A_FACT,
            Class::Percent => codes::PERCENT_NOT_A_FACT,
            Class::Date => codes::DATE_NOT_A_FACT,
            Class::Link => codes::LINK_NOT_A_FACT,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Class::Number => "number",
            Class::Price => "price",
            Class::Percent => "percentage",
            Class::Date => "date",
            Class::Link => "link",
        }
    }
}

impl Claim {
    /// The sentence for a claim that is not a fact.
    pub(crate) fn message(&self) -> String {
        format!("the {} “{}” is neither a fact nor a field of the recipient", self.class.word(), self.shown)
    }
}

impl Allowed {
    /// Allows what facts claim.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::some_of(texts, |_, _| true)
    }

    /// Allows what a recipient's fields claim. A field may hold anything, also an offer for the model to repeat: a price or a
    /// percentage counts where it is all that the field says, and a link never.
    pub(crate) fn of_row<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::some_of(values, |value, claim| match claim.class {
            Class::Number | Class::Date => true,
            Class::Price | Class::Percent => value.trim().len() == claim.range.len(),
            Class::Link => false,
        })
    }

    fn some_of<'a>(texts: impl IntoIterator<Item = &'a str>, counts: impl Fn(&str, &Claim) -> bool) -> Self {
        let mut allowed = Vec::new();
        for text in texts {
            let claimed = claims(text).into_iter().filter(|claim| counts(text, claim));
            for Claim { class, parts, .. } in claimed {
                // The amount of a price and the day of a date may be named alone; that of a percentage may not.
                if matches!(class, Class::Price | Class::Date) {
                    let amounts = parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
                    allowed.extend(amounts.map(|amount| (Class::Number, vec![amount.clone()])));
                }
                allowed.push((class, parts));
            }
            // A day that a fact names may be a deadline.
            allowed.extend(words::days(text).map(|day| (Class::Date, vec![day])));
        }
        Self(allowed)
    }

    /// Whether a claim is one of these, or a part of one.
    pub(crate) fn allows(&self, claim: &Claim) -> bool {
        self.0.iter().any(|(class, parts)| *class == claim.class && includes(parts, &claim.parts))
    }
}

/// Whether all of `parts` are in `all`, each as often as it is there.
fn includes(all: &[String], parts: &[String]) -> bool {
    let mut left: Vec<&String> = all.iter().collect();
    parts
        .iter()
        .all(|part| left.iter().position(|other| *other == part).map(|at| left.swap_remove(at)).is_some())
}

/// Returns the claims of a text that are neither written by its facts nor equal to what is allowed.
pub(crate) fn unsupported(shown: &Shown, allowed: &Allowed, more: &Allowed) -> Vec<Claim> {
    let mut found = claims(&shown.text);
    found.retain(|claim| !shown.is_fact(&claim.range) && !allowed.allows(claim) && !more.allows(claim));
    found
}

/// Returns all claims of a text.
pub(crate) fn claims(text: &str) -> Vec<Claim> {
    if !text.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'@' | b':') || byte >= 0x80)
        && !words::may_claim(text)
    {
        return Vec::new();
    }
    let mut found: Vec<Claim> = links(text).collect();
    let mut rest = text.to_owned();
    for link in &found {
        // Blanks of the same length keep all positions.
        rest.replace_range(link.range.clone(), &" ".repeat(link.range.len()));
    }
    let tokens = tokens::split(&rest);
    let mut at = 0;
    while at < tokens.len() {
        let (claim, next) = read(&rest, &tokens, at);
        found.extend(claim);
        at = next.max(at + 1);
    }
    found
}

/// The claim that begins at a token, if any, and the token after it.
fn read(text: &str, tokens: &[Token], at: usize) -> (Option<Claim>, usize) {
    let token = &tokens[at];
    let claim = |class, parts, first: usize, last: usize| {
        let range = tokens[first].range.start..tokens[last].range.end;
        let shown = text[range.clone()].replace(MARKER, "[[…]]");
        (Some(Claim { class, parts, range, shown }), last + 1)
    };
    if let Some((parts, last)) = date(tokens, at) {
        return claim(Class::Date, parts, at, last);
    }
    if let Some((day, last)) = deadline(tokens, at) {
        // The day is what is claimed: "until [[ends]]" is as good as the fact.
        let shown = text[token.range.start..tokens[last].range.end].to_owned();
        return (
            Some(Claim { class: Class::Date, parts: vec![day], range: tokens[last].range.clone(), shown }),
            last + 1,
        );
    }
    if let Some((class, parts, last)) = spelled::claim(tokens, at) {
        return claim(class, parts, at, last);
    }
    if let Some((class, last)) = unit_of_marker(tokens, at) {
        return claim(class, vec![MARKER.to_string()], at, last);
    }
    let after = |at: usize| tokens.get(at).and_then(|token| sense(&token.folded));
    match &token.kind {
        TokenKind::Number(amount) => match after(at + 1) {
            Some(Sense::Percent) => claim(Class::Percent, vec![amount.clone()], at, at + 1),
            Some(Sense::Currency(code)) => claim(Class::Price, vec![code, amount.clone()], at, at + 1),
            _ if is_per_cent(tokens, at + 1) => claim(Class::Percent, vec![amount.clone()], at, at + 2),
            _ => claim(Class::Number, vec![amount.clone()], at, at),
        },
        TokenKind::Mixed if !is_plain(&token.folded) => {
            claim(Class::Number, vec![token.folded.clone()], at, at)
        }
        TokenKind::Word | TokenKind::Sign => match (sense(&token.folded), tokens.get(at + 1)) {
            (Some(Sense::Currency(code)), Some(Token { kind: TokenKind::Number(amount), .. })) => {
                claim(Class::Price, vec![code, amount.clone()], at, at + 1)
            }
            _ => (None, at + 1),
        },
        TokenKind::Mixed => (None, at + 1),
    }
}

/// A currency or percent sign beside a recipient's value: the value alone may be said, what it counts may not.
fn unit_of_marker(tokens: &[Token], at: usize) -> Option<(Class, usize)> {
    let is_marker = |at: usize| tokens.get(at).is_some_and(|token| token.folded.starts_with(MARKER));
    let sense_at = |at: usize| tokens.get(at).and_then(|token| sense(&token.folded));
    match (sense_at(at), sense_at(at + 1)) {
        (Some(Sense::Currency(_)), _) if is_marker(at + 1) => Some((Class::Price, at + 1)),
        (_, Some(Sense::Currency(_))) if is_marker(at) => Some((Class::Price, at + 1)),
        (_, Some(Sense::Percent)) if is_marker(at) => Some((Class::Percent, at + 1)),
        _ if is_marker(at) && is_per_cent(tokens, at + 1) => Some((Class::Percent, at + 2)),
        _ => None,
    }
}

fn is_per_cent(tokens: &[Token], at: usize) -> bool {
    let word = |at: usize| tokens.get(at).map(|token| token.folded.as_str());
    matches!((word(at), word(at + 1)), (Some("per" | "por" | "pour"), Some("cent" | "ciento" | "cento")))
}

/// A date that begins at a token: its parts, and its last token.
fn date(tokens: &[Token], at: usize) -> Option<(Vec<String>, usize)> {
    date_in_digits(tokens, at).or_else(|| date_in_words(tokens, at))
}

/// `30.04.2026`, `4/30/2026`, `2026-04-30`: parts are sorted, because day and month change places by country.
fn date_in_digits(tokens: &[Token], at: usize) -> Option<(Vec<String>, usize)> {
    let token = &tokens[at];
    let TokenKind::Number(_) = token.kind else { return None };
    let groups: Vec<&str> = token.folded.split('.').collect();
    if groups.len() == 3 && groups[0].len() <= 2 && groups[1].len() <= 2 {
        return Some((date_parts(groups), at));
    }
    let [first, sign, second, sign_again, third] = tokens.get(at..at + 5)? else { return None };
    let joined = |sign: &Token| matches!(sign.folded.as_str(), "/" | "-") && sign.is_tight;
    let is_number = |token: &Token| matches!(token.kind, TokenKind::Number(_));
    let is_date = joined(sign) && sign.folded == sign_again.folded && joined(sign_again);
    if !is_date || !is_number(second) || !is_number(third) {
        return None;
    }
    Some((date_parts([&first.folded, &second.folded, &third.folded].map(String::as_str)), at + 4))
}

/// `April 30`, `30 April 2026`, `30. April`, `April 30th, 2026`, `30th of April`.
fn date_in_words(tokens: &[Token], at: usize) -> Option<(Vec<String>, usize)> {
    let month = |at: usize| match sense(&tokens.get(at)?.folded)? {
        Sense::Month(month) => Some(month),
        _ => None,
    };
    let day = |at: usize| tokens.get(at).and_then(Token::day);
    let skip = |at: usize| {
        at + usize::from(
            tokens.get(at).is_some_and(|token| matches!(token.folded.as_str(), "of" | "." | "," | "de")),
        )
    };
    let (month, day, mut last) = if let Some(month) = month(at) {
        (month, day(at + 1)?, at + 1)
    } else {
        let day = day(at)?;
        let of = skip(at + 1);
        (month(of)?, day, of)
    };
    let mut parts = vec![format!("month {month}"), day];
    let year = skip(last + 1);
    if let Some(Token { kind: TokenKind::Number(number), .. }) = tokens.get(year)
        && number.len() == 4
    {
        parts.push(number.clone());
        last = year;
    }
    Some((parts, last))
}

/// "until Friday", "ends tonight", "today only": the day, and its token.
fn deadline(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let word = |at: usize| tokens.get(at).map(|token| token.folded.as_str());
    if words::is_only(word(at)?) && word(at + 1).is_some_and(words::is_day) {
        return Some((word(at + 1)?.to_owned(), at + 1));
    }
    if words::is_day(word(at)?) && word(at + 1).is_some_and(words::is_only) {
        return Some((word(at)?.to_owned(), at));
    }
    if !words::is_deadline(word(at)?) {
        return None;
    }
    let mut next = at + 1;
    while word(next).is_some_and(words::is_between) {
        next += 1;
    }
    let day = word(next).filter(|day| words::is_day(day))?;
    Some((day.to_owned(), next))
}

fn date_parts<'a>(groups: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut parts: Vec<String> = groups.into_iter().map(amount::without_zeros).collect();
    parts.sort();
    parts
}

/// Links and addresses, also without a scheme. Endings that are English words (`.it`, `.me`) are left out: a missing
/// blank after a full stop is likelier.
fn links(text: &str) -> impl Iterator<Item = Claim> + '_ {
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.|mailto:)[^\s\u{fffc}<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|net|org|info|biz|edu|gov|shop|store|online|site|xyz|app|dev|example|tld|co|io|ai|eu|de|fr|nl|pl|uk|ch|ru|cn|jp|br|ca|us|tv|ly)\b(?:/[^\s\u{fffc}<>]*)?|\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z]{2,24}/[^\s\u{fffc}<>]+",
        )
        .expect("a test uses it")
    });
    LINK.find_iter(text).map(|found| {
        let shown = found.as_str().trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '”', '"', '\'']);
        let parts = vec![shown.trim_end_matches('/').to_owned()];
        let range = found.start()..found.start() + shown.len();
        Claim { class: Class::Link, parts, range, shown: shown.to_owned() }
    })
}

/// Whether a text holds a link; an e-mail address is none.
pub(crate) fn holds_link(text: &str) -> bool {
    text.contains('.') && links(text).any(|link| !link.shown.contains('@') || link.shown.contains(':'))
        || text.contains("://")
}

#[cfg(test)]
mod tests;
