//! Follows one variant's output through its grammar.

use llguidance::Matcher;
use toktrie::SimpleVob;

/// One variant's place in its grammar.
pub(crate) struct Guide {
    matcher: Matcher,
}

impl Guide {
    pub(super) fn new(matcher: Matcher) -> Self {
        Self { matcher }
    }

    /// The tokens that may come next.
    pub(crate) fn mask(&mut self) -> Result<SimpleVob, String> {
        self.matcher.compute_mask().map_err(|error| error.to_string())
    }

    /// Goes on by a token that the mask allowed.
    pub(crate) fn accept(&mut self, token: u32) -> Result<(), String> {
        self.matcher.consume_token(token).map_err(|error| error.to_string())
    }

    /// Goes on by the tokens that can only come next, and returns them.
    pub(crate) fn forced(&mut self) -> Result<Vec<u32>, String> {
        if self.is_finished() {
            return Ok(Vec::new());
        }
        let tokens = self.matcher.consume_ff_tokens();
        match self.matcher.get_error() {
            Some(error) => Err(error),
            None => Ok(tokens),
        }
    }

    /// Whether the grammar takes nothing more.
    pub(crate) fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }
}
