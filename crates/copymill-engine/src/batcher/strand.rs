//! One running or waiting sequence: a variant of a row.

/// Names a strand for as long as it lives; the caller gives it.
pub(crate) type StrandId = u64;

/// What the caller hands in.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    /// The name that steps and results refer to.
    pub(crate) id: StrandId,
    /// Variants of one row have the same group: what they share is not worth holding after them.
    pub(crate) group: u64,
    /// Tokens of the prompt; at least one.
    pub(crate) prompt: Vec<u32>,
    /// Tokens that are known to follow the prompt, because a constraint forces them.
    pub(crate) forced: Vec<u32>,
    /// Tokens of output at most.
    pub(crate) max_tokens: usize,
}

/// A strand's tokens and how far they are in the cache.
#[derive(Debug)]
pub(super) struct Strand {
    pub(super) id: StrandId,
    pub(super) group: u64,
    /// Prompt and output so far, whether decoded or not.
    pub(super) tokens: Vec<u32>,
    pub(super) prompt_tokens: usize,
    /// Tokens that the strand may have in all.
    pub(super) max_tokens: usize,
    /// How many of the tokens are in the cache.
    pub(super) decoded: usize,
    /// How many will be after the step under way.
    pub(super) planned: usize,
    /// Prompt tokens that were taken from another sequence when it first began.
    pub(super) reused: Option<usize>,
}

/// What a running strand waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) donor: StrandId,
    pub(super) length: usize,
}

/// A strand that has a slot, and so a sequence of the cache.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) strand: Strand,
    pub(super) sequence: u32,
    /// Set while another strand computes what this one will share.
    pub(super) wait: Option<Wait>,
}

impl Strand {
    pub(super) fn new(submission: Submission) -> Self {
        let prompt_tokens = submission.prompt.len();
        let mut tokens = submission.prompt;
        tokens.extend(submission.forced);
        Self {
            id: submission.id,
            group: submission.group,
            tokens,
            prompt_tokens,
            max_tokens: prompt_tokens + submission.max_tokens,
            decoded: 0,
            planned: 0,
            reused: None,
        }
    }

    /// How much may be shared: the last token is always decoded, for its logits.
    pub(super) fn shareable(&self) -> usize {
        self.tokens.len() - 1
    }

    pub(super) fn pending(&self) -> usize {
        self.tokens.len() - self.decoded
    }

    /// Output tokens that may still come.
    pub(super) fn remaining(&self) -> usize {
        self.max_tokens.saturating_sub(self.tokens.len())
    }
}

impl Running {
    /// Tokens that this strand will have to find cells for before it samples again.
    pub(super) fn expected(&self) -> usize {
        match self.wait {
            Some(wait) => self.strand.tokens.len() - wait.length,
            None => self.strand.pending(),
        }
    }
}

/// How many leading tokens two sequences have in common.
pub(super) fn common_prefix(left: &[u32], right: &[u32]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}
