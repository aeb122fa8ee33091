//! LoRA adapters: small files that change how a model writes, and need it.

use std::collections::HashMap;

use copymill_campaign::{ModelPin, sha256_hex};
use copymill_tokenizer::Gguf;

use crate::{HeaderError, ModelFile, ModelHeader};

/// Endings of an adapter's tensors; what stands before names the model's tensor that they change.
const FACTORS: [&str; 2] = [".lora_a", ".lora_b"];

impl ModelHeader {
    /// The model with an adapter on it, which is another model to queues, seeds and outputs: nothing that one of them wrote
    /// is ever taken for the other's.
    ///
    /// Fails where the file is no LoRA adapter, or one of a model of another shape.
    pub fn with_adapter(mut self, file: ModelFile) -> Result<Self, HeaderError> {
        let adapter = Gguf::open(&file.path)?;
        let refused = |reason: String| HeaderError::Adapter { path: file.path.clone(), reason };
        if !is_adapter(&adapter) {
            return Err(refused("it is no LoRA adapter; name a model file as `model`".to_owned()));
        }
        let (made_for, model) = (adapter.architecture(), self.gguf.architecture());
        if made_for != model {
            return Err(refused(format!("it was made for a {made_for} model, and this one is {model}")));
        }
        if let Some(tensor) = misfit(&self.gguf, &adapter) {
            return Err(refused(format!(
                "its tensor {tensor} fits none of the model's: it was made for another one"
            )));
        }
        self.pin = ModelPin {
            name: format!("{}+{}", self.pin.name, file.pin.name),
            sha256: sha256_hex(format!("{}+{}", self.pin.sha256, file.pin.sha256).as_bytes()),
        };
        self.adapter = Some(file);
        Ok(self)
    }
}

/// Whether a file says that it changes a model (the GGUF specification's `general.type` and `adapter.type`).
pub(crate) fn is_adapter(gguf: &Gguf) -> bool {
    gguf.string("general.type") == Some("adapter") && gguf.string("adapter.type") == Some("lora")
}

/// A tensor of the adapter that none of the model's has the shape for. Of a matrix with `rows` × `columns`, the factors are
/// `rank` × `columns` (a) and `rows` × `rank` (b); the files state columns first.
fn misfit<'a>(model: &Gguf, adapter: &'a Gguf) -> Option<&'a str> {
    let shapes: HashMap<&str, &[u64]> =
        model.tensors().iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
    let fits = |name: &str, shape: &[u64]| {
        FACTORS.iter().enumerate().any(|(side, ending)| {
            let changed = name.strip_suffix(ending).and_then(|changed| shapes.get(changed));
            // Embeddings are looked up by row, so their adapters are stored the other way round.
            changed.is_some_and(|changed| {
                changed.get(side) == shape.get(side) || name.starts_with("token_embd.")
            })
        })
    };
    let tensors = adapter.tensors().iter();
    tensors
        .map(|tensor| (tensor.name.as_str(), tensor))
        .find(|(name, tensor)| !fits(name, &tensor.shape))
        .map(|(name, _)| name)
}
