//! Lines of output objects as far as a recount needs them: content and rendering are skipped over, not kept.

use std::fmt;

use copymill_campaign::{Outcome, TokenUse};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// A line of `output/`.
#[derive(Debug, Deserialize)]
pub(super) struct MessageLine {
    pub(super) v: u32,
    pub(super) campaign: String,
    pub(super) row: u64,
    pub(super) recipient_id: Option<String>,
    pub(super) variant: u32,
    pub(super) outcome: Outcome,
    pub(super) content: Option<Skipped>,
    pub(super) rendered: Option<Skipped>,
    #[serde(default)]
    pub(super) reasons: Vec<Code>,
    pub(super) attempt: u32,
    pub(super) seed: Option<u32>,
    #[serde(default)]
    pub(super) tokens: TokenUse,
    pub(super) model_sha256: String,
    pub(super) segment: Option<String>,
    pub(super) suppression: Option<String>,
}

/// A line of `segments/output/`.
#[derive(Debug, Deserialize)]
pub(super) struct CopyLine {
    pub(super) v: u32,
    pub(super) segment: String,
    pub(super) variant: u32,
    pub(super) outcome: Outcome,
    pub(super) content: Option<Skipped>,
    #[serde(default)]
    pub(super) reasons: Vec<Code>,
    pub(super) attempt: u32,
    pub(super) seed: u32,
    pub(super) tokens: TokenUse,
}

/// A reason's code.
#[derive(Debug, Deserialize)]
pub(super) struct Code {
    pub(super) code: String,
}

/// An object of JSON that was read over; how many keys it has.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) keys: usize,
}

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Skip)
    }
}

struct Skip;

impl<'de> Visitor<'de> for Skip {
    type Value = Skipped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skipped, A::Error> {
        let mut keys = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            keys += 1;
        }
        Ok(Skipped { keys })
    }
}
