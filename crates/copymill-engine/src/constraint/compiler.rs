//! Compiles schemas for one model's vocabulary.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use toktrie::{InferenceCapabilities, TokEnv};

use super::Guide;

/// Compiles schemas for one engine.
pub(crate) struct Compiler {
    factory: ParserFactory,
    lanes: usize,
    /// Distinguishes engines of one process: a compiled schema fits one vocabulary only.
    engine: u64,
}

/// A schema for one vocabulary, once per lane.
///
/// A matcher's lexer learns its states as it goes and is shared by its clones under a lock. One per lane of parallel
/// sampling keeps what was learnt from row to row, and no two threads ever wait for the same lock.
pub(crate) struct Compiled {
    lanes: Vec<Mutex<Matcher>>,
    engine: u64,
}

impl Compiler {
    /// Makes a compiler for a vocabulary; `lanes` is how many threads sample at once.
    pub(crate) fn new(tokens: &TokEnv, lanes: usize) -> Result<Self, String> {
        static ENGINES: AtomicU64 = AtomicU64::new(0);
        let capabilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let factory = ParserFactory::new(tokens, capabilities, &SlicedBiasComputer::json_slices());
        let mut factory = factory.map_err(|error| error.to_string())?;
        factory.quiet();
        // A verbose error repeats the text so far, which may name a recipient.
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory, lanes: lanes.max(1), engine: ENGINES.fetch_add(1, Ordering::Relaxed) })
    }

    /// Whether this compiler made it.
    pub(crate) fn made(&self, compiled: &Compiled) -> bool {
        compiled.engine == self.engine
    }

    /// Compiles a schema; the error says what in it is not supported.
    pub(crate) fn compile(&self, schema: Value) -> Result<Compiled, String> {
        let parser = self.factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        let first = Matcher::new(parser);
        if let Some(error) = first.get_error() {
            return Err(error);
        }
        let lanes = (0..self.lanes).map(|_| Mutex::new(first.deep_clone())).collect();
        Ok(Compiled { lanes, engine: self.engine })
    }
}

impl Compiled {
    /// A guide that starts at the beginning, for a variant that is sampled in `lane`.
    pub(crate) fn guide(&self, lane: usize) -> Guide {
        let lane = &self.lanes[lane % self.lanes.len()];
        Guide::new(lane.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
