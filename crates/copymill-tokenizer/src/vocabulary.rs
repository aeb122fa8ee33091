//! A GGUF's vocabulary as llama.cpp understands it: what each token is, and which token begins a prompt.

use crate::gguf::Gguf;
use crate::hugging_face::PreTokenizer;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Byte,
}

impl TokenKind {
    /// Whether the token is recognised as a whole in template text.
    pub(crate) fn is_matched_whole(self) -> bool {
        matches!(self, Self::Unknown | Self::Control | Self::UserDefined)
    }

    /// Whether the token must never come out of untrusted text.
    pub(crate) fn is_special(self) -> bool {
        matches!(self, Self::Control | Self::UserDefined)
    }

    fn from_number(number: i64) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            6 => Self::Byte,
            // Unused and undefined tokens (5, 0) are looked up like normal ones.
            _ => Self::Normal,
        }
    }
}

/// Tokens that end a turn or frame code whatever type the file gives them; llama.cpp overrides it the same way.
const CONTROL_WHATEVER_THE_TYPE: [&str; 61] = [
    "</s>",
    "<EOT>",
    "<MID>",
    "<PAD>",
    "<PRE>",
    "<REPO>",
    "<SUF>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<eos>",
    "<fim-middle>",
    "<fim-pad>",
    "<fim-prefix>",
    "<fim-repo>",
    "<fim-suffix>",
    "<fim_middle>",
    "<fim_pad>",
    "<fim_prefix>",
    "<fim_suffix>",
    "<reponame>",
    "<turn|>",
    "<|calls|>",
    "<|call|>",
    "<|channel|>",
    "<|code_middle|>",
    "<|code_prefix|>",
    "<|code_suffix|>",
    "<|constrain|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|file_sep|>",
    "<|fim_middle|>",
    "<|fim_pad|>",
    "<|fim_prefix|>",
    "<|fim_repo|>",
    "<|fim_suffix|>",
    "<|flush|>",
    "<|im_end|>",
    "<|message|>",
    "<|middle|>",
    "<|prefix|>",
    "<|repo_name|>",
    "<|return|>",
    "<|start|>",
    "<|suffix|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁end｜>",
    "<｜fim▁hole｜>",
    "[EOS]",
    "[EOT]",
    "[PAD]",
    "[e~[",
    "_<EOT>",
    "▁<MID>",
    "▁<PRE>",
    "▁<SUF>",
];

/// The vocabulary of one file.
pub(crate) struct Vocabulary<'a> {
    /// Texts by id, as the file spells them.
    pub(crate) tokens: &'a [String],
    /// What each token is, by id.
    pub(crate) kinds: Vec<TokenKind>,
    /// The token that begins a prompt, where there is one.
    pub(crate) bos: Option<u32>,
    /// The token that ends a text, where there is one.
    pub(crate) eos: Option<u32>,
    /// Whether the model asks for BOS before every prompt.
    pub(crate) adds_bos: bool,
}

impl<'a> Vocabulary<'a> {
    /// Reads the vocabulary of a file; missing types are normal ones.
    pub(crate) fn of(gguf: &'a Gguf) -> Self {
        let tokens = gguf.tokens();
        let types = gguf.token_types();
        let kind = |(id, token): (usize, &String)| match types.get(id) {
            _ if CONTROL_WHATEVER_THE_TYPE.binary_search(&token.as_str()).is_ok() => TokenKind::Control,
            Some(number) => TokenKind::from_number(*number),
            None => TokenKind::Normal,
        };
        let kinds = tokens.iter().enumerate().map(kind).collect();
        let is_sentence_piece = gguf.string("tokenizer.ggml.model") == Some("llama");
        let family = PreTokenizer::named(gguf.string("tokenizer.ggml.pre").unwrap_or_default());
        let family_adds_bos = is_sentence_piece || family.is_some_and(|family| family.adds_bos);
        let adds_bos = gguf.boolean("tokenizer.ggml.add_bos_token").unwrap_or(family_adds_bos);
        // Where the file names none, llama.cpp takes these ids of the first models of either kind.
        let (default_bos, default_eos) = if is_sentence_piece { (1, 2) } else { (11, 11) };
        let id = |key: &str, default: u64| {
            let stated = gguf.unsigned(key).filter(|id| *id < tokens.len() as u64);
            let id = stated.or(Some(default)).filter(|id| *id < tokens.len() as u64);
            id.and_then(|id| u32::try_from(id).ok())
        };
        let bos = id("tokenizer.ggml.bos_token_id", default_bos);
        let eos = id("tokenizer.ggml.eos_token_id", default_eos);
        Self { tokens, kinds, bos, eos, adds_bos }
    }

    /// The BOS token, where the model asks for one.
    pub(crate) fn leading_bos(&self) -> Option<u32> {
        self.bos.filter(|_| self.adds_bos)
    }

    /// The text of a token; empty for none.
    pub(crate) fn text(&self, id: Option<u32>) -> &'a str {
        id.and_then(|id| self.tokens.get(id as usize)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overridden_tokens_are_sorted_for_the_search() {
        assert!(CONTROL_WHATEVER_THE_TYPE.is_sorted());
    }
}
