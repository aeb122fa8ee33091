//! The text of a prompt's templates, and what is wrong in it: all of it, with lines of the file that the user edits.

use copymill_campaign::{Accepted, nearest};
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::kind::Kind;

const SYSTEM: &str = include_str!("../../prompts/system.j2");
const ROW: &str = include_str!("../../prompts/row.j2");

/// Name of the part that is the same for all rows.
const SYSTEM_PART: &str = "system";
/// Name of the part for one row.
pub(super) const ROW_PART: &str = "row";

/// Mistakes named of one part at most.
const MISTAKES_MAX: usize = 20;
/// Names that a message lists at most.
const NAMES_SHOWN_MAX: usize = 12;

/// A prompt as its author wrote it.
pub(super) struct Written<'a> {
    /// The key of the campaign file that leads to it.
    pub(super) key: &'static str,
    /// What messages call it.
    pub(super) name: String,
    text: Option<&'a str>,
}

/// A part's template.
pub(super) struct Part {
    name: &'static str,
    /// The line of the file on which it begins, counted from 1.
    first_line: usize,
    pub(super) text: String,
}

impl<'a> Written<'a> {
    /// The campaign's own prompt, else the kind's, else the built-in one.
    pub(super) fn of(campaign: &'a Accepted, kind: &'a Kind) -> Self {
        match (&campaign.prompt, &kind.prompt) {
            (Some(text), _) => {
                let name = campaign.file.prompt.as_deref().unwrap_or("the prompt");
                Self { key: "prompt", name: name.to_owned(), text: Some(text) }
            }
            (None, Some(text)) => Self {
                key: "kind",
                name: format!("the prompt of the kind `{}`", kind.kind),
                text: Some(text),
            },
            (None, None) => Self { key: "kind", name: "the built-in prompt".into(), text: None },
        }
    }

    /// The part for the campaign and the part for one recipient.
    pub(super) fn parts(&self) -> Result<(Part, Part), String> {
        let Some(text) = self.text else {
            return Ok((Part::new(SYSTEM_PART, 1, SYSTEM), Part::new(ROW_PART, 1, ROW)));
        };
        let text = text.replace("\r\n", "\n");
        let (system, row) = text.split_once("\n---\n").ok_or(
            "a line `---` must stand between the part for the campaign and the part for one recipient",
        )?;
        let line_of_row = system.matches('\n').count() + 3;
        Ok((Part::new(SYSTEM_PART, 1, system), Part::new(ROW_PART, line_of_row, row)))
    }
}

impl Part {
    fn new(name: &'static str, first_line: usize, text: &str) -> Self {
        Self { name, first_line, text: text.to_owned() }
    }

    /// Renders the part and leaves its template in the environment; notes each value that is not there, and the first
    /// mistake of another sort.
    pub(super) fn render(
        &self,
        environment: &mut Environment<'static>,
        values: &Value,
        wrong: &mut Vec<String>,
    ) -> Option<String> {
        let mut text = self.text.clone();
        for found in 0..MISTAKES_MAX {
            let added = environment.add_template_owned(self.name, text.clone());
            let rendered = added.and_then(|()| environment.get_template(self.name)?.render(values));
            let error = match rendered {
                Ok(rendered) => return (found == 0).then_some(rendered),
                Err(error) => error,
            };
            let missing = (error.kind() == ErrorKind::UndefinedError).then(|| error.range()).flatten();
            match missing.filter(|range| text.get(range.clone()).is_some_and(|name| !name.is_empty())) {
                Some(range) => {
                    wrong.push(self.say_missing(&error, &text[range.clone()], values));
                    let blank = blank(&text[range.clone()]);
                    text.replace_range(range, &blank);
                }
                // What fails after a value was blanked may fail because it was.
                None if found > 0 => break,
                None => {
                    wrong.push(self.say(&error));
                    break;
                }
            }
        }
        None
    }

    fn say(&self, error: &Error) -> String {
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        format!("{}: {}{detail}", self.place(error), error.kind())
    }

    fn say_missing(&self, error: &Error, name: &str, values: &Value) -> String {
        let known = known(values);
        let root = name.split(['.', '[']).next().unwrap_or(name);
        let elsewhere = match (self.name, root) {
            (SYSTEM_PART, "recipient" | "hint") => Some("below"),
            (ROW_PART, "kind" | "language" | "brief" | "facts" | "names" | "must_use" | "banned") => {
                Some("above")
            }
            _ => None,
        };
        let hint = match (elsewhere, nearest(name, known.iter().map(String::as_str))) {
            (Some(place), _) => format!("; `{root}` is known {place} the line `---` only"),
            (None, Some(near)) => format!("; did you mean `{near}`?"),
            (None, None) => {
                let names: Vec<&str> = known.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect();
                let more = if known.len() > NAMES_SHOWN_MAX { " …" } else { "" };
                format!("; known here are {}{more}", names.join(", "))
            }
        };
        format!("{}: `{name}` is not there{hint}", self.place(error))
    }

    fn place(&self, error: &Error) -> String {
        error.line().map(|line| format!(" line {}", self.first_line + line - 1)).unwrap_or_default()
    }
}

/// An expression that renders to nothing, as long as the one that it takes the place of: other places stay where they are.
fn blank(expression: &str) -> String {
    let empty = if expression.len() == 1 { "0" } else { "\"\"" };
    // Bytes, because ranges count them.
    let rest = expression.bytes().skip(empty.len());
    empty.chars().chain(rest.map(|byte| if byte == b'\n' { '\n' } else { ' ' })).collect()
}

/// The names that a template may use: `language`, `brief.goal`.
fn known(values: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for key in values.try_iter().into_iter().flatten() {
        let key = key.to_string();
        let value = values.get_attr(&key).unwrap_or_default();
        if value.kind() != minijinja::value::ValueKind::Map {
            names.push(key);
            continue;
        }
        names.extend(value.try_iter().into_iter().flatten().map(|inner| format!("{key}.{inner}")));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blanked_expression_keeps_its_length_and_its_lines() {
        for expression in ["x", "ab", "brief.\ngoal", "ä.b"] {
            let blank = blank(expression);
            assert_eq!(blank.len(), expression.len());
            assert_eq!(blank.matches('\n').count(), expression.matches('\n').count());
        }
    }
}
