//! llama.cpp's own tokenizer, with trusted and untrusted text apart.

use std::sync::Arc;

use copymill_tokenizer::{Segment, TokenizeError, Tokenizer, Trust};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr::{Control, UserDefined};

use crate::constraint::ModelTokens;
use crate::vocabulary::Vocabulary;

/// How often untrusted text is cut anew when a special token still comes out of it.
const MAX_CUTS: usize = 8;

/// The vocabulary of a model in memory.
pub(crate) struct LlamaTokenizer {
    model: Arc<LlamaModel>,
    /// The same vocabulary without the space that SentencePiece models put before a text; others need none.
    bare: Option<LlamaModel>,
}

impl LlamaTokenizer {
    pub(crate) fn new(model: Arc<LlamaModel>, bare: Option<LlamaModel>) -> Self {
        Self { model, bare }
    }

    /// All tokens' bytes, and which of them end a text.
    pub(crate) fn vocabulary(&self) -> Vocabulary {
        let vocabulary = self.model.vocab();
        let tokens = vocabulary.tokens();
        Vocabulary::new(
            tokens.map(|token| (vocabulary.token_to_piece(token, false, None), vocabulary.is_eog(token))),
        )
    }

    fn pieces(&self, text: &[u8], trust: Trust, begins: bool) -> Vec<u32> {
        let model = match &self.bare {
            Some(bare) if !begins => bare,
            _ => &self.model,
        };
        let tokens = model.vocab().tokenize(text, false, trust == Trust::Template);
        tokens.into_iter().map(id).collect()
    }

    /// llama.cpp matches user-defined tokens in any text. Text that spells one is cut within it, so that it is spelt.
    fn untrusted(&self, text: &str, begins: bool) -> Result<Vec<u32>, TokenizeError> {
        let mut cuts: Vec<usize> = Vec::new();
        for _ in 0..MAX_CUTS {
            let ids = self.cut_pieces(text, &cuts, begins);
            let Some(special) = ids.iter().find(|id| self.is_special(**id)) else { return Ok(ids) };
            let name = self.name(*special);
            let Ok(name) = std::str::from_utf8(&name) else {
                return Err(TokenizeError::SpecialToken { id: *special });
            };
            let within = name.char_indices().nth(1).map(|(offset, _)| offset);
            let Some(within) = within else { return Err(TokenizeError::SpecialToken { id: *special }) };
            cuts.extend(text.match_indices(name).map(|(start, _)| start + within));
            cuts.sort_unstable();
            cuts.dedup();
        }
        let ids = self.cut_pieces(text, &cuts, begins);
        match ids.iter().find(|id| self.is_special(**id)) {
            Some(id) => Err(TokenizeError::SpecialToken { id: *id }),
            None => Ok(ids),
        }
    }

    fn cut_pieces(&self, text: &str, cuts: &[usize], begins: bool) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut start = 0;
        for end in cuts.iter().copied().chain([text.len()]) {
            ids.extend(self.pieces(&text.as_bytes()[start..end], Trust::Untrusted, begins && start == 0));
            start = end;
        }
        ids
    }

    fn is_special(&self, id: u32) -> bool {
        self.model.vocab().attr(token(id)).intersects(Control | UserDefined)
    }
}

impl Tokenizer for LlamaTokenizer {
    fn encode(&self, segments: &[Segment]) -> Result<Vec<u32>, TokenizeError> {
        let vocabulary = self.model.vocab();
        let mut ids = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            ids.extend(match segment.trust {
                Trust::Template => self.pieces(segment.text.as_bytes(), segment.trust, index == 0),
                Trust::Untrusted => self.untrusted(&segment.text, index == 0)?,
            });
        }
        if vocabulary.should_add_bos() && ids.first() != Some(&id(vocabulary.bos())) {
            ids.insert(0, id(vocabulary.bos()));
        }
        Ok(ids)
    }
}

impl ModelTokens for LlamaTokenizer {
    fn text_bytes(&self) -> Vec<Vec<u8>> {
        let vocabulary = self.model.vocab();
        vocabulary.tokens().map(|token| vocabulary.token_to_piece(token, false, None)).collect()
    }

    fn name(&self, id: u32) -> Vec<u8> {
        self.model.vocab().token_to_piece(token(id), true, None)
    }

    fn ends(&self) -> Vec<u32> {
        let vocabulary = self.model.vocab();
        let first = [vocabulary.eot(), vocabulary.eos()].into_iter().find(|token| token.0 >= 0);
        let others = vocabulary.tokens().filter(|token| vocabulary.is_eog(*token) && Some(*token) != first);
        first.into_iter().chain(others).map(id).collect()
    }

    fn tokenize(&self, text: &[u8]) -> Vec<u32> {
        self.pieces(text, Trust::Untrusted, false)
    }
}

fn id(token: LlamaToken) -> u32 {
    u32::try_from(token.0).expect("llama.cpp gives tokens of its vocabulary")
}

fn token(id: u32) -> LlamaToken {
    LlamaToken(i32::try_from(id).expect("ids of the vocabulary fit into 31 bits"))
}
