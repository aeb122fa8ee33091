//! Banned phrases: whole words, whatever their case, accents or hyphens.

use aho_corasick::AhoCorasick;

use crate::fold::{fold, fold_trimmed, has_no_word_gaps};

/// The banned phrases of a campaign, ready to be found.
#[derive(Debug)]
pub(crate) struct Banned {
    phrases: Vec<String>,
    search: Option<AhoCorasick>,
}

impl Banned {
    /// Compiles phrases.
    pub(crate) fn new(phrases: &[String]) -> Self {
        let kept: Vec<String> =
            phrases.iter().filter(|phrase| !fold_trimmed(phrase).is_empty()).cloned().collect();
        let folded: Vec<_> = kept.iter().map(|phrase| fold_trimmed(phrase)).collect();
        // It can only fail on gigabytes of phrases; a campaign file is smaller.
        let search = (!folded.is_empty()).then(|| {
            AhoCorasick::new(folded.iter().map(|phrase| phrase.as_bytes()))
                .expect("a campaign file fits in memory")
        });
        Self { phrases: kept, search }
    }

    /// Returns the first banned phrase in a text, as the campaign writes it.
    pub(crate) fn find(&self, text: &str) -> Option<&str> {
        let search = self.search.as_ref()?;
        let folded = fold(text);
        // Overlapping, because a match that is no whole word must not hide one that is.
        search
            .find_overlapping_iter(folded.as_bytes())
            .find(|found| is_whole(&folded, found.start(), found.end()))
            .map(|found| self.phrases[found.pattern().as_usize()].as_str())
    }
}

/// Whether a match begins and ends where words do.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let gap = |outer: Option<char>, inner: Option<char>| match (outer, inner) {
        (Some(outer), Some(inner)) => {
            !outer.is_alphanumeric()
                || !inner.is_alphanumeric()
                || has_no_word_gaps(outer)
                || has_no_word_gaps(inner)
        }
        _ => true,
    };
    let found = &text[start..end];
    gap(text[..start].chars().next_back(), found.chars().next())
        && gap(text[end..].chars().next(), found.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_whole_words_in_any_spelling() {
        let banned = ["guaranteed", "free money", "100%", "最安値", "Günstig"].map(String::from);
        let banned = Banned::new(&banned);
        for (text, found) in [
            ("It is GUARANTEED.", Some("guaranteed")),
            ("free-money inside", Some("free money")),
            ("Frée  Mönéy!", Some("free money")),
            ("frее mоnеу in Cyrillic", Some("free money")),
            ("today 100% wool", Some("100%")),
            ("業界最安値です", Some("最安値")),
            ("ganz gunstig", Some("Günstig")),
            ("unguaranteed", None),
            ("carefree moneys", None),
            ("free. Money", None),
            ("", None),
        ] {
            assert_eq!(banned.find(text), found, "{text}");
        }
        assert_eq!(Banned::new(&[]).find("anything"), None);
    }
}
