//! Writes a GPT-2 of any shape with random weights: speed does not depend on what the weights say.

mod gguf_writer;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use copymill_tokenizer::Gguf;
use rand_core::Rng;
use rand_pcg::Pcg32;

use gguf_writer::{GgufWriter, TensorType, Value};

/// The shape of a GPT-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Transformer blocks.
    pub layers: u32,
    /// Numbers per token; a multiple of `heads` and of 32.
    pub width: u32,
    /// Attention heads.
    pub heads: u32,
    /// Tokens that it can attend to.
    pub context: u32,
    /// Tokens of its vocabulary.
    pub vocabulary: u32,
}

impl Shape {
    /// The smallest GPT-2 (Radford et al. 2019).
    pub const GPT2_124M: Self = Self { layers: 12, width: 768, heads: 12, context: 1024, vocabulary: 50_257 };
}

/// Writes a Q8_0 model of the given shape to `path`, the same one every time.
///
/// Tokens and merges come from the GGUF file `vocabulary`, which must be of the gpt2 tokenizer family, filled up with
/// made-up words, so that constraints have as much to mask as in a real vocabulary.
pub fn write(path: &Path, shape: Shape, vocabulary: &Path) -> io::Result<()> {
    let source = Gguf::open(vocabulary).map_err(io::Error::other)?;
    if source.string("tokenizer.ggml.model") != Some("gpt2")
        || source.tokens().len() > shape.vocabulary as usize
    {
        let problem = "the vocabulary must be of the gpt2 family and no larger than the model's";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut writer = GgufWriter::new();
    add_hyperparameters(&mut writer, shape);
    add_vocabulary(&mut writer, shape, &source);
    add_tensors(&mut writer, shape);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writer.write(&mut file, fill)?;
    file.flush()
}

fn add_hyperparameters(writer: &mut GgufWriter, shape: Shape) {
    const MOSTLY_Q8_0: u32 = 7;
    writer.set("general.architecture", Value::Text("gpt2".into()));
    writer.set("general.name", Value::Text("Random GPT-2".into()));
    writer.set("general.file_type", Value::U32(MOSTLY_Q8_0));
    writer.set("gpt2.context_length", Value::U32(shape.context));
    writer.set("gpt2.embedding_length", Value::U32(shape.width));
    writer.set("gpt2.feed_forward_length", Value::U32(4 * shape.width));
    writer.set("gpt2.block_count", Value::U32(shape.layers));
    writer.set("gpt2.attention.head_count", Value::U32(shape.heads));
    writer.set("gpt2.attention.layer_norm_epsilon", Value::F32(1e-5));
}

fn add_vocabulary(writer: &mut GgufWriter, shape: Shape, source: &Gguf) {
    const NORMAL: i32 = 1;
    let mut tokens = source.tokens().to_vec();
    let mut types: Vec<i32> =
        source.token_types().iter().map(|kind| i32::try_from(*kind).unwrap_or(NORMAL)).collect();
    types.resize(tokens.len(), NORMAL);
    let mut known: HashSet<String> = tokens.iter().cloned().collect();
    let mut random = Pcg32::new(1, 1);
    while tokens.len() < shape.vocabulary as usize {
        let word = made_up_word(&mut random);
        if known.insert(word.clone()) {
            tokens.push(word);
            types.push(NORMAL);
        }
    }
    writer.set("tokenizer.ggml.tokens", Value::Texts(tokens));
    writer.set("tokenizer.ggml.token_type", Value::Integers(types));
    writer.set("tokenizer.ggml.merges", Value::Texts(source.merges().to_vec()));
    for key in ["tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.chat_template"] {
        if let Some(text) = source.string(key) {
            writer.set(key, Value::Text(text.to_owned()));
        }
    }
    for kind in ["bos", "eos", "eot", "padding", "unknown"] {
        let key = format!("tokenizer.ggml.{kind}_token_id");
        if let Some(id) = source.unsigned(&key).and_then(|id| u32::try_from(id).ok()) {
            writer.set(&key, Value::U32(id));
        }
    }
    if let Some(adds_bos) = source.boolean("tokenizer.ggml.add_bos_token") {
        writer.set("tokenizer.ggml.add_bos_token", Value::Bool(adds_bos));
    }
}

/// A word of 3 to 8 letters, half of them after a space, as in a real vocabulary.
fn made_up_word(random: &mut Pcg32) -> String {
    const SPACE: &str = "\u{120}";
    let space = if random.next_u32().is_multiple_of(2) { SPACE } else { "" };
    let letters = 3 + random.next_u32() % 6;
    let word = (0..letters).map(|_| char::from(b'a' + u8::try_from(random.next_u32() % 26).unwrap_or(0)));
    space.chars().chain(word).collect()
}

fn add_tensors(writer: &mut GgufWriter, shape: Shape) {
    let width = u64::from(shape.width);
    let vector = |writer: &mut GgufWriter, name: String, length: u64| {
        writer.tensor(&format!("{name}.weight"), &[length], TensorType::F32);
        writer.tensor(&format!("{name}.bias"), &[length], TensorType::F32);
    };
    let linear = |writer: &mut GgufWriter, name: String, from: u64, to: u64| {
        writer.tensor(&format!("{name}.weight"), &[from, to], TensorType::Q8_0);
        writer.tensor(&format!("{name}.bias"), &[to], TensorType::F32);
    };
    writer.tensor("token_embd.weight", &[width, u64::from(shape.vocabulary)], TensorType::Q8_0);
    writer.tensor("position_embd.weight", &[width, u64::from(shape.context)], TensorType::F32);
    for layer in 0..shape.layers {
        vector(writer, format!("blk.{layer}.attn_norm"), width);
        linear(writer, format!("blk.{layer}.attn_qkv"), width, 3 * width);
        linear(writer, format!("blk.{layer}.attn_output"), width, width);
        vector(writer, format!("blk.{layer}.ffn_norm"), width);
        linear(writer, format!("blk.{layer}.ffn_up"), width, 4 * width);
        linear(writer, format!("blk.{layer}.ffn_down"), 4 * width, width);
    }
    vector(writer, "output_norm".to_owned(), width);
}

/// Writes a tensor's data: norms scale by one, biases add nothing, the rest is random.
fn fill(name: &str, bytes: u64, sink: &mut dyn Write) -> io::Result<()> {
    let matrix = !name.ends_with("norm.weight") && !name.ends_with(".bias");
    if matrix && name != "position_embd.weight" {
        return fill_q8_0(name, bytes, sink);
    }
    let value = if name.ends_with("norm.weight") { 1.0_f32 } else { 0.0 };
    for _ in 0..bytes / 4 {
        sink.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// Blocks of a 16-bit scale and 32 signed bytes. The scale is 0.00027, which gives GPT-2's deviation of 0.02.
fn fill_q8_0(name: &str, bytes: u64, sink: &mut dyn Write) -> io::Result<()> {
    const SCALE: u16 = 0x0c6c;
    const BLOCK_BYTES: u64 = 34;
    let stream = name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Pcg32::new(7, stream);
    let mut weights = [0; 32];
    for _ in 0..bytes / BLOCK_BYTES {
        random.fill_bytes(&mut weights);
        sink.write_all(&SCALE.to_le_bytes())?;
        sink.write_all(&weights)?;
    }
    Ok(())
}
