//! What a worker did so far, for progress bars: counted when a message is settled, not when its chunk is stored.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use copymill_campaign::{Outcome, TokenUse};

use crate::{metrics::WorkerMetrics, settle::Settled};

/// Counters that only grow; shared between threads.
#[derive(Debug, Default)]
pub struct Progress {
    /// The same and more for operators.
    pub metrics: WorkerMetrics,
    messages: AtomicU64,
    rejected: AtomicU64,
    generated_tokens: AtomicU64,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressSnapshot {
    /// (row, variant) pairs that are settled.
    pub messages: u64,
    /// Of these, the rejected ones.
    pub rejected: u64,
    /// Tokens that the model wrote.
    pub generated_tokens: u64,
}

impl Progress {
    /// Counts a settled message.
    pub fn settled(&self, outcome: Outcome) {
        self.messages.fetch_add(1, Relaxed);
        if outcome == Outcome::Rejected {
            self.rejected.fetch_add(1, Relaxed);
        }
    }

    /// Counts a message of a kind that ended.
    pub(crate) fn ended(&self, kind: &str, settled: &Settled) {
        self.settled(settled.outcome);
        self.metrics.message(kind, settled.outcome, settled.attempt);
        self.metrics.failures(&settled.reasons);
    }

    /// Counts tokens of an attempt.
    pub fn tokens(&self, tokens: TokenUse) {
        self.generated_tokens.fetch_add(tokens.generated, Relaxed);
    }

    /// Reads the counters.
    pub fn snapshot(&self) -> ProgressSnapshot {
        ProgressSnapshot {
            messages: self.messages.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            generated_tokens: self.generated_tokens.load(Relaxed),
        }
    }
}
