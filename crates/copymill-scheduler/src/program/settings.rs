//! What the scheduler program can be told: a file, and the environment over it.

use std::path::PathBuf;

use copymill_broker::BrokerSettings;
use copymill_model::CACHE_BYTES;
use copymill_service::admin::AdminSettings;
use copymill_store::StoreSettings;
use serde::{Deserialize, Serialize};

/// All settings that the scheduler reads.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where objects are kept.
    pub store: StoreSettings,
    /// Where jobs go.
    pub broker: BrokerSettings,
    /// Where it tells about itself.
    pub admin: AdminSettings,
    /// The scheduler itself.
    pub scheduler: SchedulerSection,
}

/// Settings of the scheduler itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerSection {
    /// Folder for audiences while they are read.
    pub scratch: PathBuf,
    /// Folder for models of campaigns that are submitted over HTTP.
    pub cache: PathBuf,
    /// Bytes of fetched models that are kept there; the least recently used ones make room for others.
    pub cache_bytes: u64,
    /// Where HTTP is served, such as `0.0.0.0:8080`; `none` serves nothing.
    pub http: String,
    /// The models that campaigns over HTTP may name, as they write them.
    pub http_models: Vec<String>,
    /// Chunks of one model that are published at once: twice the most workers. What is new waits behind all of it.
    pub window: usize,
    /// Tokens that the answers of one chunk may have together: what a worker writes in about a minute. A chunk is what is
    /// lost where a worker dies, and what a worker that stops has to finish or to hand back.
    pub chunk_tokens: u64,
    /// Tokens that a worker is assumed to generate in a second until one has: for the first prediction of work left.
    pub assumed_tokens_per_s: f64,
    /// Seconds from when a worker is asked for to its first chunk: a machine, an image, a model.
    pub worker_start_s: u32,
    /// Seconds within which a campaign without a deadline shall be done.
    pub horizon_s: u32,
}

impl Default for SchedulerSection {
    fn default() -> Self {
        Self {
            scratch: std::env::temp_dir().join("copymill-scratch"),
            cache: std::env::temp_dir().join("copymill-cache"),
            cache_bytes: CACHE_BYTES,
            // Loopback, because nobody is asked who they are.
            http: "127.0.0.1:8080".into(),
            http_models: vec!["demo".into()],
            window: 256,
            chunk_tokens: 60_000,
            assumed_tokens_per_s: 1_000.0,
            worker_start_s: 300,
            horizon_s: 3_600,
        }
    }
}
