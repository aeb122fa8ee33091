//! Settling one row or segment: attempts until every variant passes its checks or has none left.

use std::{sync::Arc, time::Instant};

use copymill_campaign::{Accepted, Outcome, Reason, RowStatus, TokenUse, seed_for, sha256_hex};
use copymill_content::{Content, Copy};
use copymill_engine::{Constraint, Engine, EngineError, FinishReason, Generation, Request, Sampling};
use copymill_tokenizer::PromptEncoder;
use futures::future::try_join_all;

use crate::progress::Progress;

/// Reasons that lie in the recipient's values: no other copy would mend them.
const VALUE_CODES: [&str; 3] = ["unsafe_value", "empty_merge_field", "value_too_long"];

/// What one campaign's prompts are answered with.
#[derive(Clone)]
pub struct Generator {
    /// The model.
    pub engine: Arc<dyn Engine>,
    /// Text to token ids.
    pub encoder: Arc<PromptEncoder>,
    /// Counts what was done.
    pub progress: Arc<Progress>,
}

/// What copy is written for.
pub struct Subject<'a> {
    /// What the seeds are derived from: the row's ordinal, or the segment's key.
    pub seed_key: String,
    /// Values of the prompt's fields.
    pub prompt_values: Vec<&'a str>,
    /// The row that the copy is rendered for; none for a segment.
    pub row: Option<&'a [String]>,
}

/// How one variant ended.
pub struct Settled {
    /// The copy that was taken; none where it was rejected or no attempt was made.
    pub copy: Option<Arc<Copy>>,
    /// It rendered for the row, as JSON text; none for segments.
    pub rendered: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Every failed check of every attempt.
    pub reasons: Vec<Reason>,
    /// The attempt that was taken, or the last one; 0 where none was made.
    pub attempt: u32,
    /// Its seed.
    pub seed: Option<u32>,
    /// Why its generation ended.
    pub finish_reason: Option<&'static str>,
    /// Tokens over all attempts.
    pub tokens: TokenUse,
    /// SHA-256 of its prompt's token ids.
    pub prompt_sha256: Option<String>,
}

/// A campaign's rules for settling.
pub struct Rules<'a> {
    /// The campaign.
    pub campaign: &'a Accepted,
    /// Its prompt, checks and rendering.
    pub content: &'a Content,
    /// What decoding is constrained to.
    pub constraint: &'a Arc<Constraint>,
}

struct Prompt {
    tokens: Vec<u32>,
    sha256: String,
}

impl Generator {
    /// Settles all variants of a subject. An error concerns the engine, never the subject.
    pub async fn settle(
        &self,
        rules: &Rules<'_>,
        subject: &Subject<'_>,
    ) -> Result<Vec<Settled>, EngineError> {
        let variants = rules.campaign.file.variants;
        let prompt = match self.prompt(rules.content, subject, None) {
            Ok(prompt) => prompt,
            Err(reason) => return Ok(self.invalid(rules, reason)),
        };
        let begun = Instant::now();
        let seeds = (0..variants).map(|variant| seed(rules, subject, variant, 1)).collect();
        let first = match self.engine.generate(self.request(rules, subject, &prompt, seeds)).await {
            Ok(generations) => generations,
            Err(EngineError::PromptTooLong { tokens, limit }) => {
                let message =
                    format!("the prompt has {tokens} tokens and the model takes {limit} with the answer");
                return Ok(self.invalid(rules, value_reason("prompt_too_long", message)));
            }
            Err(error) => return Err(error),
        };
        let settled = try_join_all((0..variants).zip(first).map(|(variant, generation)| {
            let judged = self.judge((rules, subject), generation, &prompt, 1);
            self.settle_variant(rules, subject, variant, (judged, rules.campaign.file.attempts))
        }))
        .await?;
        settled.iter().for_each(|settled| self.ended(rules, subject, settled));
        self.progress.metrics.row_seconds.observe(begun.elapsed().as_secs_f64());
        Ok(settled)
    }

    /// Tries a variant again that was rejected, with as many attempts as before; `before` is how it ended.
    pub async fn settle_again(
        &self,
        rules: &Rules<'_>,
        subject: &Subject<'_>,
        variant: u32,
        before: Settled,
    ) -> Result<Settled, EngineError> {
        let failed =
            before.reasons.iter().filter(|reason| reason.attempt == before.attempt).cloned().collect();
        let last = before.attempt + rules.campaign.file.attempts;
        let before = Judged { settled: before, failed };
        let settled = self.settle_variant(rules, subject, variant, (before, last)).await?;
        self.ended(rules, subject, &settled);
        Ok(settled)
    }

