//! Batches and cache changes on a llama.cpp context.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use super::KvLayout;
use crate::batcher::{CacheChange, StepToken};
use crate::serving::{DecodeError, Decoder};

/// A context and the batch that is sent to it.
pub(crate) struct LlamaDecoder<'model> {
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    layout: KvLayout,
}

impl<'model> LlamaDecoder<'model> {
    pub(crate) fn new(context: LlamaContext<'model>, layout: KvLayout) -> Self {
        let batch = LlamaBatch::new(context.n_batch() as usize, 1);
        Self { context, batch, layout }
    }

    /// Computes one token and forgets it, so that the first row does not wait for kernels and buffers; also shows
    /// whether the device works at all.
    pub(crate) fn warm_up(&mut self, token: u32) -> Result<(), DecodeError> {
        self.decode(&[StepToken { strand: 0, sequence: 0, position: 0, token, output: true }])?;
        self.context.synchronize();
        self.context.clear_kv_cache();
        Ok(())
    }

    fn share(&mut self, from: i32, to: i32, length: usize) {
        let end = u32::try_from(length).expect("a sequence is shorter than 2^32");
        let changed = match self.layout {
            KvLayout::Unified => self.context.kv_cache_seq_cp(from, to, None, Some(end)),
            // A copy of a part between streams is an assertion failure in llama.cpp: copy all, then cut.
            KvLayout::Split => self
                .context
                .kv_cache_seq_cp(from, to, None, None)
                .and_then(|()| self.context.kv_cache_seq_rm(to, Some(end), None)),
        };
        self.note(changed);
    }

    fn keep(&mut self, sequence: i32, length: usize) {
        let start = u32::try_from(length).expect("a sequence is shorter than 2^32");
        let changed = self.context.kv_cache_seq_rm(sequence, Some(start), None);
        self.note(changed);
    }

    /// A refused change would show as a decode error of the rows involved, for llama.cpp checks positions.
    fn note(&self, changed: Result<(), llama_cpp_2::context::kv_cache::KvCacheConversionError>) {
        if let Err(error) = changed {
            tracing::warn!("llama.cpp refused a change of the key-value cache: {error}");
        }
    }
}

impl Decoder for LlamaDecoder<'_> {
    fn change(&mut self, change: CacheChange) {
        match change {
            CacheChange::Share { from, to, length } => self.share(sequence_id(from), sequence_id(to), length),
            CacheChange::Keep { sequence, length } => self.keep(sequence_id(sequence), length),
        }
    }

    fn decode(&mut self, tokens: &[StepToken]) -> Result<(), DecodeError> {
        self.batch.clear();
        for StepToken { token, position, sequence, output, .. } in tokens {
            let token = LlamaToken(i32::try_from(*token).unwrap_or(-1));
            let position = i32::try_from(*position).expect("a sequence is shorter than 2^31");
            let added = self.batch.add(token, position, &[sequence_id(*sequence)], *output);
            added.map_err(|error| DecodeError::Failed(error.to_string()))?;
        }
        self.context.decode(&mut self.batch).map_err(|error| match error {
            llama_cpp_2::DecodeError::NoKvCacheSlot => DecodeError::OutOfCells,
            error => DecodeError::Failed(error.to_string()),
        })
    }

    fn logits(&self, index: usize) -> &[f32] {
        self.context.get_logits_ith(i32::try_from(index).expect("a batch is smaller than 2^31"))
    }
}

fn sequence_id(sequence: u32) -> i32 {
    i32::try_from(sequence).expect("there are at most 256 sequences")
}
