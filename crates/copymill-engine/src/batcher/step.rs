//! What the batcher tells the engine to do.

use super::strand::StrandId;

/// A change of the cache, to be made before the step's batch is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheChange {
    /// Sequence `to`, which is empty, begins with the first `length` tokens of sequence `from`.
    Share {
        /// Where the tokens are.
        from: u32,
        /// The sequence that begins with them.
        to: u32,
        /// How many tokens.
        length: usize,
    },
    /// The sequence keeps its first `length` tokens only.
    Keep {
        /// The sequence.
        sequence: u32,
        /// How many tokens.
        length: usize,
    },
}

/// One token of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepToken {
    /// Whose token it is.
    pub(crate) strand: StrandId,
    /// The cache sequence it is appended to.
    pub(crate) sequence: u32,
    /// Its position in the sequence.
    pub(crate) position: u32,
    /// The token.
    pub(crate) token: u32,
    /// Whether the next token is sampled from its logits.
    pub(crate) output: bool,
}

/// Changes to make, then a batch to decode.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// To be made in this order.
    pub(crate) changes: Vec<CacheChange>,
    /// To be decoded in one batch; empty only when nothing runs.
    pub(crate) tokens: Vec<StepToken>,
}
