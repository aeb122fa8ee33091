//! The campaign of an inline job: a campaign file without what a message has no place for.

use serde_json::{Map, Value};

use super::{
    ParsedCampaign, Problem, Problems, campaign_schema, check_columns, inspect_tree, key_path::KeyPath,
    near::did_you_mean, problem::list, tree::Tree,
};

/// Keys that say what to write. The others are the cluster's affair, the queue's, or name files.
const KEYS: [&str; 10] = [
    "kind", "language", "variants", "audience", "brief", "facts", "checks", "sampling", "attempts",
    "fallback",
];
/// Keys of `audience` that say what columns are for.
const AUDIENCE_KEYS: [&str; 4] = ["id", "fields", "merge", "defaults"];

/// Returns the part of the campaign file's schema that an inline job has.
pub fn inline_campaign_schema() -> Value {
    let mut schema = campaign_schema();
    keep(&mut schema, &KEYS);
    keep(&mut schema["properties"]["audience"], &AUDIENCE_KEYS);
    schema["properties"]["kind"]["description"] = "What is written: a built-in kind such as `email`.".into();
    if let Value::Object(schema) = &mut schema {
        schema.retain(|key, _| !["$schema", "title", "description"].contains(&key.as_str()));
    }
    schema
}

/// Reads the campaign of an inline job; an error says all that is wrong with it. `model` is what its queue's model is
/// called, `columns` are the keys of its rows.
pub fn parse_inline_campaign(
    campaign: &Map<String, Value>,
    model: &str,
    columns: &[String],
) -> Result<ParsedCampaign, Problems> {
    let mut campaign = campaign.clone();
    let mut problems = misplaced(&KeyPath::root(), &mut campaign, &KEYS);
    campaign.insert("campaign".into(), "inline".into());
    campaign.insert("model".into(), model.into());
    if let Some(Value::Object(audience)) = campaign.get_mut("audience") {
        problems.extend(misplaced(&KeyPath::root().key("audience"), audience, &AUDIENCE_KEYS));
        audience.insert("source".into(), "the message".into());
    }
    let inspection = inspect_tree(Tree::without_places(campaign.into()), "the job", problems);
    let mut problems = inspection.problems;
    problems.extend(inspection.parsed.iter().flat_map(|parsed| check_columns(parsed, columns)));
    match inspection.parsed {
        Some(parsed) if problems.is_empty() => Ok(parsed),
        _ => Err(Problems::new(problems)),
    }
}

/// Takes keys out that an inline job does not have.
fn misplaced(path: &KeyPath, object: &mut Map<String, Value>, known: &[&str]) -> Vec<Problem> {
    let names: Vec<String> = object.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    let problem = |name: String| {
        object.remove(&name);
        let near = did_you_mean(&name, known.iter().copied());
        let hint =
            if near.is_empty() { format!("; it has {}", list(known.iter().copied(), "and")) } else { near };
        let key = path.key(&name).as_str().to_owned();
        let message = format!("an inline job has no such key{hint}");
        Problem { path: "the job".into(), line: 1, column: 1, key, message }
    };
    names.into_iter().map(problem).collect()
}

fn keep(schema: &mut Value, keys: &[&str]) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| keys.contains(&name.as_str()));
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name.as_str().is_some_and(|name| keys.contains(&name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(campaign: Value) -> Result<ParsedCampaign, Vec<String>> {
        let Value::Object(campaign) = campaign else { panic!("an object") };
        let columns = ["id", "first_name", "tier"].map(String::from);
        let shown = |problem: Problem| format!("{}: {}", problem.key, problem.message);
        parse_inline_campaign(&campaign, "demo", &columns)
            .map_err(|problems| problems.into_iter().map(shown).collect())
    }

    #[test]
    fn a_job_has_the_defaults_of_a_campaign_file() {
        let parsed = parse(json!({
            "kind": "sms", "audience": { "id": "id", "fields": ["tier"] }, "brief": { "brand": "Northwind" },
        }));
        let file = parsed.unwrap().file;
        assert_eq!((file.model.as_str(), file.attempts, file.variants), ("demo", 3, 1));
        assert_eq!(file.merge_fields(&["id", "first_name", "tier"].map(String::from)), ["first_name"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_files_cannot_be_named() {
        let problems = parse(json!({
            "kind": "sms", "prompt": "/etc/passwd", "model": "other", "variant": 2, "attempts": 99,
            "audience": { "id": "id", "fields": ["teir"], "source": "/etc/passwd" }, "brief": {},
        }))
        .unwrap_err();
        for (key, part) in [
            ("prompt", "no such key; it has `kind`, "),
            ("model", "no such key"),
            ("variant", "did you mean `variants`?"),
            ("audience.source", "no such key; it has `id`, "),
            ("attempts", "out of range"),
            ("brief", "the key `brand` is missing"),
        ] {
            let is_said =
                |problem: &String| problem.starts_with(&format!("{key}: ")) && problem.contains(part);
            assert!(problems.iter().any(is_said), "{key}: {part} in {problems:#?}");
        }
    }

    #[test]
    fn columns_are_the_keys_of_the_rows() {
        let problems = parse(json!({
            "kind": "sms", "audience": { "id": "id", "fields": ["teir"] }, "brief": { "brand": "Northwind" },
        }));
        assert_eq!(
            problems.unwrap_err(),
            ["audience.fields[0]: the audience has no column `teir`; did you mean `tier`?"]
        );
    }
}
