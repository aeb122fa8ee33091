//! What the worker program can be told: a file, and the environment over it.

use std::path::{Path, PathBuf};

use copymill_broker::BrokerSettings;
use copymill_engine::LlamaSettings;
use copymill_model::{CACHE_BYTES, ModelPlaces};
use copymill_service::admin::AdminSettings;
use copymill_store::StoreSettings;
use serde::{Deserialize, Serialize};

/// All settings that the worker reads.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where objects are kept.
    pub store: StoreSettings,
    /// Where jobs come from.
    pub broker: BrokerSettings,
    /// Where it tells about itself.
    pub admin: AdminSettings,
    /// The worker itself.
    pub worker: WorkerSection,
}

/// Settings of the worker itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSection {
    /// The model: `demo`, a path, `s3://bucket/key.gguf`, or `hf://owner/repository/file.gguf`.
    pub model: String,
    /// SHA-256 that the model file must have.
    pub model_sha256: Option<String>,
    /// A LoRA adapter on the model, named as the model is: the worker takes the chunks of campaigns that name both.
    pub adapter: Option<String>,
    /// SHA-256 that the adapter file must have.
    pub adapter_sha256: Option<String>,
    /// Folder for models and remembered checksums.
    pub cache: PathBuf,
    /// Bytes of fetched models that are kept there; the least recently used ones make room for others.
    pub cache_bytes: u64,
    /// Who it is; its host and process, if not given.
    pub name: Option<String>,
    /// Chunks in hand at most: the one that runs, and one to keep the slots full over its end.
    pub chunks_in_hand: u16,
    /// Seconds that chunks in hand may go on after SIGTERM.
    pub grace_s: u64,
    /// Seconds without progress, with work to do, after which the process ends: longer than the largest batch takes.
    pub watchdog_s: u64,
    /// Seconds for which a chunk that is finished waits for a store that cannot be used.
    pub store_patience_s: u64,
    /// The engine.
    pub engine: EngineSection,
}

/// Settings of the engine; what is not given is chosen from the machine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSection {
    /// Messages that are decoded at once.
    pub slots: Option<u32>,
    /// CPU threads.
    pub threads: Option<u32>,
    /// Number of the GPU, counted from 0.
    pub device: Option<usize>,
    /// Layers of the model on the GPU: 0 uses the CPU alone.
    pub gpu_layers: Option<u32>,
    /// Tokens whose keys and values fit into memory at once.
    pub kv_cells: Option<u32>,
    /// Tokens of one batch.
    pub batch: Option<u32>,
}

impl Settings {
    /// Where the model is looked for and kept.
    pub fn model_places(&self) -> ModelPlaces {
        ModelPlaces {
            base: PathBuf::new(),
            cache: self.worker.cache.clone(),
            cache_bytes: self.worker.cache_bytes,
            s3: self.store.s3.clone(),
        }
    }
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self {
            model: "demo".into(),
            model_sha256: None,
            adapter: None,
            adapter_sha256: None,
            cache: std::env::temp_dir().join("copymill-cache"),
            cache_bytes: CACHE_BYTES,
            name: None,
            chunks_in_hand: 2,
            grace_s: 120,
            watchdog_s: 300,
            store_patience_s: 600,
            engine: EngineSection::default(),
        }
    }
}

impl EngineSection {
    /// The engine's own settings for a model file.
    pub fn of_model(&self, model: &Path) -> LlamaSettings {
        let mut settings = LlamaSettings::new(model);
        settings.slots = self.slots;
        settings.threads = self.threads;
        settings.device = self.device;
        settings.gpu_layers = self.gpu_layers;
        settings.cells = self.kv_cells;
        if let Some(batch) = self.batch {
            settings.batch = batch;
            settings.micro_batch = settings.micro_batch.min(batch);
        }
        settings
    }
}
