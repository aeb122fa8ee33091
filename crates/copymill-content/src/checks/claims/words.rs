//! Words that make a number a price, a percentage or a date.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde::Deserialize;

/// What a word makes of the number beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sense {
    Currency(String),
    Percent,
    Month(usize),
}

#[derive(Deserialize)]
struct File {
    currencies: HashMap<String, Vec<String>>,
    percent: Vec<String>,
    months: Vec<Vec<String>>,
    deadlines: HashSet<String>,
    between: HashSet<String>,
    days: HashSet<String>,
    number_words: HashMap<u64, Vec<String>>,
    halves: HashMap<String, HashSet<String>>,
    only: HashSet<String>,
    ordinals: HashSet<String>,
    plain: HashSet<String>,
}

struct Words {
    senses: HashMap<String, Sense>,
    numbers: HashMap<String, u64>,
    file: File,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let file: File =
        serde_saphyr::from_str(include_str!("../../../data/claims.yaml")).expect("a test reads it");
    let mut senses = HashMap::new();
    for (month, names) in (1..).zip(&file.months) {
        senses.extend(names.iter().map(|name| (name.clone(), Sense::Month(month))));
    }
    for (code, words) in &file.currencies {
        senses.extend(words.iter().map(|word| (word.clone(), Sense::Currency(code.clone()))));
    }
    senses.extend(file.percent.iter().map(|word| (word.clone(), Sense::Percent)));
    let spelled =
        file.number_words.iter().flat_map(|(number, words)| words.iter().map(|word| (word.clone(), *number)));
    Words { senses, numbers: spelled.collect(), file }
});

/// What a folded word makes of a number.
pub(super) fn sense(word: &str) -> Option<Sense> {
    WORDS.senses.get(word).cloned()
}

/// Whether a word with a digit claims nothing, such as `b2b`.
pub(super) fn is_plain(word: &str) -> bool {
    WORDS.file.plain.contains(word)
}

pub(super) fn is_deadline(word: &str) -> bool {
    WORDS.file.deadlines.contains(word)
}

pub(super) fn is_between(word: &str) -> bool {
    WORDS.file.between.contains(word)
}

pub(super) fn is_day(word: &str) -> bool {
    WORDS.file.days.contains(word)
}

pub(super) fn is_ordinal(word: &str) -> bool {
    WORDS.file.ordinals.contains(word)
}

/// The number that a word is, where it is one.
pub(super) fn number(word: &str) -> Option<u64> {
    WORDS.numbers.get(word).copied()
}

/// Whether two words say half of a price.
pub(super) fn is_half(word: &str, next: &str) -> bool {
    WORDS.file.halves.get(word).is_some_and(|nexts| nexts.contains(next))
}

/// Whether a word makes a day beside it a deadline.
pub(super) fn is_only(word: &str) -> bool {
    WORDS.file.only.contains(word)
}

/// What a folded word makes of a number in words. Short names of currencies are words of other meanings, too: "one try".
pub(super) fn sense_after_words(word: &str) -> Option<Sense> {
    sense(word).filter(|sense| match sense {
        Sense::Currency(_) => word.len() >= 4 || matches!(word, "yen" | "usd" | "eur" | "gbp"),
        Sense::Percent => true,
        Sense::Month(_) => false,
    })
}

/// Whether a text without a digit may claim something.
pub(super) fn may_claim(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(|word| crate::fold::fold_trimmed(word));
    let tells = |word: &str| {
        is_day(word) || sense_after_words(word).is_some() || WORDS.file.halves.contains_key(word)
    };
    let mut words = words;
    text.contains(['%', '$']) || words.any(|word| tells(&word))
}

/// The days that a text names. Most texts name none.
pub(super) fn days(text: &str) -> impl Iterator<Item = String> + '_ {
    let words =
        text.split(|c: char| !c.is_alphanumeric()).map(|word| crate::fold::fold_trimmed(word).into_owned());
    words.filter(|word| is_day(word))
}
