//! The vocabulary as llguidance wants it, with canonical tokens so that text can be forced.

use std::sync::Arc;

use toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

/// What must be known of a model's tokens.
pub(crate) trait ModelTokens: Send + Sync {
    /// Bytes of every token by id, in text; empty for tokens that have no text.
    fn text_bytes(&self) -> Vec<Vec<u8>>;
    /// The name of a token without text, such as `<|end|>`.
    fn name(&self, token: u32) -> Vec<u8>;
    /// Tokens that end a text; the one that ends a turn first.
    fn ends(&self) -> Vec<u32>;
    /// The model's own tokens for a piece of text that does not begin it.
    fn tokenize(&self, text: &[u8]) -> Vec<u32>;
}

/// Builds the environment: a trie over the vocabulary, which takes a fraction of a second for a large one.
pub(crate) fn token_environment(tokens: Arc<dyn ModelTokens>) -> TokEnv {
    let mut words = tokens.text_bytes();
    for (token, word) in (0_u32..).zip(&mut words) {
        if word.is_empty() {
            let name = tokens.name(token);
            if !name.is_empty() {
                word.push(TokTrie::SPECIAL_TOKEN_MARKER);
                word.extend(name);
            }
        }
    }
    let ends = tokens.ends();
    let size = u32::try_from(words.len()).expect("token ids are 32 bits wide");
    let info = TokRxInfo::new(size, ends.first().copied().unwrap_or(toktrie::INVALID_TOKEN));
    let trie = TokTrie::from(&info, &words);
    let trie = if ends.is_empty() { trie } else { trie.with_eos_tokens(&ends) };
    Arc::new(Environment { tokens, trie })
}

struct Environment {
    tokens: Arc<dyn ModelTokens>,
    trie: TokTrie,
}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        // Text may be cut within a character; the tokenizer takes whole ones, the trie takes the rest.
        self.trie.tokenize_with_greedy_fallback(text, |text| {
            let tokens = self.tokens.tokenize(text.as_bytes());
            // A tokenizer that changes text (adds a space, normalises) would force what the grammar does not say.
            let same = self.trie.decode_raw(&tokens) == text.as_bytes();
            if same { tokens } else { self.trie.greedy_tokenize(text.as_bytes()) }
        })
    }
}
