//! Rules between the campaign file and the columns that the audience really has.

use super::{
    ParsedCampaign, Problem,
    near::did_you_mean,
    problem::{list, quote},
};
use crate::is_merge_name;

/// Columns that a message lists at most.
const COLUMNS_SHOWN_MAX: usize = 12;
/// Characters of a column's name at most, where the prompt shows it.
const SHOWN_NAME_CHARS_MAX: usize = 64;

/// Checks every key that names columns, merge fields or facts against the audience's columns.
pub fn check_columns(parsed: &ParsedCampaign, columns: &[String]) -> Vec<Problem> {
    let check = Check { parsed, columns, merge: parsed.file.merge_fields(columns) };
    let mut found = check.id();
    found.extend(check.email());
    found.extend(check.shown("audience.fields", &parsed.file.audience.fields));
    found.extend(check.listed("audience.segment_by", &parsed.file.audience.segment_by));
    found.extend(check.merge());
    found.extend(check.clashes());
    found.extend(check.defaults());
    found.extend(check.must_use());
    found.sort_by_key(|problem| (problem.line, problem.column));
    found
}

struct Check<'a> {
    parsed: &'a ParsedCampaign,
    columns: &'a [String],
    merge: Vec<String>,
}

impl Check<'_> {
    fn id(&self) -> Vec<Problem> {
        let id = &self.parsed.file.audience.id;
        self.missing(id).map(|message| self.parsed.problem("audience.id", message)).into_iter().collect()
    }

    fn email(&self) -> Option<Problem> {
        let email = self.parsed.file.audience.email.as_ref()?;
        self.missing(email).map(|message| self.parsed.problem("audience.email", message))
    }

    /// Columns of a list that the audience does not have.
    fn listed(&self, key: &str, names: &[String]) -> Vec<Problem> {
        let missing = |(index, name): (usize, &String)| {
            self.missing(name).map(|message| self.parsed.problem(&format!("{key}[{index}]"), message))
        };
        names.iter().enumerate().filter_map(missing).collect()
    }

    /// Columns whose names the prompt writes out.
    fn shown(&self, key: &str, names: &[String]) -> Vec<Problem> {
        let mut found = self.listed(key, names);
        for (index, name) in
            names.iter().enumerate().filter(|(_, name)| self.has(name) && !can_be_shown(name))
        {
            let message = format!(
                "the prompt cannot show a column with the name {}; rename it in the file to {}: letters, digits, spaces, `_`, `-` and `.`, {SHOWN_NAME_CHARS_MAX} characters at most",
                quote(name),
                quote(&as_merge_name(name)),
            );
            found.push(self.parsed.problem(&format!("{key}[{index}]"), message));
        }
        found
    }

    fn merge(&self) -> Vec<Problem> {
        let named = self.parsed.file.audience.merge.as_deref().unwrap_or_default();
        let mut found = self.listed("audience.merge", named);
        for (index, name) in
            named.iter().enumerate().filter(|(_, name)| self.has(name) && !is_merge_name(name))
        {
            let message = format!(
                "copy cannot place {}: a merge field's name has letters, digits and `_` only; rename the column in the file to {}",
                quote(name),
                quote(&as_merge_name(name)),
            );
            found.push(self.parsed.problem(&format!("audience.merge[{index}]"), message));
        }
        found
    }

    /// `[[price]]` must have one meaning: a fact, the brand or a column.
    fn clashes(&self) -> Vec<Problem> {
        let file = &self.parsed.file;
        let mut found = Vec::new();
        for (index, name) in self.merge.iter().enumerate() {
            let other = match name.as_str() {
                "brand" => "the brand of the brief",
                name if file.facts.contains_key(name) => "a fact",
                _ => continue,
            };
            let (key, advice) = if file.audience.merge.is_some() {
                (format!("audience.merge[{index}]"), "take it out of audience.merge, or rename one of them")
            } else {
                (
                    "audience".to_owned(),
                    "list the columns that copy may place in audience.merge, or rename one of them",
                )
            };
            let name = quote(name);
            found.push(
                self.parsed.problem(&key, format!("the column {name} has the name of {other}; {advice}")),
            );
        }
        found
    }

    fn defaults(&self) -> Vec<Problem> {
        let audience = &self.parsed.file.audience;
        let mut found = Vec::new();
        for (name, value) in &audience.defaults {
            let key = super::KeyPath::root().key("audience").key("defaults").key(name);
            let message = if let Some(message) = self.missing(name) {
                message
            } else if audience.fields.contains(name) {
                format!("{} is in audience.fields; a default stands for an empty merge field", quote(name))
            } else if !self.merge.contains(name) {
                format!(
                    "{} is no merge field; add it to audience.merge, or leave its default out",
                    quote(name)
                )
            } else if value.trim().is_empty() {
                "the default is empty; write what stands for an empty value".to_owned()
            } else {
                continue;
            };
            found.push(self.parsed.problem(key.as_str(), message));
        }
        found
    }

    fn must_use(&self) -> Vec<Problem> {
        let file = &self.parsed.file;
        let usable = || file.facts.keys().chain(&self.merge).map(String::as_str).chain(["brand"]);
        let mut found = Vec::new();
        for (index, name) in file.checks.must_use.iter().enumerate() {
            if usable().any(|usable| usable == name) {
                continue;
            }
            let message = if file.audience.fields.contains(name) {
                format!(
                    "{} is in audience.fields, so copy cannot place it; move it to audience.merge",
                    quote(name)
                )
            } else if self.has(name) && !is_merge_name(name) {
                format!(
                    "copy cannot place {}; rename the column in the file to {}",
                    quote(name),
                    quote(&as_merge_name(name))
                )
            } else if self.has(name) {
                format!("{} is no merge field; add it to audience.merge", quote(name))
            } else {
                format!("{} is neither a fact nor a merge field{}", quote(name), did_you_mean(name, usable()))
            };
            found.push(self.parsed.problem(&format!("checks.must_use[{index}]"), message));
        }
        found
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// What to say about a column that is not there; none about one that is.
    fn missing(&self, name: &str) -> Option<String> {
        if self.has(name) {
            return None;
        }
        let near = did_you_mean(name, self.columns.iter().map(String::as_str));
        let hint = if near.is_empty() { format!("; it has {}", self.shown_columns()) } else { near };
        Some(format!("the audience has no column {}{hint}", quote(name)))
    }

    fn shown_columns(&self) -> String {
        let names = self.columns.iter().take(COLUMNS_SHOWN_MAX).map(String::as_str);
        match self.columns.len().saturating_sub(COLUMNS_SHOWN_MAX) {
            0 => list(names, "and"),
            more => format!("{} … and {more} more", names.map(quote).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Whether the prompt may write a column's name: nothing that could read as a template, markup or a new line.
pub(super) fn can_be_shown(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    name.chars().count() <= SHOWN_NAME_CHARS_MAX && name.chars().all(allowed)
}

/// A name that copy can place and that reads like `name`: `First Name` becomes `first_name`.
fn as_merge_name(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let joined: String = words.join("_").chars().take(SHOWN_NAME_CHARS_MAX - 1).collect();
    match joined.chars().next() {
        None => "column".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{joined}"),
        Some(_) => joined,
    }
}
