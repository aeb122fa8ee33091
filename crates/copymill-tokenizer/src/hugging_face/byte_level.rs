//! Byte-level byte-pair encoding, from a GGUF's own vocabulary or from a `tokenizer.json` beside it.

use std::collections::HashSet;
use std::path::Path;

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, Tokenizer};

use super::Unsupported;
use super::pre_tokenizers::PreTokenizer;
use crate::gguf::Gguf;
use crate::vocabulary::Vocabulary;

/// Real files are under 35 MB.
const MAX_TOKENIZER_JSON_BYTES: u64 = 128 << 20;

/// Builds a tokenizer without any added tokens from the file's vocabulary and merges.
pub(super) fn from_vocabulary(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, Unsupported> {
    let name = gguf.string("tokenizer.ggml.pre").unwrap_or_default();
    let family =
        PreTokenizer::named(name).ok_or_else(|| Unsupported::PreTokenizer { name: name.to_owned() })?;
    let vocab = mergeable_tokens(vocabulary)?;
    let merges = merges(gguf, vocabulary, &vocab)?;
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .ignore_merges(family.ignores_merges)
        .build()
        .map_err(|error| Unsupported::Vocabulary(error.to_string()))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(family.patterns_of_unicode_15())?));
    Ok(tokenizer)
}

/// Builds a tokenizer from a `tokenizer.json` that has the same vocabulary, without its added tokens.
pub(super) fn from_json(path: &Path, vocabulary: &Vocabulary<'_>) -> Result<Tokenizer, Unsupported> {
    let refused = |problem: String| Unsupported::TokenizerJson { path: path.to_owned(), problem };
    let length = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if length > MAX_TOKENIZER_JSON_BYTES {
        return Err(refused(format!("has more than {MAX_TOKENIZER_JSON_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let mut json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if !json["pre_tokenizer"].to_string().contains("\"ByteLevel\"") {
        return Err(refused("is not of a byte-level vocabulary".to_owned()));
    }
    json["added_tokens"] = serde_json::json!([]);
    // llama.cpp does not normalise; post-processing, truncation and padding are for whole texts, not for segments.
    for part in ["normalizer", "post_processor", "truncation", "padding"] {
        json[part] = serde_json::Value::Null;
    }
    let tokenizer: Tokenizer = serde_json::from_value(json).map_err(|error| refused(error.to_string()))?;
    let mismatch =
        vocabulary.tokens.iter().zip(&vocabulary.kinds).zip(0_u32..).find(|((token, kind), id)| {
            !kind.is_matched_whole() && tokenizer.token_to_id(token).is_some_and(|other| other != *id)
        });
    let size = tokenizer.get_vocab_size(false);
    if mismatch.is_some() || size > vocabulary.tokens.len() {
        return Err(refused("belongs to another model".to_owned()));
    }
    Ok(tokenizer)
}

/// The tokens that merging may produce. Left out, a control token cannot even be assembled from ordinary ones.
fn mergeable_tokens(vocabulary: &Vocabulary<'_>) -> Result<Vocab, Unsupported> {
    let mut vocab = Vocab::default();
    for ((token, kind), id) in vocabulary.tokens.iter().zip(&vocabulary.kinds).zip(0_u32..) {
        if kind.is_matched_whole() || token.is_empty() {
            continue;
        }
        if vocab.insert(token.clone(), id).is_some() {
            return Err(Unsupported::Vocabulary(format!("it has the token {id} twice")));
        }
    }
    stand_in_for_missing_bytes(&mut vocab, vocabulary.tokens.len())?;
    Ok(vocab)
}

/// Gives bytes that the vocabulary lacks ids above its own, which the caller drops from the result.
///
/// Some vocabularies lack control characters or bytes of planes without characters. llama.cpp drops those too, but
/// only after merging; dropped before, their neighbours would merge with each other.
fn stand_in_for_missing_bytes(vocab: &mut Vocab, size: usize) -> Result<(), Unsupported> {
    let mut missing: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    missing.retain(|byte| !vocab.contains_key(&byte.to_string()));
    if let Some(letter) = missing.iter().find(|byte| byte.is_ascii_graphic()) {
        return Err(Unsupported::Vocabulary(format!("it has no token for {letter:?}")));
    }
    let size = u32::try_from(size).map_err(|_| Unsupported::Vocabulary("it has too many tokens".into()))?;
    vocab.extend(missing.into_iter().map(|byte| byte.to_string()).zip(size..));
    Ok(())
}

/// The merges whose parts and product may occur; of a pair that is listed twice, the first counts.
fn merges(gguf: &Gguf, vocabulary: &Vocabulary<'_>, vocab: &Vocab) -> Result<Merges, Unsupported> {
    let special: HashSet<&str> = vocabulary
        .tokens
        .iter()
        .zip(&vocabulary.kinds)
        .filter(|(_, kind)| kind.is_matched_whole())
        .map(|(token, _)| token.as_str())
        .collect();
    let mut seen = HashSet::with_capacity(gguf.merges().len());
    let mut merges = Merges::with_capacity(gguf.merges().len());
    for (rank, merge) in gguf.merges().iter().enumerate() {
        let odd = |problem: &str| Unsupported::Vocabulary(format!("merge {rank} {problem}"));
        // The left part is never empty, and may itself begin with a space in a damaged file.
        let cut = merge.char_indices().skip(1).find(|(_, character)| *character == ' ');
        let (left, right) = match cut {
            Some((position, _)) => (&merge[..position], &merge[position + 1..]),
            None => return Err(odd("has no space")),
        };
        let product = [left, right].concat();
        let parts = [left, right, product.as_str()];
        if parts.iter().any(|part| special.contains(part)) {
            continue;
        }
        if !parts.iter().all(|part| vocab.contains_key(*part)) {
            return Err(odd("names a token that the vocabulary lacks"));
        }
        if seen.insert((left, right)) {
            merges.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(merges)
}

fn pre_tokenizer(patterns: impl Iterator<Item = String>) -> Result<Sequence, Unsupported> {
    let split = |pattern: String| {
        Split::new(SplitPattern::Regex(pattern), SplitDelimiterBehavior::Isolated, false)
            .map(PreTokenizerWrapper::Split)
            .map_err(|error| Unsupported::Vocabulary(format!("its pattern does not compile: {error}")))
    };
    let mut steps = patterns.map(split).collect::<Result<Vec<_>, _>>()?;
    let [add_prefix_space, trim_offsets, use_regex] = [false; 3];
    steps.push(PreTokenizerWrapper::ByteLevel(ByteLevel::new(add_prefix_space, trim_offsets, use_regex)));
    Ok(Sequence::new(steps))
}
