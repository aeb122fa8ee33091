//! Accepting a campaign: what was asked for is written down once and never changed.

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, CampaignKeys};
use copymill_store::{Condition, Put, Store};
use serde_json::Value;

/// What became of a campaign that was offered.
#[derive(Debug)]
pub enum Acceptance {
    /// It is new.
    New(Box<Accepted>),
    /// The same campaign was accepted before: its work goes on.
    Known(Box<Accepted>),
    /// Another campaign is there; what differs, one sentence each.
    Different(Vec<String>),
}

/// Accepts a campaign under its keys, or finds the one that is there.
pub async fn accept(store: &dyn Store, keys: &CampaignKeys, offered: Accepted) -> anyhow::Result<Acceptance> {
    let body = bytes::Bytes::from(serde_json::to_vec_pretty(&offered)?);
    if store.put(&keys.campaign(), body, Condition::IfAbsent).await? != Put::Refused {
        return Ok(Acceptance::New(Box::new(offered)));
    }
    let Some(stored) = load(store, keys).await? else {
        bail!(
            "{} came and went in {}: is another process removing files there?",
            keys.campaign(),
            store.describe()
        );
    };
    let differences = differences(&stored, &offered);
    if differences.is_empty() {
        Ok(Acceptance::Known(Box::new(stored)))
    } else {
        Ok(Acceptance::Different(differences))
    }
}

/// Reads the accepted campaign; none where there is none.
pub async fn load(store: &dyn Store, keys: &CampaignKeys) -> anyhow::Result<Option<Accepted>> {
    let Some(object) = store.get(&keys.campaign()).await? else { return Ok(None) };
    let accepted = serde_json::from_slice(&object.body)
        .with_context(|| format!("{} in {} is not readable", keys.campaign(), store.describe()))?;
    Ok(Some(accepted))
}

/// Says what differs between two campaigns, one sentence each; where a campaign is kept does not matter.
pub fn differences(stored: &Accepted, offered: &Accepted) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |changed: bool, sentence: String| found.extend(changed.then_some(sentence));
    note(
        stored.source.sha256 != offered.source.sha256,
        format!(
            "the audience {} changed ({} bytes then, {} now)",
            offered.file.audience.source, stored.source.bytes, offered.source.bytes
        ),
    );
    note(
        stored.model.sha256 != offered.model.sha256,
        match &offered.file.adapter {
            Some(adapter) => {
                format!("the file behind `{}` or its adapter `{adapter}` changed", offered.file.model)
            }
            None => format!("the model file behind `{}` changed", offered.file.model),
        },
    );
    note(stored.kind != offered.kind, format!("the definition of the kind `{}` changed", offered.file.kind));
    note(stored.prompt != offered.prompt, "the prompt template changed".into());
    let (then, now) = (serde_json::to_value(&stored.file), serde_json::to_value(&offered.file));
    if let (Ok(then), Ok(now)) = (then, now) {
        compare("", &then, &now, &mut found);
    }
    found
}

fn compare(path: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    if let (Value::Object(a), Value::Object(b)) = (then, now) {
        let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for key in keys.into_iter().filter(|key| !(path.is_empty() && *key == "output")) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&path, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), found);
        }
    } else if then != now {
        found.push(format!("`{path}` was {} and is {}", short(then), short(now)));
    }
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "not there".into();
    }
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}
