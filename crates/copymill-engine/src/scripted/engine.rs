//! The engine itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::ByteTokenizer;
use crate::engine::{Engine, EngineError, EngineInfo, EngineStats};
use crate::request::{FinishReason, Generation, Request, Timings, TokenCounts};

/// Bytes of the pieces in which a watch is shown an answer: what a token holds of an English text (see the estimate of
/// `copymill-tokenizer`).
const PIECE_BYTES: usize = 4;

/// What the script says to one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedAnswer {
    /// The text; one token per byte.
    pub text: String,
    /// Why it ended. A text of `max_tokens` bytes or more is cut there and ends with `Length` whatever this says.
    pub finish: FinishReason,
    /// How long the slot is busy with it.
    pub delay: Duration,
}

type Script = dyn Fn(&Request, u32) -> Result<ScriptedAnswer, EngineError> + Send + Sync;

/// Answers from a function of the request and the seed, with slots, limits, stop texts and watches as a model has.
///
/// A constraint is not enforced: the script says what comes. Prompts are byte tokens ([`ByteTokenizer`]).
pub struct ScriptedEngine {
    script: Box<Script>,
    slots: Arc<Semaphore>,
    info: EngineInfo,
    counters: Counters,
}

struct Counters {
    prompt: AtomicU64,
    generated: AtomicU64,
    finished: AtomicU64,
    /// Sum over answers of the time that they had a slot.
    slot_us: AtomicU64,
    running: AtomicU32,
    queued: AtomicU32,
    last_progress: Mutex<Instant>,
}

impl ScriptedAnswer {
    /// A text that ends by itself at once.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), finish: FinishReason::Stop, delay: Duration::ZERO }
    }

    /// Nothing, as from a model that ends at once.
    pub fn nothing() -> Self {
        Self::text("")
    }

    /// A text that never ends: it is cut at the request's `max_tokens`.
    pub fn rambling(request: &Request) -> Self {
        let words = "and so on ".repeat(request.max_tokens as usize / 10 + 1);
        Self { finish: FinishReason::Length, ..Self::text(words) }
    }

    /// A variant that could not go on.
    pub fn failed(problem: impl Into<String>) -> Self {
        Self { finish: FinishReason::Failed(problem.into()), ..Self::nothing() }
    }

    /// The same answer after a delay.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

impl ScriptedEngine {
    /// An engine of `slots` slots with a context of 32,768 byte tokens.
    pub fn new(slots: u32, script: impl Fn(&Request, u32) -> ScriptedAnswer + Send + Sync + 'static) -> Self {
        Self::fallible(slots, move |request, seed| Ok(script(request, seed)))
    }

    /// An engine whose script may also fail whole requests, as an engine that has stopped does.
    pub fn fallible(
        slots: u32,
        script: impl Fn(&Request, u32) -> Result<ScriptedAnswer, EngineError> + Send + Sync + 'static,
    ) -> Self {
        let info = EngineInfo {
            model: "scripted".to_owned(),
            architecture: "scripted".to_owned(),
            quantisation: "none".to_owned(),
            context_tokens: 32_768,
            vocabulary: 256,
            slots,
            cells: 32_768,
            batch: slots,
            micro_batch: slots,
            device: "none".to_owned(),
            sampler: "none".to_owned(),
            start_line: format!("answers come from a script, in {slots} slots"),
            ..EngineInfo::default()
        };
        let counters = Counters {
            prompt: AtomicU64::new(0),
            generated: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            slot_us: AtomicU64::new(0),
            running: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            last_progress: Mutex::new(Instant::now()),
        };
        Self { script: Box::new(script), slots: Arc::new(Semaphore::new(slots as usize)), info, counters }
    }

    /// The same engine with another limit on prompt and output together, in byte tokens.
    #[must_use]
    pub fn with_context(mut self, tokens: u32) -> Self {
        self.info.context_tokens = tokens;
        self
    }

    /// The text of a prompt of byte tokens, for scripts that look at it.
    pub fn prompt_text(request: &Request) -> String {
        ByteTokenizer::text(&request.prompt)
    }

