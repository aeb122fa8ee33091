//! How the engine is set.

use std::path::PathBuf;

/// Settings of a [`LlamaEngine`](super::LlamaEngine). What is `None` is chosen from the machine and the model;
/// `EngineInfo::start_line` says what was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlamaSettings {
    /// The GGUF file.
    pub model: PathBuf,
    /// A LoRA adapter for it, a GGUF file too. It changes every answer: cells and prefixes are those of the adapted model.
    pub adapter: Option<PathBuf>,
    /// Number of the GPU, counted from 0 among the GPUs that llama.cpp finds. Default: the first one, if there is one.
    pub device: Option<usize>,
    /// Layers of the model on the GPU; 0 uses the CPU alone. Default: all.
    pub gpu_layers: Option<u32>,
    /// CPU threads that decode batches of one token per sequence. Default: as many as the process may use.
    pub threads: Option<u32>,
    /// CPU threads for larger batches. Default: the same.
    pub batch_threads: Option<u32>,
    /// Sequences that are decoded at once, 1 to 240. Default: 64 on a GPU; 16 on a CPU, where more only add attention
    /// work (see `copymill bench engine`). One slot repeats texts exactly.
    pub slots: Option<u32>,
    /// Capacity of the key-value cache in tokens, over all sequences. Default: 1,024 per slot on a GPU and 512 on a
    /// CPU, at least one sequence of up to 4,096, and at most half of the GPU's free memory or a quarter of the
    /// machine's.
    pub cells: Option<u32>,
    /// Tokens of one batch: what is prefilled between two tokens of the running sequences, at most. Raised to `slots`
    /// where it is smaller.
    pub batch: u32,
    /// Tokens that are computed at once on the device; memory for intermediate results grows with it.
    pub micro_batch: u32,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// How the cache is laid out.
    pub kv_layout: KvLayout,
    /// Whether attention runs as one fused kernel.
    pub flash_attention: FlashAttention,
    /// Whether what prompts have in common is computed once.
    pub share_prefixes: bool,
    /// Prefixes that are held after their rows have ended at most. With `slots` they are at most 256.
    pub held_prefixes: u32,
}

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvType {
    /// 16-bit floats.
    #[default]
    F16,
    /// 8-bit blocks: about half the memory, slightly less exact; needs flash attention.
    Q8,
}

/// How the cache is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvLayout {
    /// One pool of cells that sequences share. Attention looks at all of them, so it suits common prefixes.
    #[default]
    Unified,
    /// An own part per sequence; prefixes are copied. Attention looks at one sequence's cells only.
    Split,
}

/// Whether attention runs as one fused kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlashAttention {
    /// Where the device supports it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl LlamaSettings {
    /// The defaults for a model file.
    pub fn new(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            adapter: None,
            device: None,
            gpu_layers: None,
            threads: None,
            batch_threads: None,
            slots: None,
            cells: None,
            batch: 512,
            micro_batch: 512,
            kv_type: KvType::default(),
            kv_layout: KvLayout::default(),
            flash_attention: FlashAttention::default(),
            share_prefixes: true,
            held_prefixes: 4,
        }
    }
}
