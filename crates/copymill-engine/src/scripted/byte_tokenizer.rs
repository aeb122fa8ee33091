//! A tokenizer that needs no model.

use copymill_tokenizer::{Segment, TokenizeError, Tokenizer};

/// One id per byte, 0 to 255; no control tokens, so trust makes no difference.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteTokenizer;

impl ByteTokenizer {
    /// The ids of a text.
    pub fn ids(text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// The text of ids; ids that are no bytes, and bytes that are no text, become U+FFFD.
    pub fn text(ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().map(|id| u8::try_from(*id).unwrap_or(u8::MAX)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Tokenizer for ByteTokenizer {
    fn encode(&self, segments: &[Segment]) -> Result<Vec<u32>, TokenizeError> {
        Ok(segments.iter().flat_map(|segment| Self::ids(&segment.text)).collect())
    }
}
