//! Token ids and chat templates from a GGUF file, without a model in memory.
//!
//! Text reaches a tokenizer as segments that are trusted or not: only a chat template's own text may become
//! control tokens. What a brief, a fact or a recipient says never does.

mod chat_template;
mod estimate;
mod gguf;
mod hugging_face;
mod prompt_encoder;
mod segment;
mod vocabulary;

pub use chat_template::{ChatTemplate, TemplateError};
pub use estimate::{ESTIMATED_BYTES_PER_TOKEN, TokenCount, count};
pub use gguf::{Gguf, GgufError, TensorInfo};
pub use hugging_face::{HuggingFaceTokenizer, Unsupported};
pub use prompt_encoder::{PromptEncoder, PromptEncoderError};
pub use segment::{Segment, TokenizeError, Tokenizer, Trust};