    async fn answer(&self, request: &Request, seed: u32) -> Result<Generation, EngineError> {
        let arrived = Instant::now();
        let queued = Gauge::raise(&self.counters.queued);
        let _slot = self.slots.acquire().await.map_err(|_| EngineError::Stopped)?;
        drop(queued);
        let queued = arrived.elapsed();
        // Waiting for work is no lack of progress.
        if self.counters.running.load(Relaxed) == 0 {
            *self.counters.last_progress.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        let _running = Gauge::raise(&self.counters.running);
        let answer = (self.script)(request, seed)?;
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        let mut generation = self.generation(request, seed, answer);
        let total = arrived.elapsed();
        generation.timings = Timings { queued, first_token: total, total };
        let busy_us = u64::try_from((total - queued).as_micros()).unwrap_or(u64::MAX);
        self.counters.slot_us.fetch_add(busy_us, Relaxed);
        self.counters.prompt.fetch_add(request.prompt.len() as u64, Relaxed);
        self.counters.generated.fetch_add(u64::from(generation.tokens.generated), Relaxed);
        self.counters.finished.fetch_add(1, Relaxed);
        *self.counters.last_progress.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(generation)
    }

    /// Cuts an answer as a model's output would be.
    fn generation(&self, request: &Request, seed: u32, answer: ScriptedAnswer) -> Generation {
        let ScriptedAnswer { mut text, mut finish, .. } = answer;
        let room = (self.info.context_tokens as usize).saturating_sub(request.prompt.len());
        let limits = [(request.max_tokens as usize, FinishReason::Length), (room, FinishReason::Context)];
        for (limit, reason) in limits {
            if text.len() > limit || (text.len() == limit && finish == FinishReason::Length) {
                text.truncate(text.floor_char_boundary(limit));
                finish = reason;
            }
        }
        let stop =
            request.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str()));
        if let Some(position) = stop.min() {
            text.truncate(position);
            finish = FinishReason::Stop;
        }
        if let Some(end) = request.watch.as_ref().and_then(|watch| watched_end(watch.as_ref(), &text)) {
            text.truncate(end);
            finish = FinishReason::Watch;
        }
        let token_ids = ByteTokenizer::ids(&text);
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (prompt, generated) = (count(request.prompt.len()), count(token_ids.len()));
        let tokens = TokenCounts { prompt, reused: 0, generated, forced: 0 };
        Generation { text, token_ids, finish, tokens, seed, timings: Timings::default() }
    }
}

/// Where a watch ends a text, if it does: it is shown piece after piece, as by a model that writes tokens.
fn watched_end(watch: &dyn crate::request::Watch, text: &str) -> Option<usize> {
    let ends = (PIECE_BYTES..text.len()).step_by(PIECE_BYTES).map(|end| text.ceil_char_boundary(end));
    let mut seen = 0;
    for end in ends.chain((!text.is_empty()).then_some(text.len())) {
        if !watch.observe(&text[..end], seen) {
            return Some(end);
        }
        seen = end;
    }
    None
}

#[async_trait]
impl Engine for ScriptedEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    async fn generate(&self, request: Request) -> Result<Vec<Generation>, EngineError> {
        let (tokens, limit) = (request.prompt.len(), self.info.context_tokens as usize);
        if tokens >= limit {
            return Err(EngineError::PromptTooLong { tokens, limit });
        }
        let mut generations = Vec::with_capacity(request.seeds.len());
        // Each variant takes its own slot, but they come one after the other: scripts then see them in order.
        for seed in &request.seeds {
            generations.push(self.answer(&request, *seed).await?);
        }
        Ok(generations)
    }

    fn stats(&self) -> EngineStats {
        let counters = &self.counters;
        let (running, queued) = (counters.running.load(Relaxed), counters.queued.load(Relaxed));
        let progress = *counters.last_progress.lock().unwrap_or_else(PoisonError::into_inner);
        EngineStats {
            decode_steps: counters.finished.load(Relaxed),
            // As if a device served all slots at once.
            decode_time: Duration::from_micros(
                counters.slot_us.load(Relaxed) / u64::from(self.info.slots.max(1)),
            ),
            batch_tokens: counters.prompt.load(Relaxed) + counters.generated.load(Relaxed),
            prompt_tokens: counters.prompt.load(Relaxed),
            reused_tokens: 0,
            generated_tokens: counters.generated.load(Relaxed),
            forced_tokens: 0,
            busy_slot_steps: counters.finished.load(Relaxed),
            requeues: 0,
            finished: counters.finished.load(Relaxed),
            cells_used: 0,
            cells_capacity: self.info.cells,
            running,
            queued,
            last_progress: if running == 0 && queued == 0 { Instant::now() } else { progress },
        }
    }
}

/// Counts one thing for as long as it lives, also when its future is dropped.
struct Gauge<'a>(&'a AtomicU32);

impl<'a> Gauge<'a> {
    fn raise(gauge: &'a AtomicU32) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
