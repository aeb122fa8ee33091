//! A model: looked at without loading it, then loaded with the tokenizer that suits it.

mod agreement;
mod options;

use std::sync::Arc;

use anyhow::Context;
use copymill_engine::{Engine, LlamaEngine};
use copymill_tokenizer::{Gguf, HuggingFaceTokenizer, PromptEncoder, Tokenizer};
use copymill_worker::ModelFile;

pub(crate) use options::EngineOptions;

use crate::{
    exit::{OrUsage, usage},
    output,
};

/// A model file that was looked at and not loaded.
pub(crate) struct ModelHeader {
    /// The file.
    pub(crate) file: ModelFile,
    /// Its header.
    pub(crate) gguf: Gguf,
    /// A tokenizer from its vocabulary, or why there is none.
    pub(crate) tokenizer: Result<Arc<dyn Tokenizer>, String>,
}

/// A model that is ready.
pub(crate) struct LoadedModel {
    /// What generates.
    pub(crate) engine: Arc<dyn Engine>,
    /// Prompts to token ids.
    pub(crate) encoder: Arc<PromptEncoder>,
    /// Text to token ids.
    pub(crate) tokenizer: Arc<dyn Tokenizer>,
}

impl ModelHeader {
    /// Reads the header and builds the tokenizer: a fraction of a second, whatever the size.
    pub(crate) fn read(file: ModelFile) -> anyhow::Result<Self> {
        let gguf = Gguf::open(&file.path).or_usage()?;
        if gguf.is_recurrent() {
            return Err(usage(format!(
                "{} is a recurrent model ({}): its state cannot be shared between messages; choose a transformer model",
                file.path.display(),
                gguf.architecture()
            )));
        }
        let tokenizer = match HuggingFaceTokenizer::from_gguf(&gguf) {
            Ok(tokenizer) => Ok(Arc::new(tokenizer) as Arc<dyn Tokenizer>),
            Err(error) => Err(error.to_string()),
        };
        Ok(Self { file, gguf, tokenizer })
    }

    /// Counts and encodes prompts without the model; none where only llama.cpp knows its tokenizer.
    pub(crate) fn encoder(&self) -> anyhow::Result<Option<PromptEncoder>> {
        let Ok(tokenizer) = &self.tokenizer else { return Ok(None) };
        PromptEncoder::new(tokenizer.clone(), &self.gguf).map(Some).or_usage()
    }

    /// Tokens that prompt and answer may have together, as the model was trained.
    pub(crate) fn context(&self) -> u64 {
        self.gguf.context_length().unwrap_or(u64::MAX)
    }

    /// Loads the model; blocks another thread than the caller's.
    pub(crate) async fn load(&self, options: &EngineOptions) -> anyhow::Result<LoadedModel> {
        let settings = options.settings(&self.file.path);
        let path = self.file.path.display().to_string();
        let loading = tokio::task::spawn_blocking(move || LlamaEngine::load(&settings));
        let engine = loading.await?.with_context(|| format!("the model {path} could not be loaded"))?;
        output::note(&engine.info().start_line);
        let tokenizer = self.choose_tokenizer(&engine);
        let encoder = PromptEncoder::new(tokenizer.clone(), &self.gguf).or_usage()?;
        Ok(LoadedModel { engine: Arc::new(engine), encoder: Arc::new(encoder), tokenizer })
    }

    /// The tokenizer off the engine's thread where it agrees with llama.cpp, else llama.cpp's own.
    fn choose_tokenizer(&self, engine: &LlamaEngine) -> Arc<dyn Tokenizer> {
        let own = engine.tokenizer();
        let why = match &self.tokenizer {
            Ok(tokenizer) => match agreement::first_difference(tokenizer.as_ref(), own.as_ref()) {
                None => return tokenizer.clone(),
                Some(difference) => difference,
            },
            Err(why) => why.clone(),
        };
        output::warn(format_args!("llama.cpp's own tokenizer is used, which is slower: {why}"));
        own
    }
}
