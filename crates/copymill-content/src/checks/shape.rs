//! The shape of an answer: all fields there, lists as long as they should be, texts whole.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Findings, codes};
use crate::{
    fold::fold,
    kind::{Field, Kind, Unit},
    measure,
    schema::safety_bound,
};

/// The texts of each field in the kind's order; a field that is no list has one.
pub(crate) type Texts = IndexMap<String, Vec<String>>;

/// Reads an answer; white space around texts goes. Fails with a sentence where it has another shape.
pub(crate) fn parse(kind: &Kind, answer: &str) -> Result<Texts, String> {
    let value: Value = serde_json::from_str(answer.trim()).map_err(|_| "the answer is no whole JSON")?;
    let object = value.as_object().ok_or("the answer is no JSON object")?;
    if let Some(key) = object.keys().find(|key| !kind.fields.contains_key(*key)) {
        return Err(format!("the answer has a field `{key}` that the kind has not"));
    }
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    let mut texts = Texts::new();
    for (name, field) in &kind.fields {
        let items = match (object.get(name), field.items) {
            (None, _) => Some(Vec::new()),
            (Some(value), None) => text(value).map(|text| vec![text]),
            (Some(value), Some(_)) => value.as_array().and_then(|items| items.iter().map(text).collect()),
        };
        let items =
            items.ok_or_else(|| format!("the field `{name}` is of another type than it should be"))?;
        texts.insert(name.clone(), items);
    }
    Ok(texts)
}

/// Missing and empty texts, lists that are too short or too long, texts that are alike.
pub(crate) fn fields(kind: &Kind, texts: &Texts, findings: &mut Findings) {
    for (name, field) in &kind.fields {
        let items = texts.get(name).map_or(&[][..], Vec::as_slice);
        if items.is_empty() || items.iter().any(|item| !item.contains(char::is_alphanumeric)) {
            findings.add(codes::MISSING_FIELD, Some(name), "it holds no word");
            continue;
        }
        if let Some(limits) = field.items {
            let count = items.len();
            if count < limits.min {
                let message = format!("it has {count} items and needs {}", limits.min);
                findings.add(codes::TOO_FEW, Some(name), message);
            }
            if count > limits.max {
                let message = format!("it has {count} items and may have {}", limits.max);
                findings.add(codes::TOO_MANY, Some(name), message);
            }
        }
        let distinct: HashSet<String> = items.iter().map(|item| fold(item)).collect();
        if field.distinct && distinct.len() < items.len() {
            findings.add(codes::NOT_DISTINCT, Some(name), "two of its items are the same");
        }
    }
}

/// `body[1]` for items, `subject` for single texts.
pub(crate) fn label(name: &str, field: &Field, index: usize) -> String {
    if field.items.is_some() { format!("{name}[{index}]") } else { name.to_owned() }
}

/// Checks a text as its reader sees it for characters that its field must not hold.
pub(crate) fn forbidden(label: &str, field: &Field, shown: &str, findings: &mut Findings) {
    if let Some(character) = shown.chars().find(|c| field.forbid.contains(*c)) {
        findings.add(codes::FORBIDDEN_CHARACTER, Some(label), format!("it holds `{character}`"));
    }
}

/// Checks one text as the model wrote it: the form that its field asks for, and its end.
pub(crate) fn form(label: &str, field: &Field, text: &str, findings: &mut Findings) {
    if text.chars().count() >= safety_bound(field) {
        let message = "it went on until the decoder stopped it, so its end is missing";
        findings.add(codes::TRUNCATED, Some(label), message);
    }
    if field.pattern.as_ref().is_some_and(|pattern| !pattern.matches(text)) {
        findings.add(codes::WRONG_FORM, Some(label), "it has another form than the kind asks for");
    }
}

/// Checks the length of a text as its reader sees it.
pub(crate) fn length(label: &str, shown: &str, (max, unit): (usize, Unit), findings: &mut Findings) {
    // No unit counts more than three for a byte, so most texts need no counting.
    if shown.len() * 3 <= max {
        return;
    }
    let length = measure::length(shown, unit);
    if length > max {
        let message = format!("it has {length} {} and may have {max}", measure::word(unit));
        findings.add(codes::TOO_LONG, Some(label), message);
    }
}
