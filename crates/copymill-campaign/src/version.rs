//! Versions of formats: what a later program wrote is kept, or refused by name, and never misunderstood.

use serde::{Deserialize, Deserializer, de::Error};

/// Fields of a stored object that this program does not know: a later one wrote them, and they are written back.
pub type LaterFields = serde_json::Map<String, serde_json::Value>;

/// Why a message is left to later programs; none where its version is this program's.
pub fn later_version(what: &str, version: u32) -> Option<String> {
    (version != 1).then(|| {
        format!("this {what} has version {version}, and this program understands 1: it is for a later one")
    })
}

/// Reads the version of a stored object, and refuses a later one.
pub(crate) fn of_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(deserializer)?;
    later_version("object", version).map_or(Ok(version), |reason| Err(D::Error::custom(reason)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{CampaignState, Heartbeat, Manifest};

    /// An object of a later version is refused by name.
    fn is_refused<T: serde::de::DeserializeOwned>(mut object: Value) {
        let read = |object: &Value| serde_json::from_value::<T>(object.clone()).map(drop);
        read(&object).unwrap();
        object["v"] = json!(2);
        let refused = read(&object).unwrap_err().to_string();
        assert!(refused.contains("has version 2, and this program understands 1"), "{refused}");
    }

    /// What a later program added is there when this one has read it and written it again.
    fn is_kept<T: serde::de::DeserializeOwned + serde::Serialize>(mut object: Value) {
        object["field_of_a_later_version"] = json!({ "a": [1, null, "b"] });
        let read: T = serde_json::from_value(object.clone()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written["field_of_a_later_version"], object["field_of_a_later_version"]);
    }

    fn state() -> Value {
        serde_json::to_value(CampaignState::accepted()).unwrap()
    }

    fn manifest() -> Value {
        json!({
            "v": 1, "campaign": "01KAQ6Z5Y4T6P0000000000000", "name": "spring", "state": "completed",
            "campaign_sha256": "", "model": { "name": "demo", "sha256": "ab" }, "rows": 0, "variants": 1,
            "totals": state()["totals"], "objects": [],
            "accepted_at": "2026-11-23T10:11:12Z", "finished_at": "2026-11-23T10:12:12Z", "active_s": 1.0,
        })
    }

    #[test]
    fn stored_objects_of_a_later_version_are_refused_and_fields_of_a_later_program_are_kept() {
        is_refused::<CampaignState>(state());
        is_kept::<CampaignState>(state());
        is_refused::<Manifest>(manifest());
        is_kept::<Manifest>(manifest());
        is_refused::<Heartbeat>(json!({
            "v": 1, "worker": "w", "model": { "name": "demo", "sha256": "ab" }, "chunks": [], "is_waiting": true,
            "messages": 0, "tokens": 0,
        }));
    }
}
