//! Decides what goes into each batch: admission, prefix sharing, chunked prefill, and who yields when cells run out.
//!
//! Pure: it knows no model, clock or thread. The caller loops over [`Batcher::plan`], applies the step, decodes it and
//! reports back with [`Batcher::commit`], then answers every output token with [`Batcher::accept`] or
//! [`Batcher::remove`].
//!
//! Forks of variants need no rule of their own: variants are strands with equal prompts, so all but the first wait for
//! the first one's prefill and share it.

mod admission;
mod holds;
mod ledger;
mod sharing;
mod step;
mod strand;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(crate) use ledger::Cells;
pub(crate) use step::{CacheChange, Step, StepToken};
pub(crate) use strand::{StrandId, Submission};

use holds::Holds;
use ledger::Ledger;
use strand::{Running, Strand};

/// A prefix shorter than this is computed again rather than shared, held or waited for: a copy and a step of waiting
/// cost about as much.
const WORTH_SHARING_TOKENS: usize = 16;

/// Prompts of rows that have just ended which are held at most. They serve next attempts, which come soon; more of
/// them would only lengthen everyone's attention.
const MAX_RECENT_HOLDS: usize = 2;

/// What the device and the settings allow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Strands that run at once.
    pub(crate) slots: usize,
    /// Prefixes that are held after their rows at most; they take sequences beside the slots'.
    pub(crate) holds: usize,
    /// Tokens of one batch; at least as many as slots.
    pub(crate) batch: usize,
    /// Tokens of one sequence; at most what the cache can hold of one.
    pub(crate) sequence: usize,
    /// The cache.
    pub(crate) cells: Cells,
    /// Whether sequences may share what they have in common.
    pub(crate) share: bool,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BatcherCounters {
    /// Prompt tokens that were decoded, those decoded again after a requeue included.
    pub(crate) prompt: u64,
    /// Prompt tokens that were shared instead.
    pub(crate) reused: u64,
    /// Strands that were put back for want of cells.
    pub(crate) requeues: u64,
}

/// The state of all strands.
pub(crate) struct Batcher {
    limits: Limits,
    ledger: Ledger,
    waiting: VecDeque<Strand>,
    /// In the order of admission: the last one is the youngest.
    running: Vec<Running>,
    holds: Holds,
    free_sequences: Vec<u32>,
    changes: Vec<CacheChange>,
    /// The device had no cells for the last step: nobody is admitted until a smaller one went through.
    refused: bool,
    counters: BatcherCounters,
}

impl Batcher {
    /// Starts with an empty cache.
    pub(crate) fn new(limits: Limits) -> Self {
        assert!(limits.batch >= limits.slots, "every running strand must fit into a batch");
        let limits = if limits.share { limits } else { Limits { holds: 0, ..limits } };
        let sequences = limits.slots + limits.holds;
        let count = u32::try_from(sequences).expect("llama.cpp takes at most 256 sequences");
        Self {
            limits,
            ledger: Ledger::new(limits.cells, sequences),
            waiting: VecDeque::new(),
            running: Vec::with_capacity(limits.slots),
            holds: Holds::default(),
            free_sequences: (0..count).rev().collect(),
            changes: Vec::new(),
            refused: false,
            counters: BatcherCounters::default(),
        }
    }

