//! Text generation: a continuous batcher over llama.cpp, and a scripted engine.
//!
//! Callers hold a `dyn` [`Engine`]. [`LlamaEngine`] owns one OS thread, which alone touches the llama.cpp context; what
//! goes into each batch is decided by a pure type (`batcher`) that knows no model. [`ScriptedEngine`] keeps the same
//! promises without a model.

mod batcher;
pub mod bench;
mod constraint;
mod engine;
mod llama;
mod request;
mod sampling;
mod scripted;
mod serving;
mod vocabulary;

pub use constraint::Constraint;
pub use engine::{Engine, EngineError, EngineInfo, EngineStats};
pub use llama::{FlashAttention, KvLayout, KvType, LlamaEngine, LlamaSettings};
pub use request::{FinishReason, Generation, Request, Sampling, Timings, TokenCounts, Watch};
pub use scripted::{ByteTokenizer, ScriptedAnswer, ScriptedEngine};
