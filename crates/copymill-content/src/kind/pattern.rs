//! A regular expression of a kind's file, compiled once: a watch looks at a growing text after every token.

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A pattern that a text matches whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    written: String,
    whole: Regex,
}

impl Pattern {
    /// Whether a text matches from its first to its last character.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    /// The expression with what makes it match whole texts.
    pub fn anchored(&self) -> &str {
        self.whole.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let whole = Regex::new(&format!("^(?:{written})$"));
        let whole = whole.map_err(|error| format!("the pattern {written:?} cannot be used: {error}"))?;
        Ok(Self { written, whole })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.written
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}
