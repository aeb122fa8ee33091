//! A model file that was looked at and not loaded: a fraction of a second, whatever its size.

use std::{path::PathBuf, sync::Arc};

use copymill_campaign::ModelPin;
use copymill_tokenizer::{
    ChatTemplate, Gguf, GgufError, HuggingFaceTokenizer, PromptEncoder, PromptEncoderError, TokenCount,
    Tokenizer, count,
};

use crate::{ModelFile, adapter::is_adapter};

/// A model file's header.
pub struct ModelHeader {
    /// The file.
    pub file: ModelFile,
    /// The LoRA adapter on it.
    pub adapter: Option<ModelFile>,
    /// What queues, campaigns and outputs call the model and its adapter.
    pub pin: ModelPin,
    /// Its header.
    pub gguf: Gguf,
    /// A tokenizer from its vocabulary, or why there is none.
    pub tokenizer: Result<Arc<dyn Tokenizer>, String>,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It is no GGUF file, or a damaged one.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Its state is one vector, not one per token.
    #[error(
        "{path} is a recurrent model ({architecture}): its state cannot be shared between messages; choose a transformer \
         model", path = path.display()
    )]
    Recurrent {
        /// The file.
        path: PathBuf,
        /// What it is.
        architecture: String,
    },
    /// It changes a model, and is none.
    #[error("{path} is a LoRA adapter; name it as `adapter`, and the model that it was made for as `model`", path = path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
    },
    /// An adapter that cannot be put on the model.
    #[error("the adapter {path} cannot be used: {reason}", path = path.display())]
    Adapter {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl ModelHeader {
    /// Reads the header and builds the tokenizer.
    pub fn read(file: ModelFile) -> Result<Self, HeaderError> {
        let gguf = Gguf::open(&file.path)?;
        if is_adapter(&gguf) {
            return Err(HeaderError::NoModel { path: file.path });
        }
        if gguf.is_recurrent() {
            return Err(HeaderError::Recurrent {
                path: file.path,
                architecture: gguf.architecture().to_owned(),
            });
        }
        let tokenizer = match HuggingFaceTokenizer::from_gguf(&gguf) {
            Ok(tokenizer) => Ok(Arc::new(tokenizer) as Arc<dyn Tokenizer>),
            Err(error) => Err(error.to_string()),
        };
        Ok(Self { pin: file.pin.clone(), adapter: None, file, gguf, tokenizer })
    }

    /// Counts and encodes prompts without the model; none where only llama.cpp knows its tokenizer.
    pub fn encoder(&self) -> Result<Option<PromptEncoder>, PromptEncoderError> {
        let Ok(tokenizer) = &self.tokenizer else { return Ok(None) };
        PromptEncoder::new(tokenizer.clone(), &self.gguf).map(Some)
    }

    /// Counts the tokens of a prompt without the model; estimates them where only llama.cpp knows its tokenizer.
    pub fn count(&self, system: &str, user: &str) -> Result<TokenCount, PromptEncoderError> {
        let segments = ChatTemplate::from_gguf(&self.gguf)?.render(system, user);
        Ok(count(self.tokenizer.as_ref().ok().map(|tokenizer| &**tokenizer), &segments)?)
    }

    /// Tokens that prompt and answer may have together, as the model was trained.
    pub fn context(&self) -> u64 {
        self.gguf.context_length().unwrap_or(u64::MAX)
    }
}
