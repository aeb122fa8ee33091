//! What travels through the queues. Readers ignore unknown fields of the same major version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    CampaignId, ChunkId, ChunkKind, OutcomeCounts, TokenUse,
    keys::{first, is_first},
};

/// A chunk to be worked on: ids and keys, a few hundred bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkJob {
    /// Version of the format: 1.
    pub v: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// Root of its keys; empty where it has the store to itself.
    pub root: String,
    /// What the output holds.
    pub kind: ChunkKind,
    /// The chunk.
    pub chunk: ChunkId,
    /// Whether it is published again because nothing was heard any more of the worker that had it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspect: bool,
    /// The generation of the output, counted from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub generation: u32,
    /// In a later generation: key below the root of the object whose rejected messages are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
}

/// What a worker tells the leader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A worker began with a chunk.
    Started {
        /// The job.
        job: ChunkJob,
        /// Who; its heartbeats name the chunk until it is done.
        #[serde(default)]
        worker: String,
    },
    /// The chunk's output object is durable.
    Done {
        /// The job.
        job: ChunkJob,
        /// What the stored object holds.
        result: ChunkResult,
    },
    /// The worker handed the chunk back untouched, because it drains or the campaign is paused or cancelled.
    Returned {
        /// The job.
        job: ChunkJob,
    },
    /// The chunk was split, because workers that had it ended: its parts are to be published.
    Split {
        /// The job.
        job: ChunkJob,
    },
    /// The chunk could not be worked on; the reason holds no recipient data.
    Failed {
        /// The job.
        job: ChunkJob,
        /// What happened and what to do.
        reason: String,
        /// Whether another try would fail in the same way, as where the store is full.
        #[serde(default)]
        is_final: bool,
    },
}

impl Event {
    /// What happened, in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Done { .. } => "done",
            Self::Returned { .. } => "returned",
            Self::Split { .. } => "split",
            Self::Failed { .. } => "failed",
        }
    }

    /// The job that it is about.
    pub fn job(&self) -> &ChunkJob {
        match self {
            Self::Started { job, .. }
            | Self::Done { job, .. }
            | Self::Returned { job }
            | Self::Split { job }
            | Self::Failed { job, .. } => job,
        }
    }
}

/// What a stored output object holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkResult {
    /// SHA-256 of the object as stored.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// First row, and one past the last.
    pub rows: (u64, u64),
    /// Lines by outcome.
    pub outcomes: OutcomeCounts,
    /// Failed checks by code.
    pub reasons: BTreeMap<String, u64>,
    /// Tokens over all attempts.
    pub tokens: TokenUse,
}

/// Where workers tell the leader what they did.
pub const EVENTS_QUEUE: &str = "copymill.events";

/// Characters of a model's name in names of queues and in metrics at most; with an adapter, of either.
const LABEL_CHARS: usize = 40;
const LABEL_CHARS_WITH_ADAPTER: (usize, usize) = (24, 15);

/// What a model is called in names of queues and in metrics.
pub fn model_label(model: &crate::ModelPin) -> String {
    // The last part of the name: the same file is called by a path here and by an address of the hub there.
    let name = model.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".gguf");
    let plain = |text: &str, limit: usize| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(limit).collect()
    };
    match name.rsplit_once('+') {
        // A long name of the model leaves room for what tells its adapters apart.
        Some((model, adapter)) => {
            let (of_model, of_adapter) = LABEL_CHARS_WITH_ADAPTER;
            format!("{}-{}", plain(model, of_model), plain(adapter, of_adapter))
        }
        None => plain(name, LABEL_CHARS),
    }
}

/// The queue of a model's chunk jobs: one per model file, so that a worker only sees jobs it has the weights for.
pub fn jobs_queue(model: &crate::ModelPin) -> String {
    format!("copymill.jobs.{}.{}", model_label(model), &model.sha256[..model.sha256.len().min(12)])
}
