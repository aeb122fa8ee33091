//! From a model file and settings to a model and the parameters of its context.

use std::ffi::CString;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use copymill_tokenizer::Gguf;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::params::kv_overrides::ParamOverrideValue;
use llama_cpp_2::model::{LlamaLoraAdapter, LlamaModel};

use super::backend::backend;
use super::device::{self, Device};
use super::tokenizer::LlamaTokenizer;
use super::{FlashAttention, KvLayout, KvType, LlamaSettings};
use crate::engine::EngineError;

/// llama.cpp's limit on sequences of one context (`LLAMA_MAX_SEQ`).
const MAX_SEQUENCES: u32 = 256;

/// llama.cpp rounds the cache up to a multiple of this.
const CELL_PADDING: u32 = 256;

/// Architectures whose sliding window llama.cpp does not apply, though their files may name one.
const WINDOW_NOT_APPLIED: [&str; 6] = ["llama", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "phi3"];

/// A model in memory and everything that was decided about it.
pub(crate) struct Loaded {
    pub(crate) model: Arc<LlamaModel>,
    pub(crate) adapter: Option<LlamaLoraAdapter>,
    pub(crate) tokenizer: Arc<LlamaTokenizer>,
    pub(crate) gguf: Gguf,
    pub(crate) device: Device,
    pub(crate) plan: ContextPlan,
}

/// The context that is made for a model: settings with nothing left open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextPlan {
    pub(crate) slots: u32,
    pub(crate) holds: u32,
    pub(crate) cells: u32,
    pub(crate) batch: u32,
    pub(crate) micro_batch: u32,
    pub(crate) threads: u32,
    pub(crate) batch_threads: u32,
    pub(crate) kv_type: KvType,
    pub(crate) kv_layout: KvLayout,
    pub(crate) flash_attention: FlashAttention,
    pub(crate) share: bool,
}

impl ContextPlan {
    pub(crate) fn sequences(&self) -> u32 {
        self.slots + self.holds
    }
}

/// Reads and checks the file, chooses a device, loads the model and plans its context.
pub(crate) fn load_model(settings: &LlamaSettings) -> Result<Loaded, EngineError> {
    let gguf = Gguf::open(&settings.model).map_err(|error| EngineError::ModelFile {
        path: settings.model.clone(),
        problem: error.to_string(),
    })?;
    let backend = backend()?;
    let device = device::choose(settings)?;
    let mut parameters = LlamaModelParams::default().with_n_gpu_layers(0);
    if let Some(index) = device.index {
        // A number beyond the model's layers means all of them, its output layer included.
        parameters = parameters.with_n_gpu_layers(settings.gpu_layers.unwrap_or(9_999));
        parameters =
            parameters.with_devices(&[index]).map_err(|error| EngineError::Device(error.to_string()))?;
    }
    let mut model = LlamaModel::load_from_file(backend, &settings.model, &parameters)
        .map_err(|_| refused(&settings.model, &gguf, &device))?;
    // The model owns its adapters, so that they are loaded before it is shared.
    let adapter = settings.adapter.as_deref().map(|path| load_adapter(&mut model, path)).transpose()?;
    let model = Arc::new(model);
    let bare = bare_vocabulary(&settings.model, &gguf)?;
    let tokenizer = Arc::new(LlamaTokenizer::new(model.clone(), bare));
    let plan = plan_context(settings, &model, &gguf, &device)?;
    Ok(Loaded { model, adapter, tokenizer, gguf, device, plan })
}

fn load_adapter(model: &mut LlamaModel, path: &Path) -> Result<LlamaLoraAdapter, EngineError> {
    let failed = |problem: String| EngineError::ModelFile { path: path.to_owned(), problem };
    if !path.is_file() {
        return Err(failed(format!("there is no adapter file {}", path.display())));
    }
    model.lora_adapter_init(path).map_err(|error| {
        failed(format!(
            "llama.cpp cannot put the adapter {} on this model ({error}): it has to be a LoRA adapter that was trained on it; \
             the log of llama.cpp (COPYMILL_LOG=llama-cpp-2=info) says more",
            path.display()
        ))
    })
}

/// Turns a plan into llama.cpp's parameters.
pub(crate) fn context_parameters(plan: &ContextPlan) -> LlamaContextParams {
    let kv_type = match plan.kv_type {
        KvType::F16 => KvCacheType::F16,
        KvType::Q8 => KvCacheType::Q8_0,
    };
    // The numbers of `llama_flash_attn_type` in llama.h.
    let flash_attention = match plan.flash_attention {
        FlashAttention::Auto => -1,
        FlashAttention::Off => 0,
        FlashAttention::On => 1,
    };
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(plan.cells))
        .with_n_batch(plan.batch)
        .with_n_ubatch(plan.micro_batch)
        .with_n_seq_max(plan.sequences())
        .with_n_threads(i32::try_from(plan.threads).unwrap_or(i32::MAX))
        .with_n_threads_batch(i32::try_from(plan.batch_threads).unwrap_or(i32::MAX))
        .with_type_k(kv_type)
        .with_type_v(kv_type)
        .with_kv_unified(plan.kv_layout == KvLayout::Unified)
        .with_flash_attention_policy(flash_attention)
        .with_no_perf(true)
}

