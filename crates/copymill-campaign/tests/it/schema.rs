//! The schema that editors get.

use copymill_campaign::{campaign_schema, inline_job_schema};
use serde_json::Value;

use super::{assert_golden, data};

#[test]
fn the_schema_changes_only_on_purpose() {
    let text = serde_json::to_string_pretty(&campaign_schema()).unwrap();
    assert_golden(&data("campaign.schema.json"), &format!("{text}\n"));
}

#[test]
fn the_documentation_has_the_schema_of_inline_jobs() {
    let text = serde_json::to_string_pretty(&inline_job_schema()).unwrap();
    assert_golden(&data("../../../../docs/inline-job.schema.json"), &format!("{text}\n"));
}

#[test]
fn every_key_of_the_schema_is_described() {
    assert_described("", &campaign_schema());
    assert_described("", &inline_job_schema());
}

fn assert_described(path: &str, schema: &Value) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        assert!(property.get("description").is_some(), "{path} has no description");
        assert_ne!(property.get("default"), Some(&Value::Null), "{path} has null as its default");
        assert_described(&path, property);
    }
}
