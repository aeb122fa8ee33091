//! What an answer must match while it is decoded.

use serde_json::{Map, Value, json};

use crate::{
    kind::{Field, Kind},
    names::Names,
};

/// Characters that a merge name may add to a text whose limit counts what the reader sees.
const NAME_ROOM: usize = 40;

/// The JSON schema of a kind: an object of its fields in order. A bracket can only be part of an offered name; quotes,
/// braces and angle brackets belong in no slot, so neither markup nor template syntax can be written.
pub(crate) fn schema(kind: &Kind, names: &Names) -> Value {
    let properties: Map<String, Value> =
        kind.fields.iter().map(|(name, field)| (name.clone(), property(field, names))).collect();
    let required: Vec<&String> = kind.fields.keys().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// Characters after which a text is stopped: far enough from the limit that it was going on without end. Limits
/// themselves are checked on the rendered text. The grammar does not count: a length makes each position a state of its
/// own, and masks then cost more than decoding.
pub(crate) fn safety_bound(field: &Field) -> usize {
    field.max + field.max / 2 + NAME_ROOM
}

fn property(field: &Field, names: &Names) -> Value {
    let text = match &field.pattern {
        Some(pattern) => json!({ "type": "string", "pattern": pattern.anchored() }),
        None => {
            let offered: Vec<String> = names.offered().iter().map(|name| regex::escape(name)).collect();
            let plain = r#"[^\[\]{}<>"\\\x00-\x1f\x7f]"#;
            let pattern = format!(r"^(?:{plain}|\[\[(?:{})\]\])+$", offered.join("|"));
            json!({ "type": "string", "pattern": pattern })
        }
    };
    match field.items {
        None => text,
        Some(items) => {
            json!({ "type": "array", "items": text, "minItems": items.min, "maxItems": items.max })
        }
    }
}