fn refused(path: &Path, gguf: &Gguf, device: &Device) -> EngineError {
    let problem = format!(
        "llama.cpp cannot load {}: its architecture {:?} may be newer than this program, or the memory of {} too small; \
         the log of llama.cpp (COPYMILL_LOG=llama-cpp-2=info) says more",
        path.display(),
        gguf.architecture(),
        device.name,
    );
    EngineError::ModelFile { path: path.to_owned(), problem }
}

/// SentencePiece models put a space before every text that is tokenised. Text that goes on needs a vocabulary without
/// that; it is loaded beside the model and takes a few megabytes.
fn bare_vocabulary(path: &Path, gguf: &Gguf) -> Result<Option<LlamaModel>, EngineError> {
    let prefixes = gguf.boolean("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    if gguf.string("tokenizer.ggml.model") != Some("llama") || !prefixes {
        return Ok(None);
    }
    let mut parameters = pin!(LlamaModelParams::default().with_vocab_only(true));
    let key = CString::new("tokenizer.ggml.add_space_prefix").expect("the key has no zero byte");
    parameters.as_mut().append_kv_override(&key, ParamOverrideValue::Bool(false));
    let model = LlamaModel::load_from_file(backend()?, path, &parameters);
    model
        .map(Some)
        .map_err(|error| EngineError::ModelFile { path: path.to_owned(), problem: error.to_string() })
}

fn plan_context(
    settings: &LlamaSettings,
    model: &LlamaModel,
    gguf: &Gguf,
    device: &Device,
) -> Result<ContextPlan, EngineError> {
    let on_gpu = device.index.is_some();
    let slots = settings.slots.unwrap_or(if on_gpu { 64 } else { 16 });
    let share = settings.share_prefixes && can_share(model, gguf);
    let holds = if share { settings.held_prefixes } else { 0 };
    if slots == 0 || slots + holds > MAX_SEQUENCES {
        return Err(EngineError::Device(format!(
            "{slots} slots and {holds} held prefixes: llama.cpp takes 1 to {MAX_SEQUENCES} sequences together"
        )));
    }
    let threads = settings.threads.unwrap_or_else(available_threads);
    let batch = settings.batch.max(slots);
    let mut plan = ContextPlan {
        slots,
        holds,
        cells: 0,
        batch,
        micro_batch: settings.micro_batch.clamp(1, batch),
        threads,
        batch_threads: settings.batch_threads.unwrap_or(threads),
        kv_type: settings.kv_type,
        kv_layout: settings.kv_layout,
        flash_attention: settings.flash_attention,
        share,
    };
    plan.cells = settings.cells.unwrap_or_else(|| default_cells(&plan, model, device));
    plan.cells = match plan.kv_layout {
        KvLayout::Unified => plan.cells.next_multiple_of(CELL_PADDING),
        KvLayout::Split => {
            plan.cells.div_ceil(plan.sequences()).next_multiple_of(CELL_PADDING) * plan.sequences()
        }
    };
    Ok(plan)
}

fn default_cells(plan: &ContextPlan, model: &LlamaModel, device: &Device) -> u32 {
    let per_slot = if device.index.is_some() { 1024 } else { 512 };
    let per_slot = model.n_ctx_train().min(per_slot);
    let longest = model.n_ctx_train().min(4096);
    let wanted = (plan.sequences() * per_slot).max(longest);
    let affordable = u32::try_from(device.cache_bytes / cell_bytes(plan, model).max(1)).unwrap_or(u32::MAX);
    wanted.min(affordable.max(CELL_PADDING))
}

/// Bytes of keys and values of one token over all layers.
fn cell_bytes(plan: &ContextPlan, model: &LlamaModel) -> u64 {
    let width = u64::try_from(model.n_embd()).unwrap_or(0) / u64::from(model.n_head().max(1));
    let values = 2 * u64::from(model.n_layer()) * u64::from(model.n_head_kv()) * width;
    match plan.kv_type {
        KvType::F16 => values * 2,
        // Blocks of 32 take 34 bytes.
        KvType::Q8 => values * 34 / 32,
    }
}

/// Whether cells may belong to several sequences; warns where they may not.
fn can_share(model: &LlamaModel, gguf: &Gguf) -> bool {
    let architecture = gguf.architecture();
    let window = gguf.unsigned(&format!("{architecture}.attention.sliding_window")).unwrap_or(0);
    let why = if model.is_recurrent() || model.is_hybrid() || gguf.is_recurrent() {
        "it keeps a recurrent state"
    } else if window > 0 && !WINDOW_NOT_APPLIED.contains(&architecture) {
        // llama.cpp overwrites cells that have left the window, which a shorter prefix may still need.
        "it attends to a sliding window"
    } else {
        return true;
    };
    tracing::warn!(
        "{architecture} models cannot share prefixes, because {why}: every row computes its whole prompt"
    );
    false
}

fn available_threads() -> u32 {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    u32::try_from(threads).unwrap_or(1)
}
