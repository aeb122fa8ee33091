//! The texts within a message's content, and its merge fields filled or masked.

use copymill_campaign::{Accepted, CampaignFile};
use serde_json::{Map, Value};

/// What the model wrote: fields with a text or a list of texts.
pub(super) type Content = Map<String, Value>;

/// Calls `take` with every text of a field: the text itself, or each of the list.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Fills facts, the brand, and recipients' fields at their default; a field without one stands as its name.
pub(super) fn fill(file: &CampaignFile, text: &str) -> String {
    replace(text, |name| {
        let value = match name {
            "brand" => Some(&file.brief.brand),
            _ => file.facts.get(name).or_else(|| file.audience.defaults.get(name)),
        };
        value.map_or_else(|| name.replace('_', " "), String::clone)
    })
}

/// Shows merge fields as `‹name›`.
pub(super) fn mask(text: &str) -> String {
    replace(text, |name| format!("‹{name}›"))
}

/// All texts of a message with every merge field alike: equal for messages that say the same in the same words.
pub(super) fn fingerprint(content: &Content) -> String {
    let all = content.values().flat_map(texts).map(|text| replace(text, |_| "‹›".into()));
    all.collect::<Vec<_>>().join("\n").to_lowercase()
}

/// The fields of a kind in order, with the limit of each.
pub(super) fn fields(campaign: &Accepted) -> Vec<(String, u64)> {
    let fields = campaign.kind.get("fields").and_then(Value::as_object);
    let limit = |field: &Value| field.get("max").and_then(Value::as_u64).unwrap_or(0);
    fields.into_iter().flatten().map(|(name, field)| (name.clone(), limit(field))).collect()
}

fn replace(text: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        let Some((name, after)) = after.split_once("]]") else { break };
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_fields_are_masked_and_everything_else_stays() {
        assert_eq!(mask("Hi [[first_name]], take [[code]]!"), "Hi ‹first_name›, take ‹code›!");
        assert_eq!(mask("odd [[ and ]] [[x"), "odd ‹ and › [[x");
        let content = serde_json::json!({ "a": "Hi [[x]]", "b": ["ONE", "two [[y]]"], "c": 3 });
        assert_eq!(fingerprint(content.as_object().unwrap()), "hi ‹›\none\ntwo ‹›");
    }
}
