//! The seam: what generates text, what it says about itself, and how it can fail.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::request::{Generation, Request};

/// Generates text for prompts of token ids.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What the engine is and what it was set to.
    fn info(&self) -> &EngineInfo;

    /// Generates one text per seed, in the order of the seeds.
    ///
    /// All variants share the prompt's prefill. Waits for a free place in the engine's queue. Dropping the future ends
    /// its rows and frees their slots at the next step. What goes wrong with one variant is in its
    /// [`Generation::finish`]; an error concerns the whole request.
    async fn generate(&self, request: Request) -> Result<Vec<Generation>, EngineError>;

    /// A snapshot of the counters; cheap enough for every scrape and heartbeat, and asks nothing of the device.
    fn stats(&self) -> EngineStats;

    /// Memory of the device, in use by anybody and in all, in bytes; none where the backend does not tell. Asks the driver,
    /// so it may block as long as a device that hangs.
    fn device_memory(&self) -> Option<(u64, u64)> {
        None
    }
}

/// What an engine is and what it was set to; constant while it lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineInfo {
    /// The model's own name, else its file name.
    pub model: String,
    /// The architecture in llama.cpp, such as `gpt2` or `llama`.
    pub architecture: String,
    /// The quantisation as people write it, such as `Q4_K_M`.
    pub quantisation: String,
    /// How many parameters the model has.
    pub parameters: u64,
    /// Size of the weights in bytes.
    pub model_bytes: u64,
    /// Tokens of prompt and output together that a sequence may have: the model's training length (`n_ctx_train`) or
    /// the cache, whichever is smaller.
    pub context_tokens: u32,
    /// How many tokens the vocabulary has.
    pub vocabulary: u32,
    /// Sequences that are decoded at once.
    pub slots: u32,
    /// Capacity of the key-value cache in tokens, over all sequences.
    pub cells: u32,
    /// Tokens of one batch at most.
    pub batch: u32,
    /// Tokens that are computed at once on the device.
    pub micro_batch: u32,
    /// Whether sequences share the cells of common prefixes.
    pub shares_prefixes: bool,
    /// Device and backend, for people.
    pub device: String,
    /// The order of sampling steps, for people.
    pub sampler: String,
    /// One sentence for the start-up log: which device was chosen and why, and how the engine is set.
    pub start_line: String,
}

/// Counters since the engine started, which only grow, and gauges of this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStats {
    /// Batches that were decoded.
    pub decode_steps: u64,
    /// Time in which the engine had something to do.
    pub decode_time: Duration,
    /// Tokens in the batches that were decoded, of prompts and outputs.
    pub batch_tokens: u64,
    /// Prompt tokens that were computed.
    pub prompt_tokens: u64,
    /// Prompt tokens that were taken from cells of another sequence instead of being computed.
    pub reused_tokens: u64,
    /// Tokens of output, forced ones included.
    pub generated_tokens: u64,
    /// Tokens of output that a constraint forced, so that none was sampled.
    pub forced_tokens: u64,
    /// Slots that were in use, summed over decode steps; divided by `decode_steps` it is the mean occupancy.
    pub busy_slot_steps: u64,
    /// Sequences that were put back for want of cells.
    pub requeues: u64,
    /// Variants that ended, however they did.
    pub finished: u64,
    /// Cells in use at the moment, held prefixes included.
    pub cells_used: u32,
    /// Capacity of the key-value cache in tokens.
    pub cells_capacity: u32,
    /// Slots in use at the moment.
    pub running: u32,
    /// Variants that wait for a slot at the moment.
    pub queued: u32,
    /// When a batch was last decoded, or the engine last had nothing to do.
    pub last_progress: Instant,
}

/// Why a request, or the start of an engine, failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The model file is missing, incomplete, not GGUF or not supported; the message says which and what to do.
    #[error("{problem}")]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do; names the file.
        problem: String,
    },
    /// The prompt leaves no room for output.
    #[error("the prompt has {tokens} tokens, but the model and its cache take {limit} with the output")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that a sequence may have, output included.
        limit: usize,
    },
    /// The constraint's schema cannot be compiled; every request that carries it fails.
    #[error("the output schema cannot be enforced: {0}")]
    Constraint(String),
    /// The engine's thread has ended; only a new engine helps.
    #[error("the engine has stopped")]
    Stopped,
    /// The device or its settings do not work; the message says what to change.
    #[error("{0}")]
    Device(String),
}
