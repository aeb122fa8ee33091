//! The JSON Schema of the campaign file, for editors and for [`parse_campaign`](super::parse_campaign).

use schemars::{Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::Value;

use crate::{CampaignFile, InlineJob};

/// Returns the JSON Schema (draft 2020-12) of the campaign file.
pub fn campaign_schema() -> Value {
    // Subschemas stand where they are used, so that the place of a broken rule leads to the keys around it.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema =
        settings.with_transform(refuse_null).into_generator().into_root_schema_for::<CampaignFile>();
    schema.insert("title".into(), "Copymill campaign".into());
    schema.to_value()
}

/// Returns the JSON Schema (draft 2020-12) of an inline job's message body.
pub fn inline_job_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<InlineJob>();
    schema.insert("title".into(), "Copymill inline job".into());
    schema.to_value()
}

/// A key without a value is a slip, not a way to leave the key out: `merge:` would mean every column.
fn refuse_null(schema: &mut Schema) {
    transform_subschemas(&mut refuse_null, schema);
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    let is_null = |value: &Value| value.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (name, value) in only {
                if schema.get(&name).is_none() {
                    schema.insert(name, value);
                }
            }
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}
