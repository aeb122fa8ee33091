//! Recipients' values on their way into a message.

use std::sync::LazyLock;

use regex::Regex;

use crate::{checks::holds_link, clean::one_line};

/// Characters of a merge field's value at most. Names, cities and products are shorter; a longer value is never cut,
/// because half a name or code is worse than none: its row is refused.
const VALUE_CHARS_MAX: usize = 120;

/// What files hold where they hold nothing. `Null` and `Na` are names of people.
const EMPTY: [&str; 12] =
    ["-", "--", "?", "n/a", "N/A", "#N/A", "null", "NULL", "(null)", "undefined", "NaN", "nan"];

/// A value, looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MergeValue {
    /// One clean line.
    Clean(String),
    /// Nothing, or a word that stands for nothing.
    Empty,
    /// It would do harm in a message: in which way. The value itself is not told.
    Harmful(&'static str),
    /// It has more characters than any message shows.
    TooLong,
}

/// Looks at a raw value of the audience.
pub(crate) fn merge_value(raw: &str) -> MergeValue {
    let value = one_line(raw);
    if value.is_empty() || EMPTY.contains(&value.as_str()) {
        return MergeValue::Empty;
    }
    if value.len() > VALUE_CHARS_MAX && value.chars().count() > VALUE_CHARS_MAX {
        return MergeValue::TooLong;
    }
    harm(&value).map_or(MergeValue::Clean(value), MergeValue::Harmful)
}

/// Whether a merge field with this value is empty, so that its default stands in.
pub fn is_empty_value(raw: &str) -> bool {
    let value = raw.trim();
    // Nearly all values begin with a letter; an audience of millions need not be cleaned to know that.
    if value.is_ascii() && value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return EMPTY.contains(&value);
    }
    matches!(merge_value(raw), MergeValue::Empty)
}

fn harm(value: &str) -> Option<&'static str> {
    // Nearly all values are plain words; only these characters can begin harm.
    if !value.bytes().any(|byte| b"<>{}[]|%$#=:/.*\\`&".contains(&byte)) {
        return None;
    }
    let harms = [
        (&*CONTROL, "holds what language models take for a control token"),
        (&*TAG, "holds an HTML tag"),
        (&*TEMPLATE, "holds template syntax"),
        (&*BRACKETS, "holds double brackets, which are the mark of merge fields"),
    ];
    let harm = harms.iter().find(|(pattern, _)| pattern.is_match(value)).map(|(_, harm)| *harm);
    harm.or_else(|| (holds_link(value) || SCHEME.is_match(value)).then_some("holds a link"))
}

static CONTROL: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)<\||\|>|\[/?inst\]|<</?sys>>|</?s>|</?think(?:ing)?>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>",
    )
});
static TAG: LazyLock<Regex> =
    LazyLock::new(|| regex(r"<[A-Za-z/!?]|&(?:[A-Za-z]{2,8}|#x?[0-9A-Fa-f]{1,6});"));
static TEMPLATE: LazyLock<Regex> = LazyLock::new(|| regex(r"[{}]|\*\||\|\*|%%|<%|%>|\$\(|=\?|\]\("));
static BRACKETS: LazyLock<Regex> = LazyLock::new(|| regex(r"\[\[|\]\]"));
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:javascript|data|vbscript|file|mailto|tel):"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a test compiles it")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        unsafe_value: Vec<String>,
        empty: Vec<String>,
        fine: Vec<(String, String)>,
    }

    #[test]
    fn values_are_cleaned_refused_or_replaced() {
        let vectors: Vectors = serde_saphyr::from_str(include_str!("../tests/data/values.yaml")).unwrap();
        for raw in &vectors.unsafe_value {
            assert!(matches!(merge_value(raw), MergeValue::Harmful(_)), "{raw:?} passes");
        }
        for raw in &vectors.empty {
            assert_eq!(merge_value(raw), MergeValue::Empty, "{raw:?}");
        }
        for (raw, clean) in &vectors.fine {
            assert_eq!(merge_value(raw), MergeValue::Clean(clean.clone()), "{raw:?}");
        }
        assert!(matches!(merge_value(&"x".repeat(VALUE_CHARS_MAX)), MergeValue::Clean(_)));
        assert_eq!(merge_value(&"x".repeat(VALUE_CHARS_MAX + 1)), MergeValue::TooLong);
        assert_eq!(merge_value(&"x".repeat(1 << 20)), MergeValue::TooLong);
    }

    proptest! {
        #[test]
        fn a_value_that_passes_holds_no_markup_template_or_line_break(raw in r"([<>{}\[\]|:/%$*a \r\n]|\PC){0,24}") {
            if let MergeValue::Clean(value) = merge_value(&raw) {
                let harmful = ["<a", "{{", "[[", "]]", "<|", "://", "\n", "\r"];
                prop_assert!(!harmful.iter().any(|harm| value.contains(harm)));
            }
        }
    }
}
