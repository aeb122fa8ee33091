//! What is wrong with a campaign file, and where.

use std::fmt;

/// Problems shown at most: a file with more has one cause that the first ones name.
const PROBLEMS_SHOWN_MAX: usize = 50;

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user called it.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The key, such as `audience.fields[1]`; empty where the whole file is meant.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, key, message } = self;
        let separator = if key.is_empty() { "" } else { ": " };
        write!(f, "{path}:{line}:{column}: {key}{separator}{message}")
    }
}

/// Everything that is wrong with a file, in the order of its lines; displayed one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Puts problems in the order of the file; what is said twice about one key is kept once.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (a.line, a.column, &a.key).cmp(&(b.line, b.column, &b.key)));
        problems.dedup();
        Self(problems)
    }

    /// Returns the problems in the order of the file.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(PROBLEMS_SHOWN_MAX).enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        match self.0.len().saturating_sub(PROBLEMS_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Puts a name or value from a file into backticks: on one line, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let cut = if text.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
    format!("`{}{cut}`", text.chars().take(SHOWN_CHARS).map(clean).collect::<String>())
}

/// Joins names for a sentence: "`a`, `b` and `c`".
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut quoted: Vec<String> = names.into_iter().map(quote).collect();
    match (quoted.pop(), quoted.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} {word} {last}", quoted.join(", ")),
    }
}