    async fn settle_variant(
        &self,
        rules: &Rules<'_>,
        subject: &Subject<'_>,
        variant: u32,
        (before, last_attempt): (Judged, u32),
    ) -> Result<Settled, EngineError> {
        let Judged { mut settled, mut failed } = before;
        for attempt in settled.attempt + 1..=last_attempt {
            if failed.is_empty() {
                break;
            }
            let hint = rules.content.hint(&failed);
            // A hint can only make the prompt longer: where it does not fit, the attempts so far stand.
            let Ok(prompt) = self.prompt(rules.content, subject, Some(&hint)) else { break };
            let seed = seed(rules, subject, variant, attempt);
            let generation =
                match self.engine.generate(self.request(rules, subject, &prompt, vec![seed])).await {
                    Ok(mut generations) => generations.pop(),
                    Err(EngineError::PromptTooLong { .. }) => break,
                    Err(error) => return Err(error),
                };
            let Some(generation) = generation else { break };
            let next = self.judge((rules, subject), generation, &prompt, attempt);
            let (mut reasons, tokens) = (std::mem::take(&mut settled.reasons), settled.tokens);
            settled = next.settled;
            settled.tokens += tokens;
            reasons.append(&mut settled.reasons);
            settled.reasons = reasons;
            failed = next.failed;
        }
        if !failed.is_empty() {
            give_up(rules, subject, &failed, &mut settled);
        }
        Ok(settled)
    }

    fn prompt(&self, content: &Content, subject: &Subject<'_>, hint: Option<&str>) -> Result<Prompt, Reason> {
        let prompt = content
            .prompt(&subject.prompt_values, hint)
            .map_err(|message| value_reason("prompt_failed", message))?;
        let tokens = self
            .encoder
            .encode(&prompt.system, &prompt.user)
            .map_err(|error| value_reason("unsafe_prompt", error.to_string()))?;
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        Ok(Prompt { sha256: sha256_hex(&bytes), tokens })
    }

    fn request(&self, rules: &Rules<'_>, subject: &Subject<'_>, prompt: &Prompt, seeds: Vec<u32>) -> Request {
        let sampling = &rules.campaign.file.sampling;
        Request {
            prompt: prompt.tokens.clone(),
            seeds,
            max_tokens: sampling.max_tokens,
            sampling: Sampling {
                temperature: sampling.temperature,
                top_k: sampling.top_k,
                top_p: sampling.top_p,
                min_p: sampling.min_p,
                repetition_penalty: sampling.repetition_penalty,
                ..Sampling::default()
            },
            constraint: Some(rules.constraint.clone()),
            stop: Vec::new(),
            watch: Some(Arc::new(rules.content.watch(&subject.prompt_values))),
        }
    }

    /// Looks at an attempt, and counts what it took.
    fn judge(
        &self,
        of: (&Rules<'_>, &Subject<'_>),
        generation: Generation,
        prompt: &Prompt,
        attempt: u32,
    ) -> Judged {
        self.progress.metrics.generation(&generation);
        let judged = judge(of, generation, prompt, attempt);
        self.progress.tokens(judged.settled.tokens);
        judged
    }

    fn ended(&self, rules: &Rules<'_>, subject: &Subject<'_>, settled: &Settled) {
        // The copy of a segment is no message yet.
        match subject.row {
            Some(_) => self.progress.ended(&rules.campaign.file.kind, settled),
            None => {
                self.progress.settled(settled.outcome);
                self.progress.metrics.failures(&settled.reasons);
            }
        }
    }

    fn invalid(&self, rules: &Rules<'_>, reason: Reason) -> Vec<Settled> {
        let settled = |_| {
            let settled = Settled::without_attempt(Outcome::Invalid, reason.clone());
            self.progress.ended(&rules.campaign.file.kind, &settled);
            settled
        };
        (0..rules.campaign.file.variants).map(settled).collect()
    }
}

impl Settled {
    /// What planning decided about a row already; none for rows that are to be generated.
    pub fn by_planning(status: &RowStatus) -> Option<Self> {
        match status {
            RowStatus::Ready => None,
            RowStatus::Invalid(reason) => Some(Self::without_attempt(Outcome::Invalid, reason.clone())),
            RowStatus::Suppressed(reason) => Some(Self::without_attempt(Outcome::Suppressed, reason.clone())),
        }
    }

    /// A message that nothing was generated for.
    pub fn without_attempt(outcome: Outcome, reason: Reason) -> Self {
        Self {
            copy: None,
            rendered: None,
            outcome,
            reasons: vec![reason],
            attempt: 0,
            seed: None,
            finish_reason: None,
            tokens: TokenUse::default(),
            prompt_sha256: None,
        }
    }
}

/// One attempt and what its checks found.
struct Judged {
    settled: Settled,
    failed: Vec<Reason>,
}

fn judge(
    (rules, subject): (&Rules<'_>, &Subject<'_>),
    generation: Generation,
    prompt: &Prompt,
    attempt: u32,
) -> Judged {
    let mut settled = Settled {
        copy: None,
        rendered: None,
        outcome: Outcome::Generated,
        reasons: Vec::new(),
        attempt,
        seed: Some(generation.seed),
        finish_reason: Some(finish_word(&generation.finish)),
        tokens: TokenUse {
            prompt: u64::from(generation.tokens.prompt),
            reused: u64::from(generation.tokens.reused),
            generated: u64::from(generation.tokens.generated),
            forced: u64::from(generation.tokens.forced),
        },
        prompt_sha256: Some(prompt.sha256.clone()),
    };
    let failed = match check(rules, subject, &generation, attempt) {
        Ok((copy, rendered)) => {
            settled.copy = Some(Arc::new(copy));
            settled.rendered = rendered;
            Vec::new()
        }
        Err(reasons) => reasons,
    };
    settled.reasons.clone_from(&failed);
    Judged { settled, failed }
}

