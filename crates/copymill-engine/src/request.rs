//! What is asked of an engine, and what it answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::constraint::Constraint;

/// One prompt and how to continue it, once per seed.
#[derive(Clone, Default)]
pub struct Request {
    /// Token ids of the prompt, a leading BOS included where the model asks for one. Not empty.
    pub prompt: Vec<u32>,
    /// One seed per variant; all variants fork from one prefill.
    pub seeds: Vec<u32>,
    /// Tokens of output per variant at most, forced ones included.
    pub max_tokens: u32,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// What the output must look like; none leaves it free.
    pub constraint: Option<Arc<Constraint>>,
    /// Texts that end the output; they and what follows are cut. They may span tokens.
    pub stop: Vec<String>,
    /// Sees the text as it grows and may end it.
    pub watch: Option<Arc<dyn Watch>>,
}

/// Sees a growing text and may end it early, such as when a check can no longer pass.
pub trait Watch: Send + Sync {
    /// Looks at all text so far, after every token; returns whether to go on. The first `seen` bytes were there when it last
    /// looked at this text.
    ///
    /// Runs between decode steps, so it must be fast. A panic fails the variant, not the engine.
    fn observe(&self, text: &str, seen: usize) -> bool;
}

impl<F: Fn(&str, usize) -> bool + Send + Sync> Watch for F {
    fn observe(&self, text: &str, seen: usize) -> bool {
        self(text, seen)
    }
}

/// How tokens are drawn. The steps come in this order: constraint, repetition penalty, top-k, top-p, min-p,
/// temperature, draw; llama.cpp's own chain has the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token always, the lowest id among equals.
    pub temperature: f32,
    /// Keeps the k likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps the likeliest tokens that together reach this probability; 1 keeps all.
    pub top_p: f32,
    /// Drops tokens that are less likely than this share of the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides the score of recent tokens (Keskar et al. 2019, arXiv:1909.05858); 1 does nothing, less than 1 is 1.
    pub repetition_penalty: f32,
    /// How many of the last tokens, prompt included, count as recent.
    pub last_n: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.0, repetition_penalty: 1.0, last_n: 64 }
    }
}

/// One variant's text and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The text; always valid UTF-8, without end tokens and stop texts.
    pub text: String,
    /// The tokens of the output, forced ones included; the token that ended it and a cut stop text may be among them.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish: FinishReason,
    /// What it took.
    pub tokens: TokenCounts,
    /// The seed it was drawn with.
    pub seed: u32,
    /// How long it took.
    pub timings: Timings,
}

/// How long one variant took, from when its request reached the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Until its first token was computed: the wait for a slot and for the prompts before it.
    pub queued: Duration,
    /// Until the first token of the output was there.
    pub first_token: Duration,
    /// Until it ended.
    pub total: Duration,
}

/// Why an output ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, its constraint was complete, or a stop text came.
    Stop,
    /// It reached `max_tokens`: the text is cut.
    Length,
    /// It reached the end of the model's context: the text is cut.
    Context,
    /// The watch ended it.
    Watch,
    /// This variant could not go on; the engine goes on with the others.
    Failed(String),
}

/// Tokens of one variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Tokens of the prompt that were not computed, because another sequence already had.
    pub reused: u32,
    /// Tokens of the output, forced ones included.
    pub generated: u32,
    /// Tokens of the output that the constraint forced.
    pub forced: u32,
}

/// Shows sizes only: prompts hold recipient data, which must not reach a log.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("prompt_tokens", &self.prompt.len())
            .field("seeds", &self.seeds)
            .field("max_tokens", &self.max_tokens)
            .field("sampling", &self.sampling)
            .field("constrained", &self.constraint.is_some())
            .finish_non_exhaustive()
    }
}
