//! LoRA adapters: small files that change how a model writes, and need it.

use std::collections::{BTreeMap, HashMap};

use copymill_campaign::{ModelPin, sha256_hex};
use copymill_tokenizer::Gguf;

use crate::{HeaderError, ModelFile, ModelHeader};

/// Whose tensors llama.cpp skips in an adapter (`llama_adapter_lora_init`).
const SKIPPED: &str = "_norm.weight";
/// Embeddings are looked up by row, so their factors are stored the other way round.
const EMBEDDINGS: &str = "token_embd.weight";

impl ModelHeader {
    /// The model with an adapter on it, which is another model to queues, seeds and outputs: nothing that one of them wrote
    /// is ever taken for the other's. Its checksum is the SHA-256 of both files' checksums, `MODEL+ADAPTER`.
    ///
    /// Fails where the file is no LoRA adapter, or one of a model of another shape.
    pub fn with_adapter(mut self, file: ModelFile) -> Result<Self, HeaderError> {
        let adapter = Gguf::open(&file.path)?;
        if let Some(reason) = unfit(&self.gguf, &adapter) {
            return Err(HeaderError::Adapter { path: file.path, reason });
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

/// Why an adapter cannot be put on a model: what llama.cpp would refuse, or end the process for.
fn unfit(model: &Gguf, adapter: &Gguf) -> Option<String> {
    if !is_adapter(adapter) {
        return Some("it is no LoRA adapter; name a model file as `model`".to_owned());
    }
    let (made_for, architecture) = (adapter.architecture(), model.architecture());
    if made_for != architecture {
        return Some(format!("it was made for a {made_for} model, and this one is {architecture}"));
    }
    if adapter.float("adapter.lora.alpha").is_none() || adapter.unsigned("adapter.lora.alpha").is_some() {
        return Some("it has no number `adapter.lora.alpha`; convert it anew".to_owned());
    }
    if adapter.integers("adapter.alora.invocation_tokens").is_some() {
        return Some("it is an activated LoRA adapter, which only works from certain tokens on".to_owned());
    }
    let shapes: HashMap<&str, &[u64]> =
        model.tensors().iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
    let mut factors: BTreeMap<&str, [Option<&[u64]>; 2]> = BTreeMap::new();
    for tensor in adapter.tensors().iter().filter(|tensor| !tensor.name.ends_with(SKIPPED)) {
        let sides = [".lora_a", ".lora_b"].map(|ending| tensor.name.strip_suffix(ending));
        let Some((side, changed)) = sides.iter().enumerate().find_map(|(side, name)| Some((side, (*name)?)))
        else {
            return Some(format!("its tensor {} is no part of a LoRA adapter", tensor.name));
        };
        factors.entry(changed).or_default()[side] = Some(&tensor.shape);
    }
    let misfit =
        factors.iter().find(|(changed, sides)| !fits(changed, shapes.get(*changed).copied(), **sides));
    misfit.map(|(changed, _)| {
        format!("what it does to {changed} does not fit this model: it was made for another one")
    })
}

/// Whether two factors give the shape of a tensor. Of a matrix with `rows` × `columns`, they are `rank` × `columns` (a) and
/// `rows` × `rank` (b); files state columns first.
fn fits(changed: &str, shape: Option<&[u64]>, factors: [Option<&[u64]>; 2]) -> bool {
    let (Some([columns, rows, ..]), [Some([a0, a1, ..]), Some([b0, b1, ..])]) = (shape, factors) else {
        return false;
    };
    if changed == EMBEDDINGS {
        return (columns, rows) == (b1, a1) && a0 == b0;
    }
    (columns, rows) == (a0, b1) && a1 == b0
}
