//! An engine that answers from a function: for tests, and for measuring the pipeline around the engine.

mod byte_tokenizer;
mod engine;
#[cfg(test)]
mod tests;

pub use byte_tokenizer::ByteTokenizer;
pub use engine::{ScriptedAnswer, ScriptedEngine};
