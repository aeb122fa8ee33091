//! Where a campaign's objects are in the store.

use crate::{CampaignId, ChunkId, ChunkKind};

/// The first generation, which is not written into keys, messages and manifests.
pub(crate) fn first() -> u32 {
    1
}

/// Whether a generation is the first one.
pub(crate) fn is_first(generation: &u32) -> bool {
    *generation <= 1
}

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

    /// The note that a chunk under suspicion was begun for the n-th time, counted from 1.
    pub fn attempt(&self, kind: ChunkKind, chunk: &ChunkId, n: usize) -> String {
        format!("{}{n}", self.attempts_prefix(kind, chunk))
    }

    /// What all notes about a chunk start with.
    pub fn attempts_prefix(&self, kind: ChunkKind, chunk: &ChunkId) -> String {
        match kind {
            ChunkKind::Messages => format!("{}attempts/{chunk}/", self.root),
            ChunkKind::Segments => format!("{}segments/attempts/{chunk}/", self.root),
        }
    }

    /// What a chunk produced in a generation, counted from 1: later work writes beside what is there.
    pub fn output_of(&self, kind: ChunkKind, chunk: &ChunkId, generation: u32) -> String {
        match generation {
            0 | 1 => self.output(kind, chunk),
            later => format!("{}{chunk}.g{later}.jsonl.zst", self.output_prefix(kind)),
        }
    }

    /// The request for a later generation.
    pub fn rework(&self, generation: u32) -> String {
        format!("{}rework/{generation}.json", self.root)
    }

    /// The generation that an output key is of.
    pub fn generation_of(key: &str) -> u32 {
        let generation = key.strip_suffix(".jsonl.zst").and_then(|name| name.rsplit_once(".g"));
        generation.and_then(|(_, generation)| generation.parse().ok()).unwrap_or(1)
    }

    /// The chunk that an output key is of: `output/00017.0.g2.jsonl.zst`, of a later generation, is of `00017.0`.
    pub fn chunk_of(key: &str) -> Option<ChunkId> {
        let name = key.rsplit('/').next()?.strip_suffix(".jsonl.zst")?;
        name.split_once(".g").map_or(name, |(chunk, _)| chunk).parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_key_says_which_chunk_and_generation_it_is_of() {
        let keys = CampaignKeys::under("campaigns/x/");
        for (chunk, generation) in [("00017", 1), ("00017.0", 1), ("00017", 2), ("00017.1.0", 12)] {
            let chunk: ChunkId = chunk.parse().unwrap();
            let key = keys.output_of(ChunkKind::Messages, &chunk, generation);
            assert_eq!(CampaignKeys::chunk_of(&key), Some(chunk), "{key}");
            assert_eq!(CampaignKeys::generation_of(&key), generation, "{key}");
        }
        assert_eq!(CampaignKeys::chunk_of("campaigns/x/manifest.json"), None);
    }
}