type Passed = (Copy, Option<String>);

fn check(
    rules: &Rules<'_>,
    subject: &Subject<'_>,
    generation: &Generation,
    attempt: u32,
) -> Result<Passed, Vec<Reason>> {
    if let FinishReason::Failed(why) = &generation.finish {
        let message = format!("the engine could not go on with this message: {why}");
        return Err(vec![Reason { code: "engine_failed".into(), field: None, message, attempt }]);
    }
    let truncated =
        matches!(generation.finish, FinishReason::Length | FinishReason::Context | FinishReason::Watch);
    let copy = rules.content.draft(&generation.text, truncated, attempt, &subject.prompt_values)?;
    let Some(values) = subject.row else { return Ok((copy, None)) };
    let merged = rules.content.merge(&copy, values, attempt);
    if merged.reasons.is_empty() { Ok((copy, Some(merged.rendered_json))) } else { Err(merged.reasons) }
}

/// No attempt passed: the fallback, if there is one that passes, else the row or the copy is to blame.
fn give_up(rules: &Rules<'_>, subject: &Subject<'_>, failed: &[Reason], settled: &mut Settled) {
    settled.copy = None;
    settled.rendered = None;
    settled.outcome = blame(failed);
    let Some(fallback) = rules.content.fallback() else { return };
    if let Some(values) = subject.row {
        let merged = rules.content.merge(fallback, values, settled.attempt);
        if !merged.reasons.is_empty() {
            settled.reasons.extend(merged.reasons);
            return;
        }
        settled.rendered = Some(merged.rendered_json);
    }
    settled.copy = Some(Arc::new(fallback.clone()));
    settled.outcome = Outcome::Fallback;
}

/// How a row ends whose copy is that of its segment.
pub(crate) struct Filled<'a> {
    pub(crate) outcome: Outcome,
    /// What stands in the place of the segment's copy; the copy itself where the outcome is the segment's.
    pub(crate) copy: Option<&'a Copy>,
    pub(crate) rendered: Option<String>,
    pub(crate) reasons: Vec<Reason>,
}

/// Fills a segment's copy in for a row. Where the row's own values stand in the way, it is settled alone: by the fallback,
/// if there is one that passes, else as invalid or rejected.
pub(crate) fn fill<'a>(
    content: &'a Content,
    (copy, outcome): (&'a Copy, Outcome),
    values: &[String],
    attempt: u32,
) -> Filled<'a> {
    let merged = content.merge(copy, values, attempt);
    if merged.reasons.is_empty() {
        let rendered = Some(merged.rendered_json);
        return Filled { outcome, copy: Some(copy), rendered, reasons: Vec::new() };
    }
    let mut reasons = merged.reasons;
    let alone = Filled { outcome: blame(&reasons), copy: None, rendered: None, reasons: Vec::new() };
    let Some(fallback) = content.fallback().filter(|_| outcome == Outcome::Generated) else {
        return Filled { reasons, ..alone };
    };
    let merged = content.merge(fallback, values, attempt);
    if merged.reasons.is_empty() {
        let rendered = Some(merged.rendered_json);
        return Filled { outcome: Outcome::Fallback, copy: Some(fallback), rendered, reasons };
    }
    reasons.extend(merged.reasons);
    Filled { reasons, ..alone }
}

/// Fills the copy of a segment that was settled in for a row, as a merge does.
pub fn fill_in(content: &Content, values: &[String], settled: &mut Settled) {
    let Some(copy) = settled.copy.take() else { return };
    let filled = fill(content, (&copy, settled.outcome), values, settled.attempt);
    settled.outcome = filled.outcome;
    settled.rendered = filled.rendered;
    settled.reasons.extend(filled.reasons);
    settled.copy = filled.copy.map(|copy| Arc::new(copy.clone()));
}

/// Invalid where only the recipient's own values stood in the way, else rejected.
fn blame(failed: &[Reason]) -> Outcome {
    let in_values = |reason: &Reason| VALUE_CODES.contains(&reason.code.as_str());
    if failed.iter().all(in_values) { Outcome::Invalid } else { Outcome::Rejected }
}

fn seed(rules: &Rules<'_>, subject: &Subject<'_>, variant: u32, attempt: u32) -> u32 {
    seed_for(rules.campaign.file.sampling.seed, &subject.seed_key, variant, attempt)
}

fn value_reason(code: &str, message: String) -> Reason {
    Reason { code: code.into(), field: None, message, attempt: 0 }
}

fn finish_word(finish: &FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Context => "context",
        FinishReason::Watch => "check",
        FinishReason::Failed(_) => "failed",
    }
}
