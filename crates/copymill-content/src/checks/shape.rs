//! The shape of an answer: all fields there, lists as long as they should be, texts whole.

use indexmap::IndexMap;
use serde_json::Value;

use super::Finding;
use crate::{
    kind::{Field, Kind},
    schema::safety_bound,
};

/// The texts of each field in the kind's order; a field that is no list has one.
pub(crate) type Texts = IndexMap<String, Vec<String>>;

/// Reads an answer; white space around texts goes.
pub(crate) fn parse(kind: &Kind, answer: &str) -> Result<Texts, Finding> {
    let not_json = |message: &str| Finding::new("not_json", None, message);
    let value: Value = serde_json::from_str(answer.trim()).map_err(|_| not_json("the answer is no whole JSON"))?;
    let object = value.as_object().ok_or_else(|| not_json("the answer is no JSON object"))?;
    if let Some(key) = object.keys().find(|key| !kind.fields.contains_key(*key)) {
        return Err(not_json(&format!("the answer has a field `{key}` that the kind has not")));
    }
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    let mut texts = Texts::new();
    for (name, field) in &kind.fields {
        let items = match (object.get(name), field.items) {
            (None, _) => Some(Vec::new()),
            (Some(value), None) => text(value).map(|text| vec![text]),
            (Some(value), Some(_)) => value.as_array().and_then(|items| items.iter().map(text).collect()),
        };
        let items = items.ok_or_else(|| not_json(&format!("the field `{name}` is of another type than it should be")))?;
        texts.insert(name.clone(), items);
    }
    Ok(texts)
}

/// Missing and empty texts, lists that are too short, texts that are alike, forbidden characters, cut texts.
pub(crate) fn fields(kind: &Kind, texts: &Texts, found: &mut Vec<Finding>) {
    for (name, field) in &kind.fields {
        let items = texts.get(name).map_or(&[][..], Vec::as_slice);
        if items.is_empty() || items.iter().any(String::is_empty) {
            found.push(Finding::new("missing_field", name.clone(), "it is empty"));
            continue;
        }
        count(name, field, items, found);
        for (index, item) in items.iter().enumerate() {
            one(&label(name, field, index), field, item, found);
        }
    }
}

/// `body[1]` for items, `subject` for single texts.
pub(crate) fn label(name: &str, field: &Field, index: usize) -> String {
    if field.items.is_some() { format!("{name}[{index}]") } else { name.to_owned() }
}

fn count(name: &str, field: &Field, items: &[String], found: &mut Vec<Finding>) {
    if let Some(limits) = field.items {
        if items.len() < limits.min {
            let message = format!("it has {} items and needs {}", items.len(), limits.min);
            found.push(Finding::new("too_few", name.to_owned(), message));
        }
        if items.len() > limits.max {
            let message = format!("it has {} items and may have {}", items.len(), limits.max);
            found.push(Finding::new("too_many", name.to_owned(), message));
        }
    }
    let distinct: std::collections::HashSet<String> = items.iter().map(|item| item.to_lowercase()).collect();
    if field.distinct && distinct.len() < items.len() {
        found.push(Finding::new("not_distinct", name.to_owned(), "two of its items are the same"));
    }
}

fn one(label: &str, field: &Field, text: &str, found: &mut Vec<Finding>) {
    if let Some(character) = text.chars().find(|c| field.forbid.contains(*c)) {
        found.push(Finding::new("forbidden_character", label.to_owned(), format!("it holds `{character}`")));
    }
    if text.chars().count() >= safety_bound(field) {
        let message = "it went on until the decoder stopped it, so its end is missing";
        found.push(Finding::new("truncated", label.to_owned(), message));
    }
    if let Some(pattern) = &field.pattern
        && !regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
    {
        found.push(Finding::new("wrong_form", label.to_owned(), "it has another form than the kind asks for"));
    }
}
