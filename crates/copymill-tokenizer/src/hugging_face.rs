//! A tokenizer from a GGUF's vocabulary, in agreement with llama.cpp and without a model in memory.
//!
//! The encoders know no control tokens: those are cut out of template text beforehand, and of nothing else. So
//! untrusted text cannot spell one, and its ids are checked once more all the same.

use std::path::PathBuf;

use tokenizers::Tokenizer as ByteLevelTokenizer;

mod byte_level;
mod pre_tokenizers;
mod sentence_piece;
mod special_tokens;

pub(crate) use pre_tokenizers::PreTokenizer;

use crate::gguf::Gguf;
use crate::segment::{Segment, TokenizeError, Tokenizer, Trust};
use crate::vocabulary::{TokenKind, Vocabulary};
use sentence_piece::SentencePiece;
use special_tokens::{Fragment, SpecialTokens};

/// Far above any prompt; below it, no pattern can exceed the regular expressions' limit of steps.
const MAX_SEGMENT_BYTES: usize = 512 << 10;

/// Why no tokenizer can be built here; the caller falls back to the model's own or to an estimate.
#[derive(Debug, thiserror::Error)]
pub enum Unsupported {
    /// The kind of vocabulary is not one of `gpt2` and `llama`.
    #[error(
        "the vocabulary kind {name:?} is not supported: token counts are estimated where no model is loaded"
    )]
    Model {
        /// The value of `tokenizer.ggml.model`.
        name: String,
    },
    /// The pre-tokenizer is not known exactly.
    #[error(
        "the pre-tokenizer {name:?} is not supported: put the model's tokenizer.json beside the GGUF file"
    )]
    PreTokenizer {
        /// The value of `tokenizer.ggml.pre`.
        name: String,
    },
    /// The vocabulary is incomplete or contradicts itself.
    #[error("the vocabulary cannot be used: {0}; convert the model again")]
    Vocabulary(String),
    /// The `tokenizer.json` beside the model cannot be used.
    #[error("{} {problem}: replace it by the one of the model, or remove it", path.display())]
    TokenizerJson {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// A tokenizer that is built once per model and shared between threads.
pub struct HuggingFaceTokenizer {
    encoder: Encoder,
    special_tokens: SpecialTokens,
    is_special: Vec<bool>,
    leading_bos: Option<u32>,
}

enum Encoder {
    ByteLevel(Box<ByteLevelTokenizer>),
    SentencePiece(Box<SentencePiece>),
}

impl HuggingFaceTokenizer {
    /// Builds the tokenizer from a GGUF header; takes a fraction of a second and some 100 MB for large vocabularies.
    ///
    /// Where the file names a byte-level pre-tokenizer that is not known here, a `tokenizer.json` in the same
    /// folder takes its place. It is second choice because it may normalise text, which llama.cpp does not.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, Unsupported> {
        let vocabulary = Vocabulary::of(gguf);
        if vocabulary.tokens.is_empty() {
            return Err(Unsupported::Vocabulary("the file has none, or one that is not UTF-8".into()));
        }
        let encoder = match gguf.string("tokenizer.ggml.model").unwrap_or_default() {
            "gpt2" => Encoder::ByteLevel(Box::new(byte_level(gguf, &vocabulary)?)),
            "llama" => Encoder::SentencePiece(Box::new(SentencePiece::of(gguf, &vocabulary)?)),
            name => return Err(Unsupported::Model { name: name.to_owned() }),
        };
        Ok(Self {
            encoder,
            special_tokens: SpecialTokens::of(gguf, &vocabulary),
            is_special: vocabulary.kinds.iter().map(|kind: &TokenKind| kind.is_special()).collect(),
            leading_bos: vocabulary.leading_bos(),
        })
    }

    fn encode_template(&self, text: &str, is_first: bool, ids: &mut Vec<u32>) -> Result<(), TokenizeError> {
        let mut starts_text = is_first;
        for fragment in self.special_tokens.partition(text) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => self.encode_text(text, starts_text, ids)?,
            }
            starts_text = matches!(fragment, Fragment::Token(_));
        }
        Ok(())
    }

    fn encode_text(&self, text: &str, starts_text: bool, ids: &mut Vec<u32>) -> Result<(), TokenizeError> {
        match &self.encoder {
            Encoder::SentencePiece(encoder) => encoder.encode(text, starts_text, ids),
            Encoder::ByteLevel(encoder) => {
                let encoding = encoder.encode_fast(text, false);
                let encoding = encoding.map_err(|error| TokenizeError::Failed(error.to_string()))?;
                // Ids above the vocabulary stand for bytes that it lacks.
                let size = self.is_special.len();
                ids.extend(encoding.get_ids().iter().filter(|id| (**id as usize) < size));
            }
        }
        Ok(())
    }

    fn check_untrusted(&self, ids: &[u32]) -> Result<(), TokenizeError> {
        let special = ids.iter().find(|id| self.is_special.get(**id as usize).copied().unwrap_or(true));
        special.map_or(Ok(()), |id| Err(TokenizeError::SpecialToken { id: *id }))
    }
}

impl Tokenizer for HuggingFaceTokenizer {
    fn encode(&self, segments: &[Segment]) -> Result<Vec<u32>, TokenizeError> {
        let bytes: usize = segments.iter().map(|segment| segment.text.len()).sum();
        let mut ids = Vec::with_capacity(bytes / 2 + 1);
        ids.extend(self.leading_bos);
        for (index, Segment { text, trust }) in segments.iter().enumerate() {
            if text.len() > MAX_SEGMENT_BYTES {
                let problem =
                    format!("a segment of {} bytes, more than {MAX_SEGMENT_BYTES}: cut it", text.len());
                return Err(TokenizeError::Failed(problem));
            }
            let start = ids.len();
            match trust {
                Trust::Template => self.encode_template(text, index == 0, &mut ids)?,
                Trust::Untrusted => {
                    self.encode_text(text, index == 0, &mut ids)?;
                    self.check_untrusted(&ids[start..])?;
                }
            }
        }
        // A template that spells BOS itself must not get it twice.
        let begins_twice = matches!((self.leading_bos, &ids[..]), (Some(bos), [first, second, ..])
            if *first == bos && *second == bos);
        if begins_twice && segments.first().is_some_and(|segment| segment.trust == Trust::Template) {
            ids.remove(0);
        }
        Ok(ids)
    }
}

fn byte_level(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<ByteLevelTokenizer, Unsupported> {
    let json = gguf.path().with_file_name("tokenizer.json");
    match byte_level::from_vocabulary(gguf, vocabulary) {
        Err(Unsupported::PreTokenizer { .. }) if json.exists() => byte_level::from_json(&json, vocabulary),
        result => result,
    }
}
