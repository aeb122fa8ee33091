//! One variant's output while it is written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use toktrie::SimpleVob;

use crate::constraint::Guide;
use crate::request::{FinishReason, Generation, Request, Timings, TokenCounts, Watch};
use crate::sampling::Sampler;
use crate::serving::text::GrowingText;
use crate::vocabulary::Vocabulary;

/// A variant's sampler, grammar and text.
pub(crate) struct Draft {
    sampler: Sampler,
    guide: Option<Guide>,
    mask: Option<SimpleVob>,
    text: GrowingText,
    token_ids: Vec<u32>,
    stop: Vec<String>,
    watch: Option<Arc<dyn Watch>>,
    max_tokens: usize,
    counts: TokenCounts,
    seed: u32,
    clock: Clock,
}

/// When a draft came how far.
struct Clock {
    arrived: Instant,
    begun: Option<Instant>,
    first_token: Option<Instant>,
}

impl Clock {
    fn read(&self) -> Timings {
        let since = |moment: Instant| moment.duration_since(self.arrived);
        let total = self.arrived.elapsed();
        let first_token = self.first_token.map_or(total, since);
        Timings { queued: self.begun.map_or(total, since), first_token, total }
    }
}

/// What a step of a draft came to.
#[derive(Debug, Default)]
pub(crate) struct Advance {
    /// Tokens that follow, the sampled one first where there is one.
    pub(crate) tokens: Vec<u32>,
    /// How many of them were forced.
    pub(crate) forced: usize,
    /// Set when the output has ended.
    pub(crate) finish: Option<FinishReason>,
}

impl Draft {
    /// `arrived` is when its request reached the engine.
    pub(crate) fn new(request: &Request, seed: u32, guide: Option<Guide>, arrived: Instant) -> Self {
        let prompt = u32::try_from(request.prompt.len()).unwrap_or(u32::MAX);
        Self {
            sampler: Sampler::new(request.sampling.clone(), seed, &request.prompt),
            guide,
            mask: None,
            text: GrowingText::default(),
            token_ids: Vec::new(),
            stop: request.stop.clone(),
            watch: request.watch.clone(),
            max_tokens: request.max_tokens as usize,
            counts: TokenCounts { prompt, ..TokenCounts::default() },
            seed,
            clock: Clock { arrived, begun: None, first_token: None },
        }
    }

    /// Notes that tokens of it are being computed.
    pub(crate) fn begun(&mut self) {
        self.clock.begun.get_or_insert_with(Instant::now);
    }

    /// Writes what is forced before anything is sampled.
    pub(crate) fn start(&mut self, vocabulary: &Vocabulary) -> Advance {
        self.guarded(|draft, advance| {
            draft.force(vocabulary, advance)?;
            draft.settle(advance, 0);
            Ok(())
        })
    }

    /// Computes which tokens the grammar allows next. Needs no logits, so it may run while the device computes them.
    pub(crate) fn prepare(&mut self) -> Result<(), String> {
        if let (Some(guide), None) = (&mut self.guide, &self.mask) {
            self.mask = Some(guide.mask()?);
        }
        Ok(())
    }

    /// Draws a token, then writes it and what it forces.
    pub(crate) fn advance(&mut self, logits: &[f32], vocabulary: &Vocabulary) -> Advance {
        self.guarded(|draft, advance| {
            draft.prepare()?;
            let mask = draft.mask.take();
            let token = draft.sampler.draw(logits, mask.as_ref());
            let token = token.ok_or("the model gave no number for any token that may come next")?;
            if vocabulary.ends_text(token) {
                advance.finish = Some(FinishReason::Stop);
                return Ok(());
            }
            let known = draft.text.as_str().len();
            draft.write(token, vocabulary, advance);
            if let Some(guide) = &mut draft.guide {
                guide.accept(token)?;
            }
            draft.force(vocabulary, advance)?;
            draft.settle(advance, known);
            Ok(())
        })
    }

    /// The result, once it has ended.
    pub(crate) fn finish(self, finish: FinishReason, reused: usize) -> Generation {
        let reused = u32::try_from(reused).unwrap_or(u32::MAX);
        let timings = self.clock.read();
        Generation {
            text: self.text.into_string(),
            token_ids: self.token_ids,
            finish,
            tokens: TokenCounts { reused, ..self.counts },
            seed: self.seed,
            timings,
        }
    }

    /// Runs a step so that an error, or a panic of a watch, fails this draft only.
    fn guarded(&mut self, step: impl FnOnce(&mut Self, &mut Advance) -> Result<(), String>) -> Advance {
        let mut advance = Advance::default();
        let result = catch_unwind(AssertUnwindSafe(|| step(self, &mut advance)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => advance.finish = Some(FinishReason::Failed(problem)),
            Err(_) => advance.finish = Some(FinishReason::Failed("a check of the text panicked".to_owned())),
        }
        advance
    }

    fn write(&mut self, token: u32, vocabulary: &Vocabulary, advance: &mut Advance) {
        self.sampler.note(token);
        self.token_ids.push(token);
        self.text.push(vocabulary.bytes(token));
        self.counts.generated += 1;
        // What is forced before anything is computed takes no time.
        if self.clock.begun.is_some() {
            self.clock.first_token.get_or_insert_with(Instant::now);
        }
        advance.tokens.push(token);
    }

    fn force(&mut self, vocabulary: &Vocabulary, advance: &mut Advance) -> Result<(), String> {
        let Some(guide) = &mut self.guide else { return Ok(()) };
        let forced = guide.forced()?;
        let room = self.max_tokens.saturating_sub(self.token_ids.len());
        // Where forced text does not fit, the output is cut there; `settle` says so.
        for token in forced.iter().take(room) {
            self.write(*token, vocabulary, advance);
            self.counts.forced += 1;
            advance.forced += 1;
        }
        if forced.len() > room {
            advance.finish = Some(FinishReason::Length);
        }
        Ok(())
    }

    /// Decides whether the output has ended. `known` bytes of text were looked at before.
    fn settle(&mut self, advance: &mut Advance, known: usize) {
        if advance.finish.is_some() {
            return;
        }
        let complete = self.guide.as_ref().is_some_and(Guide::is_finished);
        if self.text.cut_at(&self.stop, known) || complete {
            advance.finish = Some(FinishReason::Stop);
        } else if self.watch.as_ref().is_some_and(|watch| !watch.observe(self.text.as_str(), known)) {
            advance.finish = Some(FinishReason::Watch);
        } else if self.token_ids.len() >= self.max_tokens {
            advance.finish = Some(FinishReason::Length);
        }
    }
}
