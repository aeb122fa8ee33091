//! What the serving loop must know of a vocabulary: each token's bytes, and which tokens end a text.

/// Bytes and kinds of all tokens, by id.
pub(crate) struct Vocabulary {
    bytes: Vec<u8>,
    /// Where each token's bytes begin; one more entry than there are tokens.
    starts: Vec<u32>,
    ends_text: Vec<bool>,
}

impl Vocabulary {
    /// Collects tokens in the order of their ids: bytes as they appear in text, and whether they end it.
    pub(crate) fn new(tokens: impl Iterator<Item = (Vec<u8>, bool)>) -> Self {
        let mut vocabulary = Self { bytes: Vec::new(), starts: vec![0], ends_text: Vec::new() };
        for (bytes, ends_text) in tokens {
            vocabulary.bytes.extend_from_slice(&bytes);
            let end = u32::try_from(vocabulary.bytes.len()).expect("a vocabulary is far smaller than 4 GiB");
            vocabulary.starts.push(end);
            vocabulary.ends_text.push(ends_text);
        }
        vocabulary
    }

    pub(crate) fn len(&self) -> usize {
        self.ends_text.len()
    }

    /// The token's bytes in text: nothing for control tokens and for ids outside of the vocabulary.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        let token = token as usize;
        match (self.starts.get(token), self.starts.get(token + 1)) {
            (Some(start), Some(end)) => &self.bytes[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// Whether the token ends a text (EOS, end of turn and the like).
    pub(crate) fn ends_text(&self, token: u32) -> bool {
        self.ends_text.get(token as usize).copied().unwrap_or(false)
    }
}
