//! The engine on llama.cpp.

mod backend;
mod decoder;
mod device;
mod engine;
mod info;
mod loading;
mod settings;
mod tokenizer;

pub use engine::LlamaEngine;
pub(crate) use engine::with_decoder;
pub use settings::{FlashAttention, KvLayout, KvType, LlamaSettings};
