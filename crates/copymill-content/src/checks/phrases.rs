//! Phrases that no message may hold.

use std::{collections::HashSet, sync::LazyLock};

use aho_corasick::AhoCorasick;
use regex::Regex;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::Finding;

/// Words in a row that count as an echo of the prompt.
const ECHO_WORDS: usize = 8;
/// Words in a row whose third appearance counts as going in circles.
const LOOP_WORDS: usize = 4;

/// Banned phrases, whole words, whatever their case and accents.
#[derive(Debug, Clone)]
pub(crate) struct Banned {
    phrases: Vec<String>,
    automaton: Option<AhoCorasick>,
}

impl Banned {
    pub(crate) fn new(phrases: &[String]) -> Self {
        let folded: Vec<String> = phrases.iter().map(|phrase| fold(phrase)).collect();
        let automaton = if folded.is_empty() { None } else { AhoCorasick::new(&folded).ok() };
        Self { phrases: phrases.to_vec(), automaton }
    }

    /// The first banned phrase of a text.
    pub(crate) fn find(&self, text: &str) -> Option<&str> {
        let automaton = self.automaton.as_ref()?;
        let folded = fold(text);
        let whole = |from: usize, to: usize| {
            let word = |c: char| c.is_alphanumeric();
            !folded[..from].ends_with(word) && !folded[to..].starts_with(word)
        };
        let found = automaton.find_overlapping_iter(&folded).find(|found| whole(found.start(), found.end()))?;
        Some(&self.phrases[found.pattern().as_usize()])
    }

    pub(crate) fn check(&self, field: &str, text: &str, found: &mut Vec<Finding>) {
        if let Some(phrase) = self.find(text) {
            found.push(Finding::new("banned_phrase", field.to_owned(), format!("it holds `{phrase}`")));
        }
    }
}

/// Lower case, without accents, any white space as one space.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if !character.is_whitespace() {
            folded.push(if character == '’' { '\'' } else { character });
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded
}

static LEFTOVERS: LazyLock<[(&str, &str, Regex); 4]> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the pattern is tested");
    [
        (
            "placeholder",
            "it holds a placeholder",
            regex(r"(?i)\[[a-z][a-z _-]*\]|\binsert\s+(?:your|the|a)?\s*(?:name|text|link|here|product)\b|\blorem ipsum\b|\bTODO\b|\bxxx+\b|<your[ _-]|\byour (?:name|brand) here\b"),
        ),
        (
            "template_syntax",
            "it holds syntax of a template engine",
            regex(r"\{\{|\}\}|\{%|%\}|\*\||\|\*|%%|\$\{|#\{"),
        ),
        ("markup", "it holds markup", regex(r"(?i)</?[a-z!][^>]*>|&(?:[a-z]+|#\d+);|\]\(|```|\*\*\w")),
        (
            "assistant_phrase",
            "it holds a phrase of an assistant",
            regex(r"(?i)\bas an ai\b|\bas a language model\b|^\s*(?:sure|certainly|of course)[,!]|\bhere(?:'s| is| are) (?:the|your|an?) (?:e-?mail|message|ad|post|text|copy|json)\b|\bi cannot (?:help|assist|comply)|</?think>|<\|"),
        ),
    ]
});

/// Placeholders, template syntax, markup and assistant phrases; a text without its merge fields.
pub(crate) fn leftovers(field: &str, text: &str, found: &mut Vec<Finding>) {
    for (code, message, pattern) in LEFTOVERS.iter() {
        if pattern.is_match(text) {
            found.push(Finding::new(code, field.to_owned(), *message));
        }
    }
    if text.chars().any(crate::clean::is_invisible) {
        found.push(Finding::new("invisible_character", field.to_owned(), "it holds an invisible character"));
    }
}

/// Whether a message goes in circles: the same sentence twice, or the same words three times.
pub(crate) fn repeats(texts: &[&str]) -> bool {
    let mut sentences = HashSet::new();
    let mut runs: std::collections::HashMap<Vec<String>, u32> = std::collections::HashMap::new();
    for text in texts {
        for sentence in text.split(['.', '!', '?']).map(fold) {
            let sentence = sentence.trim().to_owned();
            if sentence.chars().count() >= 20 && !sentences.insert(sentence) {
                return true;
            }
        }
        for run in words(text).windows(LOOP_WORDS) {
            let count = runs.entry(run.to_vec()).or_default();
            *count += 1;
            if *count >= 3 {
                return true;
            }
        }
    }
    false
}

/// Whether a text repeats the prompt's instructions word for word.
pub(crate) fn echoes(instructions: &HashSet<Vec<String>>, text: &str) -> bool {
    words(text).windows(ECHO_WORDS).any(|run| instructions.contains(run))
}

/// Runs of words that count as an echo.
pub(crate) fn runs_of(instructions: &str) -> HashSet<Vec<String>> {
    words(instructions).windows(ECHO_WORDS).map(<[String]>::to_vec).collect()
}

fn words(text: &str) -> Vec<String> {
    fold(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(phrases: &[&str]) -> Banned {
        Banned::new(&phrases.iter().map(|phrase| (*phrase).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn banned_phrases_are_found_as_whole_words_in_any_case_and_accent() {
        let banned = banned(&["free money", "café"]);
        for text in ["FREE  Money!", "so free\nmoney", "at the CAFE", "Cafe\u{301}s? no: café."] {
            assert!(banned.find(text).is_some(), "{text}");
        }
        for text in ["carefree money", "free moneybags", "cafeteria"] {
            assert!(banned.find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn leftovers_are_found_and_ordinary_copy_is_not() {
        let codes = |text: &str| {
            let mut found = Vec::new();
            leftovers("body", text, &mut found);
            found.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
        };
        assert_eq!(codes("Dear [Your Name],"), ["placeholder"]);
        assert_eq!(codes("{{first_name}}"), ["template_syntax"]);
        assert_eq!(codes("<b>Hi</b>"), ["markup"]);
        assert_eq!(codes("Sure! Take it."), ["assistant_phrase"]);
        assert_eq!(codes("Here is your e-mail: hello"), ["assistant_phrase"]);
        for text in ["One of a kind & made to last.", "Be sure, it fits.", "Here is to long walks!", "50 % wool"] {
            assert!(codes(text).is_empty(), "{text}: {:?}", codes(text));
        }
    }

    #[test]
    fn going_in_circles_is_found() {
        assert!(repeats(&["We kept your place by the fire. We kept your place by the fire."]));
        assert!(repeats(&["a b c d a b c d a b c d"]));
        assert!(!repeats(&["We kept your place by the fire.", "Your place is by the fire, as ever."]));
    }
}
