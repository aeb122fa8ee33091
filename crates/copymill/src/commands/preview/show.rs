//! A message on the terminal: what the recipient gets, and how it came about.

use copymill_campaign::Outcome;
use copymill_scheduler::Prepared;
use copymill_scheduler::audience::Record;
use copymill_worker::Settled;
use serde_json::{Map, Value};

use crate::output::{self, BAD, GOOD, QUIET, STRONG, WARNING, printable};

/// Width of the names on the left.
const NAMES: usize = 12;
/// Width of running text on a terminal.
const TEXT_COLUMNS: usize = 92;

/// Shows all variants of a record.
pub(super) fn record(prepared: &Prepared, record: &Record, variants: &[Settled]) {
    match &record.values {
        Ok(values) => heading(prepared, record, values),
        Err(error) => {
            output::line(format_args!("{STRONG}row {}{STRONG:#}", record.ordinal));
            output::line(format_args!("  {WARNING}invalid{WARNING:#} {}: {}\n", error.code, error.message));
        }
    }
    for (number, settled) in (1..).zip(variants) {
        if variants.len() > 1 {
            output::line(format_args!("  {QUIET}variant {number} of {}{QUIET:#}", variants.len()));
        }
        message(settled);
        output::line("");
    }
}

fn heading(prepared: &Prepared, record: &Record, values: &[String]) {
    let audience = &prepared.accepted.file.audience;
    let value = |name: &str| {
        let column = prepared.accepted.columns.iter().position(|column| column == name)?;
        values.get(column).map(|value| one_line(value))
    };
    let shown = if prepared.accepted.segmented { &audience.segment_by } else { &audience.fields };
    let fields: Vec<String> =
        shown.iter().filter_map(|name| value(name).map(|value| format!("{name} {value}"))).collect();
    let id = value(&audience.id).unwrap_or_default();
    output::line(format_args!(
        "{STRONG}row {} · {id}{STRONG:#} {QUIET}{}{QUIET:#}",
        record.ordinal,
        fields.join(" · ")
    ));
}

fn message(settled: &Settled) {
    if let Some(Ok(rendered)) = settled.rendered.as_deref().map(serde_json::from_str::<Map<String, Value>>) {
        for (name, value) in rendered.iter().filter(|(name, _)| *name != "html") {
            field(name, &text_of(value));
        }
    }
    for reason in &settled.reasons {
        let place = reason.field.as_deref().map(|field| format!(" in {field}")).unwrap_or_default();
        let sentence =
            format!("attempt {}: {}{place}: {}", reason.attempt, reason.code, one_line(&reason.message));
        wrapped(&sentence, "  ! ");
    }
    let style = match settled.outcome {
        Outcome::Generated => GOOD,
        Outcome::Rejected => BAD,
        _ => WARNING,
    };
    let seed = settled.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let tokens = settled.tokens;
    output::line(format_args!(
        "  {style}{}{style:#} {QUIET}attempt {}{seed}, {} prompt tokens ({} shared), {} written{QUIET:#}",
        settled.outcome.as_str(),
        settled.attempt,
        tokens.prompt,
        tokens.reused,
        tokens.generated,
    ));
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// A name and its value; a value of several lines stands below the name.
fn field(name: &str, text: &str) {
    let text = text.trim_end();
    if !text.contains('\n') && unicode_width::UnicodeWidthStr::width(text) <= TEXT_COLUMNS - NAMES {
        output::line(format_args!("  {QUIET}{name:<NAMES$}{QUIET:#}{}", printable(text)));
        return;
    }
    output::line(format_args!("  {QUIET}{name}{QUIET:#}"));
    text.lines().for_each(|line| wrapped(line, "    "));
}

/// Breaks a line between words; every part begins with `indent`.
fn wrapped(line: &str, indent: &str) {
    let line = printable(line);
    let mut part = String::new();
    for word in line.split(' ') {
        let width = unicode_width::UnicodeWidthStr::width(part.as_str())
            + unicode_width::UnicodeWidthStr::width(word);
        if width >= TEXT_COLUMNS - indent.len() && !part.is_empty() {
            output::line(format_args!("{indent}{}", part.trim_end()));
            part.clear();
        }
        part.push_str(word);
        part.push(' ');
    }
    output::line(format_args!("{indent}{}", part.trim_end()));
}

fn one_line(text: &str) -> String {
    printable(&text.replace(['\r', '\n'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{7}"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn lists_are_shown_line_by_line() {
        assert_eq!(text_of(&serde_json::json!(["one", "two"])), "one\ntwo");
    }
}
