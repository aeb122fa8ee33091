//! The handle that callers hold, and the thread behind it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use async_trait::async_trait;
use copymill_tokenizer::Tokenizer;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};
use tokio::sync::{mpsc, oneshot};

use super::backend::backend;
use super::decoder::LlamaDecoder;
use super::loading::{ContextPlan, Loaded, context_parameters, load_model};
use super::tokenizer::LlamaTokenizer;
use super::{KvLayout, LlamaSettings};
use crate::batcher::{Batcher, Cells, Limits};
use crate::constraint::{Compiled, Compiler, Constraint, token_environment};
use crate::engine::{Engine, EngineError, EngineInfo, EngineStats};
use crate::request::{FinishReason, Generation, Request, Timings, TokenCounts};
use crate::serving::{Counters, Decoder, Job, Model, Server};
use crate::vocabulary::Vocabulary;

/// Requests on their way to the engine's thread at most. The thread takes them between steps; this many can arrive
/// during one without anyone waiting, and callers beyond it wait in `generate`.
const MAX_QUEUED_JOBS: usize = 1024;

/// How much of an adapter is added: all that it was trained to add, as llama.cpp's own programs do without being told.
const ADAPTER_SCALE: f32 = 1.0;

/// llama.cpp behind the [`Engine`] seam.
///
/// One OS thread owns the context; it ends when the handle is dropped, which waits for the step under way.
pub struct LlamaEngine {
    info: EngineInfo,
    counters: Arc<Counters>,
    /// Its index in llama.cpp's list; none for the CPU.
    device: Option<usize>,
    vocabulary: Arc<Vocabulary>,
    tokenizer: Arc<LlamaTokenizer>,
    compiler: Arc<Compiler>,
    /// Requests enter one by one, in the order of their calls: a first compilation must not let others overtake, for
    /// the order decides what shares a batch, and so how it is rounded.
    entrance: tokio::sync::Mutex<()>,
    /// Always there until drop.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl LlamaEngine {
    /// Loads a model and starts the thread. Blocks for as long as the file takes to read.
    pub fn load(settings: &LlamaSettings) -> Result<Self, EngineError> {
        let loaded = load_model(settings)?;
        let (plan, device) = (loaded.plan, loaded.device.index);
        let info = super::info::describe(&loaded);
        let vocabulary = Arc::new(loaded.tokenizer.vocabulary());
        let lanes = rayon::current_num_threads();
        let environment = token_environment(loaded.tokenizer.clone());
        let compiler = Compiler::new(&environment, lanes).map_err(EngineError::Constraint)?;
        let counters = Arc::new(Counters::new(plan.cells));
        let model = Model {
            vocabulary: vocabulary.clone(),
            counters: counters.clone(),
            sequence_tokens: info.context_tokens as usize,
            lanes,
        };
        let tokenizer = loaded.tokenizer.clone();
        let (jobs, inbox) = mpsc::channel(MAX_QUEUED_JOBS);
        let thread = start(loaded, model, inbox)?;
        let (jobs, thread) = (Some(jobs), Some(thread));
        Ok(Self {
            info,
            counters,
            device,
            vocabulary,
            tokenizer,
            compiler: Arc::new(compiler),
            entrance: tokio::sync::Mutex::new(()),
            jobs,
            thread,
        })
    }

    /// llama.cpp's own tokenizer; it keeps the model in memory while it lives.
    pub fn tokenizer(&self) -> Arc<dyn Tokenizer> {
        self.tokenizer.clone()
    }

    /// The text of token ids; control tokens have none, and bytes that are no text become U+FFFD.
    pub fn detokenize(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| self.vocabulary.bytes(*token)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What is wrong with a request, as the generations it gets.
    fn refusal(&self, request: &Request) -> Result<Option<Vec<Generation>>, EngineError> {
        let (tokens, limit) = (request.prompt.len(), self.info.context_tokens as usize);
        if tokens >= limit {
            return Err(EngineError::PromptTooLong { tokens, limit });
        }
        let foreign = request.prompt.iter().find(|token| **token as usize >= self.vocabulary.len());
        let finish = match foreign {
            _ if request.prompt.is_empty() => FinishReason::Failed("the prompt is empty".to_owned()),
            Some(token) => FinishReason::Failed(format!("the model has no token {token}")),
            None if request.max_tokens == 0 => FinishReason::Length,
            None => return Ok(None),
        };
        let prompt = u32::try_from(tokens).unwrap_or(u32::MAX);
        let empty = |seed: &u32| Generation {
            text: String::new(),
            token_ids: Vec::new(),
            finish: finish.clone(),
            tokens: TokenCounts { prompt, ..TokenCounts::default() },
            seed: *seed,
            timings: Timings::default(),
        };
        Ok(Some(request.seeds.iter().map(empty).collect()))
    }

    /// Hands a request to the thread; what comes back says when it is done.
    async fn enter(&self, request: Request) -> Result<oneshot::Receiver<Vec<Generation>>, EngineError> {
        let arrived = Instant::now();
        let _turn = self.entrance.lock().await;
        let constraint = match request.constraint.clone() {
            Some(constraint) => Some(self.compiled(constraint).await?),
            None => None,
        };
        let jobs = self.jobs.as_ref().ok_or(EngineError::Stopped)?;
        let place = jobs.reserve().await.map_err(|_| EngineError::Stopped)?;
        let (reply, result) = oneshot::channel();
        self.counters.submitted(request.seeds.len());
        place.send(Job { request, constraint, arrived, reply });
        Ok(result)
    }

    async fn compiled(&self, constraint: Arc<Constraint>) -> Result<Arc<Compiled>, EngineError> {
        // Requests enter one by one: on a busy machine, waiting for another thread would keep slots empty.
        if let Some(known) = constraint.known(&self.compiler) {
            return Ok(known);
        }
        let compiler = self.compiler.clone();
        // A first compilation may take a second.
        let compiling = tokio::task::spawn_blocking(move || constraint.compiled(&compiler));
        compiling.await.map_err(|_| EngineError::Stopped)?.map_err(EngineError::Constraint)
    }
}

#[async_trait]
impl Engine for LlamaEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    async fn generate(&self, request: Request) -> Result<Vec<Generation>, EngineError> {
        if let Some(refused) = self.refusal(&request)? {
            return Ok(refused);
        }
        let result = self.enter(request).await?;
        result.await.map_err(|_| EngineError::Stopped)
    }

