//! What finished copy never holds: placeholders, template syntax, markup, talk about the writing, hidden characters.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};
use serde::Deserialize;

use super::{Findings, codes};
use crate::{clean::is_hidden, fold::fold, names::MARKER};

/// Checks the model's own words: `text` has a marker for each merge field.
pub(crate) fn check(label: &str, text: &str, findings: &mut Findings) {
    brackets(label, text, findings);
    if let Some(found) = TEMPLATE_SYNTAX.find(text) {
        let message =
            format!("the text holds `{}`, which template engines take for themselves", found.as_str());
        findings.add(codes::TEMPLATE_SYNTAX, Some(label), message);
    }
    if let Some(found) = MARKUP.find(text) {
        let message = format!("the text holds markup: `{}`", found.as_str());
        findings.add(codes::MARKUP, Some(label), message);
    }
    if let Some(found) = PLACEHOLDER.find(text) {
        let message = format!("the placeholder `{}` is left", found.as_str());
        findings.add(codes::PLACEHOLDER, Some(label), message);
    }
    let before = std::iter::once(None).chain(text.chars().map(Some));
    if before.zip(text.chars()).any(|(before, c)| c != MARKER && is_hidden(before, c)) {
        let message = "the text holds characters that nobody sees";
        findings.add(codes::INVISIBLE_CHARACTER, Some(label), message);
    }
    if ASSISTANT.is_match(fold(text).trim_start()) {
        findings.add(
            codes::ASSISTANT_PHRASE,
            Some(label),
            "the text is about writing it, not the message itself",
        );
    }
}

/// What is left in brackets once the names that may be placed are taken out.
fn brackets(label: &str, text: &str, findings: &mut Findings) {
    if !text.contains(['[', ']']) {
        return;
    }
    if text.contains("[[") || text.contains("]]") {
        let message = "double brackets stand around something that is no name";
        findings.add(codes::UNRESOLVED_MERGE_FIELD, Some(label), message);
    } else if let Some(found) = BRACKETED.find(text) {
        let message = format!("the placeholder `{}` is left", found.as_str());
        findings.add(codes::PLACEHOLDER, Some(label), message);
    } else {
        findings.add(codes::TEMPLATE_SYNTAX, Some(label), "the text holds a bracket that belongs to nothing");
    }
}

static BRACKETED: LazyLock<Regex> = LazyLock::new(|| regex(r"\[[^\[\]]*\p{L}[^\[\]]*\]"));

/// Braces never belong into copy; the others are the marks of Mailchimp, ASP, Marketo and shell templates.
static TEMPLATE_SYNTAX: LazyLock<Regex> = LazyLock::new(|| regex(r"[{}]|\*\||\|\*|%%|<%|%>|\$\(|#\("));

static MARKUP: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"<[A-Za-z/!?]|&(?:[A-Za-z]{2,8}|#x?[0-9A-Fa-f]{1,6});|\*\*|\]\(|`|(?:^|\s)#{1,6} |(?:^|\s)__\w")
});

/// In capitals where the small word is an ordinary one.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i:\blorem ipsum\b)|\bLorem\b|\bINSERT\b|\bTODO\b|\bTBD\b|\bFIXME\b|\bX{3,}\b|\bYOUR[ _]NAME\b|_{3,}|\.{6,}",
    )
});

#[derive(Deserialize)]
struct Assistant {
    phrases: Vec<String>,
}

static ASSISTANT: LazyLock<RegexSet> = LazyLock::new(|| {
    let file: Assistant =
        serde_saphyr::from_str(include_str!("../../data/assistant.yaml")).expect("a test reads it");
    RegexSet::new(file.phrases).expect("a test compiles them")
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles it")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        refused: BTreeMap<String, Vec<String>>,
        fine: Vec<String>,
    }

    #[test]
    fn leftovers_are_found_and_ordinary_copy_passes() {
        let vectors: Vectors =
            serde_saphyr::from_str(include_str!("../../tests/data/leftovers.yaml")).unwrap();
        for (code, texts) in vectors.refused {
            for text in texts {
                let mut findings = Findings::default();
                check("text", &text, &mut findings);
                assert!(findings.iter().any(|finding| finding.code == code), "{code}: {text}: {findings:?}");
            }
        }
        for text in vectors.fine {
            let mut findings = Findings::default();
            check("text", &text, &mut findings);
            assert!(findings.is_empty(), "{text}: {findings:?}");
        }
    }
}