    /// Puts a strand at the end of the queue. Its prompt and forced tokens must fit into a sequence.
    pub(crate) fn submit(&mut self, submission: Submission) {
        debug_assert!(!submission.prompt.is_empty());
        debug_assert!(submission.prompt.len() + submission.forced.len() <= self.limits.sequence);
        self.waiting.push_back(Strand::new(submission));
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn cells_used(&self) -> usize {
        self.ledger.used()
    }

    pub(crate) fn counters(&self) -> BatcherCounters {
        self.counters
    }

    /// Admits what can start, and composes the next batch within the free cells.
    pub(crate) fn plan(&mut self) -> Step {
        self.admit();
        let chunks = loop {
            self.settle_waits();
            let chunks = self.compose();
            let wanted: usize = chunks.iter().map(|(_, count)| count).sum();
            if wanted <= self.ledger.free() {
                break chunks;
            }
            if !self.drop_hold() && !self.requeue_youngest() {
                break self.clip(chunks);
            }
        };
        let mut tokens = Vec::with_capacity(self.limits.batch);
        for (index, count) in chunks {
            self.plan_chunk(index, count, &mut tokens);
        }
        Step { changes: std::mem::take(&mut self.changes), tokens }
    }

    /// Reports that the step's batch is in the cache.
    pub(crate) fn commit(&mut self) {
        self.refused = false;
        for Running { strand, .. } in &mut self.running {
            let prompt = strand.planned.min(strand.prompt_tokens).saturating_sub(strand.decoded);
            self.counters.prompt += prompt as u64;
            strand.decoded = strand.planned;
        }
    }

    /// Reports that the device had no cells for the step: nothing of it is in the cache, and the youngest yields.
    ///
    /// Returns the strand that must be given up because it does not fit even alone, if that is so.
    pub(crate) fn roll_back(&mut self) -> Option<StrandId> {
        self.refused = true;
        for Running { strand, sequence, .. } in &mut self.running {
            strand.planned = strand.decoded;
            self.ledger.truncate(*sequence, strand.decoded);
            self.changes.push(CacheChange::Keep { sequence: *sequence, length: strand.decoded });
        }
        let yielded = self.drop_hold() || self.requeue_youngest();
        if yielded { None } else { self.running.first().map(|running| running.strand.id) }
    }

    /// Appends what was sampled and forced after a strand's output token; returns whether a sequence may be that long.
    ///
    /// The caller must remove a strand that may not.
    pub(crate) fn accept(&mut self, id: StrandId, tokens: &[u32]) -> bool {
        let Some(running) = self.running.iter_mut().find(|running| running.strand.id == id) else {
            return false;
        };
        running.strand.tokens.extend_from_slice(tokens);
        running.strand.tokens.len() <= self.limits.sequence
    }

    /// Takes a strand out, wherever it is; its prompt may stay in the cache. Returns how many of its prompt tokens
    /// were shared.
    pub(crate) fn remove(&mut self, id: StrandId) -> usize {
        if let Some(index) = self.running.iter().position(|running| running.strand.id == id) {
            let Running { strand, sequence, .. } = self.running.remove(index);
            self.keep_recent(&strand, sequence);
            return strand.reused.unwrap_or(0);
        }
        let waiting = self.waiting.iter().position(|strand| strand.id == id);
        let strand = waiting.and_then(|index| self.waiting.remove(index));
        strand.and_then(|strand| strand.reused).unwrap_or(0)
    }

    /// Takes a strand out whose cells are not to be trusted, such as after a failed decode.
    pub(crate) fn discard(&mut self, id: StrandId) {
        if let Some(index) = self.running.iter().position(|running| running.strand.id == id) {
            let Running { sequence, .. } = self.running.remove(index);
            self.release(sequence);
        } else {
            self.remove(id);
        }
    }

    /// Which running strands put how many tokens into the next batch: those that sample first, then prefill by age.
    fn compose(&self) -> Vec<(usize, usize)> {
        let mut room = self.limits.batch;
        let mut chunks = Vec::with_capacity(self.running.len());
        for samples in [true, false] {
            for (index, running) in self.running.iter().enumerate() {
                let pending = running.strand.pending();
                if running.wait.is_some() || (pending == 1) != samples || room == 0 {
                    continue;
                }
                let count = pending.min(room);
                room -= count;
                chunks.push((index, count));
            }
        }
        chunks
    }

    /// Cuts the batch to the free cells; only a strand that runs alone gets here, and its sequence limit leaves it some.
    fn clip(&self, chunks: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        let free = self.ledger.free();
        chunks
            .into_iter()
            .map(|(index, count)| (index, count.min(free)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn plan_chunk(&mut self, index: usize, count: usize, step: &mut Vec<StepToken>) {
        let Running { strand, sequence, .. } = &mut self.running[index];
        self.ledger.append(*sequence, count);
        strand.planned = strand.decoded + count;
        for position in strand.decoded..strand.planned {
            step.push(StepToken {
                strand: strand.id,
                sequence: *sequence,
                position: u32::try_from(position).expect("a sequence is shorter than 2^32"),
                token: strand.tokens[position],
                output: position + 1 == strand.tokens.len(),
            });
        }
    }
}
