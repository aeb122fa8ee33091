//! The renderer's own words, in the campaign's language.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde::Deserialize;

#[derive(Deserialize)]
struct Labels {
    unsubscribe: HashMap<String, String>,
    right_to_left: HashSet<String>,
}

static LABELS: LazyLock<Labels> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../data/labels.yaml")).expect("a test reads it")
});

/// What the link to unsubscribe says in a language (a BCP 47 tag); English where no word is known.
pub(crate) fn unsubscribe(language: &str) -> &'static str {
    let words = &LABELS.unsubscribe;
    let primary = language.split('-').next().unwrap_or_default().to_lowercase();
    words.get(&primary).or_else(|| words.get("en")).map_or("Unsubscribe", String::as_str)
}

/// Whether a language, or the script that its tag names, is written from right to left.
pub(crate) fn is_right_to_left(language: &str) -> bool {
    let mut subtags = language.split('-');
    let primary = subtags.next().unwrap_or_default().to_lowercase();
    let script = subtags.find(|subtag| subtag.len() == 4);
    LABELS.right_to_left.contains(script.unwrap_or(&primary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_language_and_its_script() {
        assert_eq!(unsubscribe("de-AT"), "Abmelden");
        assert_eq!(unsubscribe("tlh"), "Unsubscribe");
        assert!(is_right_to_left("ar") && is_right_to_left("he-IL") && is_right_to_left("az-Arab"));
        assert!(!is_right_to_left("en") && !is_right_to_left("ur-Latn"));
    }
}
