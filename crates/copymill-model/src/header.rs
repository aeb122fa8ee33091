//! A model file that was looked at and not loaded: a fraction of a second, whatever its size.

use std::{path::PathBuf, sync::Arc};

use copymill_tokenizer::{
    ChatTemplate, Gguf, GgufError, HuggingFaceTokenizer, PromptEncoder, PromptEncoderError, TokenCount,
    Tokenizer, count,
};

use crate::ModelFile;

/// A model file's header.
pub struct ModelHeader {
    /// The file.
    pub file: ModelFile,
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
}

impl ModelHeader {
    /// Reads the header and builds the tokenizer.
    pub fn read(file: ModelFile) -> Result<Self, HeaderError> {
        let gguf = Gguf::open(&file.path)?;
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
        Ok(Self { file, gguf, tokenizer })
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
