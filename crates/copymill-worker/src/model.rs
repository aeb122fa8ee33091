//! A model that is loaded, with the tokenizer that suits it.

mod agreement;

use std::sync::Arc;

use anyhow::Context;
use copymill_engine::{Engine, LlamaEngine, LlamaSettings};
use copymill_model::ModelHeader;
use copymill_tokenizer::{PromptEncoder, Tokenizer};

/// A model that is ready.
pub struct LoadedModel {
    /// What generates.
    pub engine: Arc<dyn Engine>,
    /// Prompts to token ids.
    pub encoder: Arc<PromptEncoder>,
    /// Text to token ids.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// Why llama.cpp's own tokenizer is used, which is slower; none where it is not.
    pub tokenizer_warning: Option<String>,
}

/// Loads a model; blocks another thread than the caller's.
pub async fn load_model(header: &ModelHeader, mut settings: LlamaSettings) -> anyhow::Result<LoadedModel> {
    settings.adapter = header.adapter.as_ref().map(|adapter| adapter.path.clone());
    let path = header.file.path.display().to_string();
    let loading = tokio::task::spawn_blocking(move || LlamaEngine::load(&settings));
    let engine = loading.await?.with_context(|| format!("the model {path} could not be loaded"))?;
    let (tokenizer, tokenizer_warning) = choose_tokenizer(header, &engine);
    let encoder = PromptEncoder::new(tokenizer.clone(), &header.gguf)
        .with_context(|| format!("the model {path} cannot be prompted"))?;
    Ok(LoadedModel { engine: Arc::new(engine), encoder: Arc::new(encoder), tokenizer, tokenizer_warning })
}

/// The tokenizer off the engine's thread where it agrees with llama.cpp, else llama.cpp's own.
fn choose_tokenizer(header: &ModelHeader, engine: &LlamaEngine) -> (Arc<dyn Tokenizer>, Option<String>) {
    let own = engine.tokenizer();
    let why = match &header.tokenizer {
        Ok(tokenizer) => match agreement::first_difference(tokenizer.as_ref(), own.as_ref()) {
            None => return (tokenizer.clone(), None),
            Some(difference) => difference,
        },
        Err(why) => why.clone(),
    };
    (own, Some(format!("llama.cpp's own tokenizer is used, which is slower: {why}")))
}
