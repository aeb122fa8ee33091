//! Options of the engine, the same for every command that loads a model.

use std::path::Path;

use clap::{Args, ValueEnum};
use copymill_engine::{KvLayout, KvType, LlamaSettings};
use copymill_model::ModelHeader;
use copymill_worker::{LoadedModel, load_model};

use crate::output;

/// Engine options; what is not given is chosen from the machine, and the start-up line says what was chosen.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Engine (the defaults suit the machine; `copymill bench engine` measures)")]
pub(crate) struct EngineOptions {
    /// Messages that are decoded at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=240))]
    pub(crate) slots: Option<u32>,
    /// CPU threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// Number of the GPU, counted from 0
    #[arg(long, value_name = "N")]
    pub(crate) device: Option<usize>,
    /// Layers of the model on the GPU: 0 uses the CPU alone
    #[arg(long, value_name = "N")]
    pub(crate) gpu_layers: Option<u32>,
    /// Tokens whose keys and values fit into memory at once
    #[arg(long, value_name = "TOKENS")]
    pub(crate) kv_cells: Option<u32>,
    /// How keys and values are stored: q8 halves their memory and is slightly less exact
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv_type: Option<KvStorage>,
    /// How they are laid out: one pool that prompts share, or a part for every message
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) kv_layout: Option<Layout>,
    /// Tokens of one batch
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(32..=65_536))]
    pub(crate) batch: Option<u32>,
    /// Tokens that the device computes at once
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(32..=65_536))]
    pub(crate) micro_batch: Option<u32>,
    /// Compute what prompts have in common again for every message
    #[arg(long)]
    pub(crate) no_prefix_sharing: bool,
}

/// How keys and values are stored.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KvStorage {
    /// 16-bit floats
    F16,
    /// 8-bit blocks
    Q8,
}

/// How the cache is laid out.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One pool of cells
    Unified,
    /// An own part for every message
    Split,
}

impl EngineOptions {
    /// Settings of the engine for a model file.
    pub(crate) fn settings(&self, model: &Path) -> LlamaSettings {
        let mut settings = LlamaSettings::new(model);
        settings.slots = self.slots;
        settings.threads = self.threads;
        settings.device = self.device;
        settings.gpu_layers = self.gpu_layers;
        settings.cells = self.kv_cells;
        settings.share_prefixes = !self.no_prefix_sharing;
        if let Some(storage) = self.kv_type {
            settings.kv_type = match storage {
                KvStorage::F16 => KvType::F16,
                KvStorage::Q8 => KvType::Q8,
            };
        }
        if let Some(layout) = self.kv_layout {
            settings.kv_layout = match layout {
                Layout::Unified => KvLayout::Unified,
                Layout::Split => KvLayout::Split,
            };
        }
        if let Some(batch) = self.batch {
            settings.batch = batch;
        }
        settings.micro_batch = self.micro_batch.unwrap_or(settings.micro_batch).min(settings.batch);
        settings
    }
}

/// Loads a model and says what was chosen.
pub(crate) async fn load(header: &ModelHeader, options: &EngineOptions) -> anyhow::Result<LoadedModel> {
    let model = load_model(header, options.settings(&header.file.path)).await?;
    output::note(&model.engine.info().start_line);
    if let Some(warning) = &model.tokenizer_warning {
        output::warn(warning);
    }
    Ok(model)
}
