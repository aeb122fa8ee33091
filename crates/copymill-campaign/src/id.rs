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

/// The text is no campaign id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no campaign id: ids have 26 letters and digits, such as 01JD8ZK3M4Q5R6S7T8V9W0X1Y2")]
pub struct NotACampaignId(String);

impl std::str::FromStr for CampaignId {
    type Err = NotACampaignId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ulid = ulid::Ulid::from_string(text).map_err(|_| NotACampaignId(text.to_owned()))?;
        Ok(Self::new(ulid))
    }
}

impl std::fmt::Display for CampaignId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
