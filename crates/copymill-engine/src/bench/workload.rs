//! Rows that look like a campaign's, and an engine that works through them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::Rng;
use rand_pcg::Pcg32;
use serde_json::json;
use tokio::task::JoinSet;

use super::bare::{Replay, ReplayRow};
use crate::constraint::Constraint;
use crate::engine::{Engine, EngineError, EngineStats};
use crate::llama::{LlamaEngine, LlamaSettings};
use crate::request::{Generation, Request, Watch};

/// Rows of random tokens with a common beginning.
#[derive(Clone)]
pub struct Workload {
    /// How many rows.
    pub rows: u32,
    /// Tokens that all prompts begin with.
    pub shared: u32,
    /// Further tokens of every prompt.
    pub own: u32,
    /// Tokens of output at most; a constrained output has never fewer.
    pub generated: u32,
    /// Whether output must match a schema like an e-mail's.
    pub constrained: bool,
    /// What looks at every output while it grows, as checks do.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Default for Workload {
    /// 400 shared, 40 own and 64 generated tokens, constrained: a short e-mail in a campaign.
    fn default() -> Self {
        Self { rows: 64, shared: 400, own: 40, generated: 64, constrained: true, watch: None }
    }
}

/// What an engine did with a workload.
#[derive(Debug, Clone)]
pub struct EngineRun {
    /// From the first request to the last answer; loading and compiling are not counted.
    pub duration: Duration,
    /// The engine's counters over the rows.
    pub stats: EngineStats,
    /// The rows' tokens, for a bare loop to replay.
    pub replay: Replay,
}

impl Workload {
    /// Prompts of ordinary tokens, the same ones every time.
    fn prompts(&self, engine: &LlamaEngine) -> (Vec<u32>, Vec<Vec<u32>>) {
        let ordinary = engine.text_tokens();
        let mut random = Pcg32::new(u64::from(self.rows), 1);
        let count = u32::try_from(ordinary.len()).unwrap_or(u32::MAX).max(1);
        let mut draw = |tokens: u32| -> Vec<u32> {
            (0..tokens).map(|_| ordinary[(random.next_u32() % count) as usize]).collect()
        };
        let shared = draw(self.shared);
        (shared, (0..self.rows).map(|_| draw(self.own.max(1))).collect())
    }

    fn constraint(&self) -> Option<Arc<Constraint>> {
        let text = |shortest: u32, longest: u32| json!({"type": "string", "minLength": shortest, "maxLength": longest});
        let schema = json!({
            "type": "object",
            "properties": {
                "subject": text(20, 60),
                "preheader": text(20, 90),
                "body": {"type": "array", "items": text(200, 600), "minItems": 3, "maxItems": 6},
                "cta": text(5, 30)
            },
            "required": ["subject", "preheader", "body", "cta"],
            "additionalProperties": false
        });
        self.constrained.then(|| Arc::new(Constraint::json_schema(schema)))
    }
}

/// Loads an engine and lets it work through the rows, all requests at once.
pub async fn run_engine(settings: &LlamaSettings, workload: &Workload) -> Result<EngineRun, EngineError> {
    let settings = settings.clone();
    let loading = tokio::task::spawn_blocking(move || LlamaEngine::load(&settings));
    let engine = Arc::new(loading.await.map_err(|_| EngineError::Stopped)??);
    let (shared, own) = workload.prompts(&engine);
    let constraint = workload.constraint();
    // One row that shares nothing compiles the constraint and touches all weights.
    let warm_up = Request { constraint: constraint.clone(), ..request(own[0].clone(), 0, 4) };
    engine.generate(warm_up).await?;
    let before = engine.stats();
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (seed, own) in (0..).zip(&own) {
        let prompt = shared.iter().chain(own).copied().collect();
        let (constraint, watch) = (constraint.clone(), workload.watch.clone());
        let request = Request { constraint, watch, ..request(prompt, seed, workload.generated) };
        let engine = engine.clone();
        running.spawn(async move { engine.generate(request).await });
    }
    let mut outputs: Vec<Vec<u32>> = vec![Vec::new(); own.len()];
    while let Some(answer) = running.join_next().await {
        for Generation { seed, token_ids, .. } in answer.map_err(|_| EngineError::Stopped)?? {
            outputs[seed as usize] = token_ids;
        }
    }
    let duration = started.elapsed();
    let stats = since(&before, engine.stats());
    let rows = own.into_iter().zip(outputs).map(|(own, generated)| ReplayRow { own, generated }).collect();
    Ok(EngineRun { duration, stats, replay: Replay { shared, rows } })
}

fn request(prompt: Vec<u32>, seed: u32, max_tokens: u32) -> Request {
    Request { prompt, seeds: vec![seed], max_tokens, ..Request::default() }
}

fn since(before: &EngineStats, now: EngineStats) -> EngineStats {
    EngineStats {
        decode_steps: now.decode_steps - before.decode_steps,
        prompt_tokens: now.prompt_tokens - before.prompt_tokens,
        reused_tokens: now.reused_tokens - before.reused_tokens,
        generated_tokens: now.generated_tokens - before.generated_tokens,
        forced_tokens: now.forced_tokens - before.forced_tokens,
        busy_slot_steps: now.busy_slot_steps - before.busy_slot_steps,
        requeues: now.requeues - before.requeues,
        finished: now.finished - before.finished,
        ..now
    }
}
