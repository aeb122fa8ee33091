//! The manifest: what is in force, and totals that add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    CampaignId, CampaignPhase, LaterFields, ModelPin, Outcome, TokenUse,
    keys::{first, is_first},
    version,
};

/// `manifest.json`: exactly what it names is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format: 1.
    #[serde(deserialize_with = "version::of_object")]
    pub v: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// Grows with every later work on the campaign, such as another try of what was rejected.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// The campaign's name.
    pub name: String,
    /// `completed`, `cancelled` or `failed`.
    pub state: CampaignPhase,
    /// SHA-256 of `campaign.json`.
    pub campaign_sha256: String,
    /// The model that wrote.
    pub model: ModelPin,
    /// Rows of the audience, unusable ones included.
    pub rows: u64,
    /// Variants per row.
    pub variants: u32,
    /// Sums over all objects.
    pub totals: Totals,
    /// Output objects by ascending key.
    pub objects: Vec<ManifestObject>,
    /// Copy of segments that the messages were merged from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<ManifestObject>,
    /// When the campaign was accepted, RFC 3339 in UTC.
    pub accepted_at: String,
    /// When the last chunk was done.
    pub finished_at: String,
    /// Seconds that processes worked on it: pauses between runs are not counted.
    pub active_s: f64,
    /// Fields that a later program wrote.
    #[serde(flatten)]
    pub later: LaterFields,
}

/// An object in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestObject {
    /// Key below the campaign's root.
    pub key: String,
    /// Of its bytes as stored.
    pub sha256: String,
    /// Bytes as stored.
    pub bytes: u64,
    /// First row, and one past the last; segments count theirs.
    pub rows: (u64, u64),
    /// Lines by outcome.
    pub outcomes: OutcomeCounts,
}

/// Sums over all output objects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// (row, variant) pairs by outcome; they add up to rows × variants.
    pub outcomes: OutcomeCounts,
    /// Pairs without an outcome: only in a cancelled or failed campaign.
    pub unfinished: u64,
    /// Failed checks by code, over all attempts.
    pub reasons: BTreeMap<String, u64>,
    /// Tokens.
    pub tokens: TokenUse,
}

/// (row, variant) pairs by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Passed every check.
    pub generated: u64,
    /// The campaign's own fallback.
    pub fallback: u64,
    /// No attempt passed.
    pub rejected: u64,
    /// Must not be written to.
    pub suppressed: u64,
    /// Unusable rows.
    pub invalid: u64,
}

impl OutcomeCounts {
    /// Counts `n` more of an outcome.
    pub fn add(&mut self, outcome: Outcome, n: u64) {
        *self.slot(outcome) += n;
    }

    /// The count of an outcome.
    pub fn get(&self, outcome: Outcome) -> u64 {
        let mut copy = *self;
        *copy.slot(outcome)
    }

    /// All pairs.
    pub fn total(&self) -> u64 {
        Outcome::ALL.iter().map(|outcome| self.get(*outcome)).sum()
    }

    fn slot(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Generated => &mut self.generated,
            Outcome::Fallback => &mut self.fallback,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Suppressed => &mut self.suppressed,
            Outcome::Invalid => &mut self.invalid,
        }
    }
}

impl std::ops::AddAssign for OutcomeCounts {
    fn add_assign(&mut self, other: Self) {
        for outcome in Outcome::ALL {
            self.add(outcome, other.get(outcome));
        }
    }
}
