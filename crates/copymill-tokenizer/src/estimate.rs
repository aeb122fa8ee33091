//! Token counts for processes that may have no tokenizer; an estimate always says that it is one.

use crate::segment::{Segment, TokenizeError, Tokenizer};

/// Bytes of UTF-8 per token, on the low side so that prompts are not under-counted.
///
/// English takes some 4.3 bytes per token with the vocabularies of 50,000 tokens and more, German 3.4, and a CJK
/// character is 3 bytes and about one token.
pub const ESTIMATED_BYTES_PER_TOKEN: usize = 3;

/// How many tokens a prompt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenCount {
    /// The number of tokens.
    pub tokens: usize,
    /// Whether the number comes from the length in bytes instead of a tokenizer.
    pub estimated: bool,
}

/// Counts the tokens of a prompt, or estimates them where there is no tokenizer.
pub fn count(tokenizer: Option<&dyn Tokenizer>, segments: &[Segment]) -> Result<TokenCount, TokenizeError> {
    if let Some(tokenizer) = tokenizer {
        return Ok(TokenCount { tokens: tokenizer.encode(segments)?.len(), estimated: false });
    }
    let bytes: usize = segments.iter().map(|segment| segment.text.len()).sum();
    Ok(TokenCount { tokens: bytes.div_ceil(ESTIMATED_BYTES_PER_TOKEN), estimated: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Trust;

    #[test]
    fn an_estimate_says_so_and_rounds_up() {
        let segment = Segment { text: "abcd".to_owned(), trust: Trust::Untrusted };
        let counted = count(None, &[segment]).unwrap();
        assert_eq!(counted, TokenCount { tokens: 2, estimated: true });
    }
}
