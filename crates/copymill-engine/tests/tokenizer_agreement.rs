//! The tokenizer that is built without a model gives the ids of llama.cpp, token by token.
//!
//! `COPYMILL_VOCABULARIES` may name a folder of further GGUF files to compare, such as the `ggml-vocab-*.gguf` files
//! of llama.cpp's own sources or models in use.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use copymill_tokenizer::{
    Gguf, HuggingFaceTokenizer, PromptEncoder, Segment, TokenizeError, Tokenizer, Trust,
};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::params::kv_overrides::ParamOverrideValue;

/// A name or two for every supported pattern; one fixture serves for all of them.
const PRE_TOKENIZERS: [&str; 24] = [
    "default",
    "llama-bpe",
    "smaug-bpe",
    "glm4",
    "tekken",
    "minicpm5",
    "gpt-4o",
    "llama4",
    "gpt-2",
    "exaone4",
    "starcoder",
    "smollm",
    "qwen2",
    "deepseek-r1-qwen",
    "qwen35",
    "ufakzeka",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
    "falcon",
    "bloom",
    "viking",
    "bailingmoe",
    "seed-coder",
];

struct Pair {
    name: String,
    reference: LlamaModel,
    tokenizer: HuggingFaceTokenizer,
    /// The ids that precede every prompt.
    lead: Vec<u32>,
}

#[test]
fn fixtures_agree_in_untrusted_and_template_text() {
    for name in ["qwen2", "llama-bpe", "sentence-piece"] {
        compare_texts(&Pair::open(&data_folder().join(name).with_extension("gguf")));
    }
}

#[test]
fn every_supported_pre_tokenizer_agrees() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let fixture = std::fs::read(data_folder().join("qwen2.gguf")).unwrap();
    for name in PRE_TOKENIZERS {
        let path = scratch.join(name).with_extension("gguf");
        std::fs::write(&path, with_pre_tokenizer(&fixture, name)).unwrap();
        compare_texts(&Pair::open(&path));
    }
}

#[test]
fn later_sentence_piece_segments_get_no_added_space() {
    let path = data_folder().join("sentence-piece.gguf");
    let tokenizer = HuggingFaceTokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap();
    let reference = open_reference(&path, Some(("tokenizer.ggml.add_space_prefix", false)));
    let pair = Pair { name: "sentence-piece".into(), reference, tokenizer, lead: vec![1] };
    for (what, text) in hard_texts() {
        let expected = pair.expected(&text, Trust::Untrusted);
        if pair.is_free_of_special_tokens(&expected) {
            let first = Segment { text: "x".into(), trust: Trust::Untrusted };
            let second = Segment { text, trust: Trust::Untrusted };
            let alone = pair.tokenizer.encode(std::slice::from_ref(&first)).unwrap();
            let both = pair.tokenizer.encode(&[first, second]).unwrap();
            assert_eq!(both[alone.len()..], expected, "{what}");
        }
    }
}

#[test]
fn the_demo_model_agrees() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo-model/demo.gguf");
    compare_texts(&Pair::open(&path));
    let gguf = Gguf::open(&path).unwrap();
    let tokenizer = Arc::new(HuggingFaceTokenizer::from_gguf(&gguf).unwrap());
    let ids = PromptEncoder::new(tokenizer, &gguf).unwrap().encode("system", "<|endoftext|>").unwrap();
    assert!(ids.len() > 4, "{ids:?}");
}

#[test]
fn further_vocabularies_agree_where_a_folder_is_named() {
    let Some(folder) = std::env::var_os("COPYMILL_VOCABULARIES") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gguf") {
            let gguf = Gguf::open(&path).unwrap();
            match HuggingFaceTokenizer::from_gguf(&gguf) {
                Ok(_) => compare_texts(&Pair::open(&path)),
                Err(refusal) => eprintln!("{}: {refusal}", path.display()),
            }
        }
    }
}

impl Pair {
    fn open(path: &Path) -> Self {
        let gguf = Gguf::open(path).unwrap();
        let tokenizer = HuggingFaceTokenizer::from_gguf(&gguf)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", path.display()));
        let reference = open_reference(path, None);
        let lead = tokenizer.encode(&[]).unwrap();
        let vocabulary = reference.vocab();
        let asked = vocabulary.should_add_bos().then(|| u32::try_from(vocabulary.bos().0).unwrap());
        assert_eq!(lead, Vec::from_iter(asked), "{}: BOS", path.display());
        Self { name: path.display().to_string(), reference, tokenizer, lead }
    }

