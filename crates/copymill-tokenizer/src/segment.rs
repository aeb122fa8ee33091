//! The seam: segments of text in, token ids out.

/// Whether a segment may become control tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Text of the chat template itself: its control tokens are recognised.
    Template,
    /// Everything else: briefs, facts, recipients. Never a control or user-defined token.
    Untrusted,
}

/// A piece of a prompt that is tokenised on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The text, valid UTF-8.
    pub text: String,
    /// Whether control tokens are recognised in it.
    pub trust: Trust,
}

/// Turns segments into token ids. Implementations agree with llama.cpp token by token.
pub trait Tokenizer: Send + Sync {
    /// Returns the ids of all segments in order; a leading BOS token only where the model asks for one.
    ///
    /// Each segment is tokenised on its own. Only the first one begins a prompt: later ones get no added space, and
    /// an empty slice gives the BOS token or nothing. Ids of untrusted segments are free of control and user-defined
    /// tokens, or the call fails.
    fn encode(&self, segments: &[Segment]) -> Result<Vec<u32>, TokenizeError>;
}

/// Why text could not be tokenised.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// An untrusted segment would have become a control token; the text itself is not repeated here.
    #[error("untrusted text became the special token {id}")]
    SpecialToken {
        /// The id that appeared.
        id: u32,
    },
    /// The tokenizer itself failed.
    #[error("the tokenizer failed: {0}")]
    Failed(String),
}
