//! LoRA adapters, written by hand: what changes a model, and by how much, is known.

use std::{fs, path::Path};

/// Ranks of the factors, and the adapter's alpha with it: their product is added as it is.
const RANK: u64 = 4;
/// Where data begins in a GGUF file.
const ALIGNMENT: usize = 32;

/// Which model an adapter says that it was made for.
pub struct MadeFor {
    /// The architecture.
    pub architecture: &'static str,
    /// Width of its layers.
    pub width: u64,
}

/// The demo model's shape.
pub const DEMO: MadeFor = MadeFor { architecture: "gpt2", width: 256 };

/// Writes an adapter for the outputs of the first layers' attention; one of strength 0 changes nothing.
pub fn write_adapter(path: &Path, made_for: &MadeFor, strength: f32) {
    let MadeFor { architecture, width } = *made_for;
    let name = |layer: u64, side: &str| format!("blk.{layer}.attn_output.weight.lora_{side}");
    let tensors: Vec<(String, [u64; 2])> = (0..4)
        .flat_map(|layer| [(name(layer, "a"), [width, RANK]), (name(layer, "b"), [RANK, width])])
        .collect();
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend(4_u64.to_le_bytes());
    for (key, value) in
        [("general.architecture", architecture), ("general.type", "adapter"), ("adapter.type", "lora")]
    {
        put_text(&mut file, key);
        file.extend(8_u32.to_le_bytes());
        put_text(&mut file, value);
    }
    put_text(&mut file, "adapter.lora.alpha");
    file.extend(6_u32.to_le_bytes());
    file.extend((RANK as f32).to_le_bytes());
    let bytes_each = width * RANK * 4;
    for ((name, shape), offset) in tensors.iter().zip((0..).step_by(bytes_each as usize)) {
        put_text(&mut file, name);
        file.extend(2_u32.to_le_bytes());
        shape.iter().for_each(|length| file.extend(length.to_le_bytes()));
        file.extend(0_u32.to_le_bytes());
        file.extend((offset as u64).to_le_bytes());
    }
    file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    for index in 0..tensors.len() as u64 * width * RANK {
        // From -1 to 1, and never all the same.
        let value = (index * 37 % 101) as f32 / 50.0 - 1.0;
        file.extend((value * strength).to_le_bytes());
    }
    fs::write(path, file).expect("the adapter's folder takes files");
}

fn put_text(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.as_bytes());
}
