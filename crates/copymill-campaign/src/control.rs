//! What people ask of a campaign, and what workers say about themselves.

use serde::{Deserialize, Serialize};

use crate::{CampaignId, ChunkId, ChunkJob, ChunkKind, ModelPin, version};

/// Where the leader is told what to do.
pub const CONTROL_QUEUE: &str = "copymill.control";
/// Where workers are told that a campaign was cancelled; a hint, the campaign's state decides.
pub const BROADCAST_TOPIC: &str = "copymill.broadcast";
/// Where workers say that they are alive, and with what.
pub const HEARTBEATS_TOPIC: &str = "copymill.heartbeats";

/// An order about one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Version of the format: 1.
    pub v: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// What to do.
    pub action: Action,
}

/// What can be done about a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Begin: it was accepted.
    Submitted,
    /// Publish no further chunks; those that began are finished.
    Pause,
    /// Go on after a pause.
    Resume,
    /// End it with what is there.
    Cancel,
    /// Release the rest after a pilot.
    Approve,
    /// Try again what a completed campaign rejected.
    RetryRejected,
}

impl Action {
    /// The word that messages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Approve => "approve",
            Self::RetryRejected => "retry_rejected",
        }
    }
}

/// What a worker says every few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Version of the format: 1.
    #[serde(deserialize_with = "version::of_object")]
    pub v: u32,
    /// The worker: its host and process.
    pub worker: String,
    /// The model that it has loaded.
    pub model: ModelPin,
    /// Chunks in its hands.
    pub chunks: Vec<HeldChunk>,
    /// Whether it waits for a chunk with room for one, so that nothing lies undelivered before it.
    pub is_waiting: bool,
    /// Messages that it settled since it started.
    pub messages: u64,
    /// Tokens that it generated since it started.
    pub tokens: u64,
    /// Seconds in which its engine had something to do, since it started.
    #[serde(default)]
    pub busy_s: f64,
}

/// A chunk by campaign, kind and number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldChunk {
    /// The campaign.
    pub campaign: CampaignId,
    /// What its output holds.
    pub kind: ChunkKind,
    /// The chunk.
    pub chunk: ChunkId,
}

impl From<&ChunkJob> for HeldChunk {
    fn from(job: &ChunkJob) -> Self {
        Self { campaign: job.campaign.clone(), kind: job.kind, chunk: job.chunk.clone() }
    }
}
