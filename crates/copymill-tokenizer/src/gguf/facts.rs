//! What is asked of a model file: its architecture, limits, quantisation and vocabulary.

use super::Gguf;

/// Recurrent and hybrid architectures of llama.cpp (`llm_arch_is_recurrent`, `llm_arch_is_hybrid`).
const RECURRENT_ARCHITECTURES: [&str; 24] = [
    "arwkv7",
    "bailingmoe3",
    "deepseek4",
    "falcon-h1",
    "glm5-next",
    "granitehybrid",
    "jamba",
    "kimi-k3",
    "kimi-linear",
    "lfm2",
    "lfm2moe",
    "mamba",
    "mamba2",
    "minimax-01",
    "nemotron_h",
    "nemotron_h_moe",
    "plamo2",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "qwen4exp",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
];

impl Gguf {
    /// The architecture's name in llama.cpp, such as `gpt2` or `llama`; empty where the file states none.
    pub fn architecture(&self) -> &str {
        self.string("general.architecture").unwrap_or_default()
    }

    /// The model's own name, for people.
    pub fn name(&self) -> Option<&str> {
        self.string("general.name")
    }

    /// How many tokens the model was trained to attend to, prompt and output together.
    pub fn context_length(&self) -> Option<u64> {
        self.unsigned(&format!("{}.context_length", self.architecture()))
    }

    /// The quantisation as people write it, such as `Q4_K_M`; `unknown` where the file does not say.
    pub fn quantisation(&self) -> &'static str {
        self.unsigned("general.file_type").map_or("unknown", quantisation_label)
    }

    /// The Jinja text of the chat template; none for base models.
    pub fn chat_template(&self) -> Option<&str> {
        self.string("tokenizer.chat_template").filter(|template| !template.trim().is_empty())
    }

    /// Whether the model keeps a recurrent state, so that a prefix's cells cannot be shared between sequences.
    pub fn is_recurrent(&self) -> bool {
        let architecture = self.architecture();
        RECURRENT_ARCHITECTURES.contains(&architecture)
            || self.has_key_starting_with(&format!("{architecture}.ssm."))
            || self.has_key_starting_with(&format!("{architecture}.wkv."))
    }

    /// How many tokens the vocabulary has; 0 where the file carries none.
    pub fn vocabulary_size(&self) -> usize {
        self.tokens().len()
    }

    /// The tokens' texts by id, as the vocabulary spells them; empty where one is not UTF-8.
    pub fn tokens(&self) -> &[String] {
        self.strings("tokenizer.ggml.tokens").unwrap_or_default()
    }

    /// The tokens' types by id: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub fn token_types(&self) -> &[i64] {
        self.integers("tokenizer.ggml.token_type").unwrap_or_default()
    }

    /// The tokens' scores by id, for SentencePiece vocabularies.
    pub fn token_scores(&self) -> &[f32] {
        self.floats("tokenizer.ggml.scores").unwrap_or_default()
    }

    /// The merges of a byte-pair vocabulary, the first applied first; two tokens and a space each.
    pub fn merges(&self) -> &[String] {
        self.strings("tokenizer.ggml.merges").unwrap_or_default()
    }
}

/// Labels by the numbers of `llama_ftype` in llama.h.
fn quantisation_label(file_type: u64) -> &'static str {
    match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        39 => "NVFP4",
        40 => "Q1_0",
        41 => "Q2_0",
        _ => "unknown",
    }
}
