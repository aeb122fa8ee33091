//! The loop of the engine's thread: takes requests in, plans, decodes, samples, answers.
//!
//! It knows the device only as a [`Decoder`], so that failures can be tested without one.

mod counters;
mod draft;
mod server;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use counters::Counters;
pub(crate) use server::{Job, Model, Server};

use crate::batcher::{CacheChange, StepToken};

/// The device with its key-value cache. A failed decode leaves nothing of its batch in the cache, or the strands
/// involved are discarded by the caller.
pub(crate) trait Decoder {
    /// Changes the cache.
    fn change(&mut self, change: CacheChange);
    /// Computes a batch; may return before the device is done.
    fn decode(&mut self, tokens: &[StepToken]) -> Result<(), DecodeError>;
    /// The logits after the token at `index` of the last batch, which was an output; waits for the device.
    fn logits(&self, index: usize) -> &[f32];
}

/// Why a batch was not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// The cache had no room; nothing was changed.
    OutOfCells,
    /// Something else, in the device's words.
    Failed(String),
}
