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
    ordinals: HashSet<String>,
    plain: HashSet<String>,
}

struct Words {
    senses: HashMap<String, Sense>,
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
    Words { senses, file }
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

/// The days that a text names. Most texts name none.
pub(super) fn days(text: &str) -> impl Iterator<Item = String> + '_ {
    let words =
        text.split(|c: char| !c.is_alphanumeric()).map(|word| crate::fold::fold_trimmed(word).into_owned());
    words.filter(|word| is_day(word))
}
