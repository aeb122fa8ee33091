//! The engine on a real model: the demo model that comes with the examples.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod generating;
mod measuring;
mod model_files;
mod sharing;

use std::path::{Path, PathBuf};

use copymill_engine::{LlamaEngine, LlamaSettings, Request, Sampling};
use copymill_tokenizer::{Segment, Trust};

fn demo_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo-model/demo.gguf")
}

fn settings() -> LlamaSettings {
    LlamaSettings { slots: Some(4), threads: Some(1), ..LlamaSettings::new(demo_model()) }
}

fn engine() -> LlamaEngine {
    LlamaEngine::load(&settings()).unwrap()
}

/// A prompt of the demo model's chat template.
fn prompt(engine: &LlamaEngine, system: &str, user: &str) -> Vec<u32> {
    let template = |text: &str| Segment { text: text.to_owned(), trust: Trust::Template };
    let untrusted = |text: &str| Segment { text: text.to_owned(), trust: Trust::Untrusted };
    let segments = [
        template("<|system|>"),
        untrusted(system),
        template("<|user|>"),
        untrusted(user),
        template("<|assistant|>"),
    ];
    engine.tokenizer().encode(&segments).unwrap()
}

fn request(prompt: Vec<u32>, seeds: Vec<u32>, max_tokens: u32) -> Request {
    Request { prompt, seeds, max_tokens, ..Request::default() }
}

/// Draws nearly anything, so that seeds differ and outputs are long.
fn hot() -> Sampling {
    Sampling { temperature: 1.5, top_k: 0, top_p: 1.0, ..Sampling::default() }
}
