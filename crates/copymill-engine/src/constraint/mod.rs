//! Output that must match a JSON schema, enforced while decoding.

mod compiler;
mod guide;
mod token_environment;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

pub(crate) use compiler::{Compiled, Compiler};
pub(crate) use guide::Guide;
pub(crate) use token_environment::{ModelTokens, token_environment};

/// A JSON schema that output must match, written compactly.
///
/// Share one per campaign: an engine compiles it on first use and keeps the result in it.
pub struct Constraint {
    schema: Value,
    /// The compiled form for the engine that used it last.
    compiled: Mutex<Option<Arc<Compiled>>>,
}

impl Constraint {
    /// Takes a schema as llguidance understands it (JSON Schema, with few exceptions).
    ///
    /// Output has no optional spaces, unless the schema's own `x-guidance` says otherwise: what can be written in one
    /// way only is not sampled, which is most of a JSON frame.
    pub fn json_schema(mut schema: Value) -> Self {
        if let Some(object) = schema.as_object_mut() {
            object.entry("x-guidance").or_insert(json!({"whitespace_flexible": false}));
        }
        Self { schema, compiled: Mutex::new(None) }
    }

    /// The compiled form for the given engine's vocabulary, where it is there already.
    pub(crate) fn known(&self, compiler: &Compiler) -> Option<Arc<Compiled>> {
        let compiled = self.compiled.try_lock().ok()?;
        compiled.as_ref().filter(|compiled| compiler.made(compiled)).cloned()
    }

    /// The compiled form for the given engine's vocabulary; compiles where that was not done before, which takes
    /// milliseconds to a second.
    pub(crate) fn compiled(&self, compiler: &Compiler) -> Result<Arc<Compiled>, String> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        match &*compiled {
            Some(ready) if compiler.made(ready) => Ok(ready.clone()),
            _ => Ok(compiled.insert(Arc::new(compiler.compile(self.schema.clone())?)).clone()),
        }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Constraint").field("schema", &self.schema).finish_non_exhaustive()
    }
}
