//! Campaign ids.

use serde::{Deserialize, Serialize};

/// A campaign's id: a ULID, so that ids sort by the time of acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CampaignId(String);

impl CampaignId {
    /// Makes an id from a ULID's 26 characters.
    pub fn new(ulid: ulid::Ulid) -> Self {
        Self(ulid.to_string())
    }

    /// Returns the 26 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CampaignId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
