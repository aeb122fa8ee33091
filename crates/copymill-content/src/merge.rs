//! Filling a row's values into copy, and the checks that depend on them.

use copymill_campaign::Reason;

use crate::{
    checks::{self, Findings, codes},
    content::Content,
    copy::{Copy, CopyParts, OpenText},
    names::{Piece, Source},
    render::{Filled, Part},
    value::{MergeValue, merge_value},
};

/// Copy, filled in for a row.
pub struct Merged {
    /// What the recipient gets: a JSON object of texts.
    pub rendered_json: String,
    /// Failed checks; empty where the message can go out.
    pub reasons: Vec<Reason>,
}

impl Content {
    /// Fills in a row's values, in the order of the campaign's columns, and runs the checks that depend on them.
    pub fn merge(&self, copy: &Copy, values: &[String], attempt: u32) -> Merged {
        let copy = copy.parts();
        let mut findings = Findings::default();
        let row: Vec<String> = copy.used.iter().map(|name| self.value(name, values, &mut findings)).collect();
        for text in &copy.open {
            self.check_open(text, copy, &row, &mut findings);
        }
        if !findings.is_empty() {
            return Merged { rendered_json: String::new(), reasons: findings.into_reasons(attempt) };
        }
        let filled: Vec<Filled> = row.iter().map(|value| Filled::new(value)).collect();
        let mut rendered = String::with_capacity(copy.size + 64 * filled.len());
        for part in &copy.parts {
            match part {
                Part::Literal(text) => rendered.push_str(text),
                Part::Value { name, html: true } => rendered.push_str(&filled[*name].html),
                Part::Value { name, html: false } => rendered.push_str(&filled[*name].plain),
            }
        }
        self.check_whole(&rendered, &mut findings);
        if !findings.is_empty() {
            return Merged { rendered_json: String::new(), reasons: findings.into_reasons(attempt) };
        }
        Merged { rendered_json: rendered, reasons: Vec::new() }
    }

    /// Checks the whole text of a message whose kind limits it.
    fn check_whole(&self, rendered_json: &str, findings: &mut Findings) {
        let Some(limit) = self.rules.kind.limit else { return };
        let rendered: serde_json::Value = serde_json::from_str(rendered_json).unwrap_or_default();
        checks::length(
            "text",
            rendered["text"].as_str().unwrap_or_default(),
            (limit.max, limit.unit),
            findings,
        );
    }

    fn check_open(&self, text: &OpenText, copy: &CopyParts, row: &[String], findings: &mut Findings) {
        let mut shown = String::new();
        for piece in &text.pieces {
            match piece {
                Piece::Literal(text) => shown.push_str(text),
                Piece::Name(name) => {
                    let place = copy.used.iter().position(|used| used == name);
                    shown.push_str(place.map_or("", |place| row[place].as_str()));
                }
            }
        }
        let field = &self.rules.kind.fields[text.field];
        self.rules.check_shown((&text.label, field), &shown, findings);
    }

    /// A row's value as messages show it; what is wrong with it is found without being repeated.
    fn value(&self, name: &str, values: &[String], findings: &mut Findings) -> String {
        let Some(Source::Column { index, default }) = self.rules.names.get(name) else {
            return String::new();
        };
        let mut problem = |code, what: &str| {
            findings.add(code, None, format!("the row's `{name}` {what}"));
            String::new()
        };
        match merge_value(values.get(*index).map_or("", String::as_str)) {
            MergeValue::Clean(value) => value,
            MergeValue::Empty => default.clone().unwrap_or_else(|| {
                problem(codes::EMPTY_MERGE_FIELD, "is empty and audience.defaults has no value for it")
            }),
            MergeValue::Harmful(how) => problem(codes::UNSAFE_VALUE, how),
            MergeValue::TooLong => {
                problem(codes::VALUE_TOO_LONG, "has more characters than any message shows")
            }
        }
    }
}
