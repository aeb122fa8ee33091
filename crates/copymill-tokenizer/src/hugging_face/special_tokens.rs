//! Finds control tokens in the text of a chat template, the way llama.cpp does.

use crate::gguf::Gguf;
use crate::vocabulary::Vocabulary;

/// A part of a template's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fragment<'t> {
    Text(&'t str),
    Token(u32),
}

struct SpecialToken {
    text: String,
    id: u32,
    /// White space after it is dropped.
    strips_after: bool,
}

/// The tokens of a vocabulary that template text may spell.
pub(super) struct SpecialTokens {
    longest_first: Vec<SpecialToken>,
}

impl SpecialTokens {
    /// Collects the control, user-defined and unknown tokens of a vocabulary.
    pub(super) fn of(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Self {
        let is_phi3 = is_phi3(gguf);
        let token = |(id, (text, kind)): (usize, (&String, &crate::vocabulary::TokenKind))| {
            let id = u32::try_from(id).ok()?;
            let strips_after = is_phi3 && !matches!(text.as_str(), "<unk>" | "<s>" | "<|endoftext|>");
            let wanted = kind.is_matched_whole() && !text.is_empty();
            wanted.then(|| SpecialToken { text: text.clone(), id, strips_after })
        };
        let tokens = vocabulary.tokens.iter().zip(&vocabulary.kinds).enumerate();
        let mut longest_first: Vec<_> = tokens.filter_map(token).collect();
        longest_first.sort_by_key(|token| std::cmp::Reverse(token.text.len()));
        Self { longest_first }
    }

    /// Cuts `text` at every special token; a longer token wins over a shorter one wherever they stand.
    pub(super) fn partition<'t>(&self, text: &'t str) -> Vec<Fragment<'t>> {
        let mut fragments = vec![Fragment::Text(text)];
        for token in self.longest_first.iter().filter(|token| text.contains(token.text.as_str())) {
            fragments = fragments.into_iter().flat_map(|fragment| token.cut(fragment)).collect();
        }
        fragments.retain(|fragment| !matches!(fragment, Fragment::Text("")));
        fragments
    }
}

impl SpecialToken {
    fn cut<'t>(&self, fragment: Fragment<'t>) -> Vec<Fragment<'t>> {
        let Fragment::Text(mut rest) = fragment else { return vec![fragment] };
        let mut parts = Vec::new();
        while let Some(position) = rest.find(&self.text) {
            parts.push(Fragment::Text(&rest[..position]));
            parts.push(Fragment::Token(self.id));
            rest = &rest[position + self.text.len()..];
            if self.strips_after {
                rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0B', '\x0C']);
            }
        }
        parts.push(Fragment::Text(rest));
        parts
    }
}

/// Phi-3 drops white space after its control tokens; GGUF has no field for it, so llama.cpp goes by the name.
fn is_phi3(gguf: &Gguf) -> bool {
    let name = gguf.name().unwrap_or_default().to_lowercase();
    name.contains("phi-3") || name.contains("phi3")
}