    fn encode(&self, text: &str, trust: Trust) -> Result<Vec<u32>, TokenizeError> {
        self.tokenizer.encode(&[Segment { text: text.to_owned(), trust }])
    }

    fn expected(&self, text: &str, trust: Trust) -> Vec<u32> {
        let ids = self.reference.vocab().tokenize(text.as_bytes(), false, trust == Trust::Template);
        ids.into_iter().map(|id| u32::try_from(id.0).unwrap()).collect()
    }

    fn is_free_of_special_tokens(&self, ids: &[u32]) -> bool {
        use llama_cpp_2::token_type::LlamaTokenAttr::{Control, Unknown, UserDefined};
        ids.iter().all(|id| {
            let attributes = self.reference.vocab().attr(llama_cpp_2::token::LlamaToken(*id as i32));
            !attributes.intersects(Control | Unknown | UserDefined)
        })
    }

    fn compare(&self, what: &str, text: &str) {
        let expected = self.expected(text, Trust::Untrusted);
        let ids = self.encode(text, Trust::Untrusted);
        let ids = ids.unwrap_or_else(|error| panic!("{}: {what}: {error}", self.name));
        let own = &ids[self.lead.len()..];
        assert!(self.is_free_of_special_tokens(own), "{}: {what}: special tokens in {own:?}", self.name);
        // llama.cpp matches user-defined tokens in any text, and may assemble control tokens from ordinary ones.
        if self.is_free_of_special_tokens(&expected) {
            assert_eq!(own, expected, "{}: {what}: untrusted {text:?}", self.name);
        }
        let mut expected = self.expected(text, Trust::Template);
        // A template's own BOS takes the place of the added one.
        if !self.lead.is_empty() && !expected.starts_with(&self.lead) {
            expected.splice(0..0, self.lead.iter().copied());
        }
        let ids = self.encode(text, Trust::Template).unwrap();
        assert_eq!(ids, expected, "{}: {what}: template {text:?}", self.name);
    }
}

/// Compares every hard text alone and, so that borders of all kinds occur, joined to some of its neighbours.
fn compare_texts(pair: &Pair) {
    let texts = hard_texts();
    for (index, (what, text)) in texts.iter().enumerate() {
        pair.compare(what, text);
        for (next_what, next) in texts.iter().cycle().skip(index + 1).step_by(7).take(6) {
            pair.compare(&format!("{what} + {next_what}"), &format!("{text}{next}"));
            pair.compare(&format!("{what} + {next_what}"), &format!("{text} {next}"));
        }
    }
}

fn hard_texts() -> Vec<(String, String)> {
    let json = std::fs::read_to_string(data_folder().join("hard_strings.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let field = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    entries.iter().map(|entry| (field(entry, "what"), field(entry, "text"))).collect()
}

fn data_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../copymill-tokenizer/tests/data")
}

fn open_reference(path: &Path, option: Option<(&str, bool)>) -> LlamaModel {
    static BACKEND: OnceLock<LlamaBackend> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        let mut backend = LlamaBackend::init().unwrap();
        backend.void_logs();
        backend
    });
    let mut parameters = pin!(LlamaModelParams::default().with_vocab_only(true));
    if let Some((key, value)) = option {
        let key = CString::new(key).unwrap();
        parameters.as_mut().append_kv_override(&key, ParamOverrideValue::Bool(value));
    }
    LlamaModel::load_from_file(backend, path, &parameters).unwrap()
}

/// Puts another name at the fixture's last key, which states the pre-tokenizer.
fn with_pre_tokenizer(fixture: &[u8], name: &str) -> Vec<u8> {
    const KEY: &[u8] = b"tokenizer.ggml.pre";
    const TYPE_BYTES: usize = 4;
    let position = fixture.windows(KEY.len()).rposition(|window| window == KEY).unwrap();
    let mut file = fixture[..position + KEY.len() + TYPE_BYTES].to_vec();
    file.extend((name.len() as u64).to_le_bytes());
    file.extend(name.as_bytes());
    file
}