    fn stats(&self) -> EngineStats {
        self.counters.snapshot()
    }

    fn device_memory(&self) -> Option<(u64, u64)> {
        self.device.and_then(super::device::memory)
    }
}

impl Drop for LlamaEngine {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more. Waiting for it gives the device's memory back, and keeps
        // static destructors of GPU drivers from running under a live context.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts the thread and waits until its context is ready.
fn start(loaded: Loaded, model: Model, inbox: mpsc::Receiver<Job>) -> Result<JoinHandle<()>, EngineError> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let sequence_tokens = model.sequence_tokens;
    let run = move || {
        let Loaded { model: llama, adapter, plan, .. } = loaded;
        let decoder = new_context(&llama, adapter, &plan).and_then(|context| warm_decoder(context, &plan));
        match decoder {
            Ok(decoder) => {
                let batcher = Batcher::new(limits(&plan, sequence_tokens));
                if ready.send(Ok(())).is_ok() {
                    Server::new(decoder, batcher, model, inbox).run();
                }
            }
            // If nobody waits for the answer, nobody needs the engine.
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(run);
    let thread = thread.map_err(|error| EngineError::Device(format!("no thread for the engine: {error}")))?;
    match is_ready.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(EngineError::Stopped),
    }
}

/// Loads a model for a caller that decodes by itself on this thread; tells it the slots and the tokens of a batch.
pub(crate) fn with_decoder<T>(
    settings: &LlamaSettings,
    run: impl FnOnce(&mut dyn Decoder, u32, usize) -> T,
) -> Result<T, EngineError> {
    let Loaded { model, adapter, plan, .. } = load_model(settings)?;
    let mut decoder = warm_decoder(new_context(&model, adapter, &plan)?, &plan)?;
    Ok(run(&mut decoder, plan.slots, plan.batch as usize))
}

fn new_context<'model>(
    model: &'model LlamaModel,
    adapter: Option<LlamaLoraAdapter>,
    plan: &ContextPlan,
) -> Result<LlamaContext<'model>, EngineError> {
    let mut context = model.new_context(backend()?, context_parameters(plan)).map_err(|error| {
        EngineError::Device(format!(
            "llama.cpp cannot make a context of {} cells for {} slots ({error}): set fewer cells or slots",
            plan.cells, plan.slots
        ))
    })?;
    if let Some(mut adapter) = adapter {
        let set = context.lora_adapter_set(&mut adapter, ADAPTER_SCALE);
        set.map_err(|error| EngineError::Device(format!("the adapter cannot be used: {error}")))?;
    }
    Ok(context)
}

fn warm_decoder<'model>(
    context: LlamaContext<'model>,
    plan: &ContextPlan,
) -> Result<LlamaDecoder<'model>, EngineError> {
    let mut decoder = LlamaDecoder::new(context, plan.kv_layout);
    match decoder.warm_up(0) {
        Ok(()) => Ok(decoder),
        Err(error) => Err(EngineError::Device(format!("the device cannot decode a first token: {error:?}"))),
    }
}

fn limits(plan: &ContextPlan, sequence_tokens: usize) -> Limits {
    let cells = plan.cells as usize;
    Limits {
        slots: plan.slots as usize,
        holds: plan.holds as usize,
        batch: plan.batch as usize,
        sequence: sequence_tokens,
        cells: match plan.kv_layout {
            KvLayout::Unified => Cells::Unified { capacity: cells },
            KvLayout::Split => Cells::Split { per_sequence: cells / plan.sequences() as usize },
        },
        share: plan.share,
    }
}
