//! Where a campaign's objects are in the store.

use crate::{CampaignId, ChunkId, ChunkKind};

/// What the keys of marks for unfinished campaigns start with.
pub const ACTIVE_PREFIX: &str = "active/";

/// Keys of one campaign's objects below its root: `campaigns/<id>/` in a shared store, nothing in a local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignKeys {
    root: String,
}

impl CampaignKeys {
    /// Keys of a campaign that has the whole store to itself (`copymill run`).
    pub fn alone() -> Self {
        Self { root: String::new() }
    }

    /// Keys of a campaign in a shared store.
    pub fn of(campaign: &CampaignId) -> Self {
        Self::under(format!("campaigns/{campaign}/"))
    }

    /// Keys below a root such as `campaigns/01J…/`, which ends in a slash.
    pub fn under(root: impl Into<String>) -> Self {
        Self { root: root.into() }
    }

    /// The root that all keys start with; empty where the campaign is alone.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The accepted campaign, immutable.
    pub fn campaign(&self) -> String {
        format!("{}campaign.json", self.root)
    }

    /// State, counters and marks; written by the leader alone.
    pub fn state(&self) -> String {
        format!("{}state.json", self.root)
    }

    /// Objects in force, totals, checksums.
    pub fn manifest(&self) -> String {
        format!("{}manifest.json", self.root)
    }

    /// Written last.
    pub fn success(&self) -> String {
        format!("{}_SUCCESS", self.root)
    }

    /// Rows of a chunk.
    pub fn input(&self, kind: ChunkKind, chunk: &ChunkId) -> String {
        format!("{}{chunk}.jsonl.zst", self.input_prefix(kind))
    }

    /// What a chunk produced.
    pub fn output(&self, kind: ChunkKind, chunk: &ChunkId) -> String {
        format!("{}{chunk}.jsonl.zst", self.output_prefix(kind))
    }

    /// What all input keys of a kind start with.
    pub fn input_prefix(&self, kind: ChunkKind) -> String {
        match kind {
            ChunkKind::Messages => format!("{}input/", self.root),
            ChunkKind::Segments => format!("{}segments/input/", self.root),
        }
    }

    /// What all output keys of a kind start with.
    pub fn output_prefix(&self, kind: ChunkKind) -> String {
        match kind {
            ChunkKind::Messages => format!("{}output/", self.root),
            ChunkKind::Segments => format!("{}segments/output/", self.root),
        }
    }
}
