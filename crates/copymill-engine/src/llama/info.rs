//! What an engine says about itself.

use super::KvLayout;
use super::loading::{ContextPlan, Loaded};
use crate::engine::EngineInfo;

/// Describes a loaded model and its context.
pub(super) fn describe(loaded: &Loaded) -> EngineInfo {
    let Loaded { model, adapter, gguf, device, plan, .. } = loaded;
    let file = gguf.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let name = gguf.name().map(str::to_owned).or(file).unwrap_or_default();
    let start_line = format!(
        "{name} ({}, {}{}) runs on {}, because {}; {} slots, {} cells, prefixes are {}",
        gguf.architecture(),
        gguf.quantisation(),
        if adapter.is_some() { ", with an adapter" } else { "" },
        device.name,
        device.reason,
        plan.slots,
        plan.cells,
        if plan.share { "shared" } else { "not shared" },
    );
    EngineInfo {
        model: name,
        architecture: gguf.architecture().to_owned(),
        quantisation: gguf.quantisation().to_owned(),
        parameters: model.n_params(),
        model_bytes: model.size(),
        context_tokens: sequence_tokens(model.n_ctx_train(), plan),
        vocabulary: u32::try_from(model.n_vocab()).unwrap_or(0),
        slots: plan.slots,
        cells: plan.cells,
        batch: plan.batch,
        micro_batch: plan.micro_batch,
        shares_prefixes: plan.share,
        device: device.name.clone(),
        sampler: "constraint, repetition penalty, top-k, top-p, min-p, temperature".to_owned(),
        start_line,
    }
}

/// Tokens of one sequence at most. llama.cpp only warns beyond the training length, and then fails an assertion.
fn sequence_tokens(n_ctx_train: u32, plan: &ContextPlan) -> u32 {
    let cells = match plan.kv_layout {
        KvLayout::Unified => plan.cells,
        KvLayout::Split => plan.cells / plan.sequences(),
    };
    n_ctx_train.min(cells)
}
