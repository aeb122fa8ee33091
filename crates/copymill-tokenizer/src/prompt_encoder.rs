//! From the two texts of a row to token ids, with the campaign's part computed once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::chat_template::{ChatTemplate, TemplateError};
use crate::gguf::Gguf;
use crate::segment::{Segment, TokenizeError, Tokenizer, Trust};

/// System texts whose ids are kept: a worker has few campaigns at a time, each with one system text per segment kind.
const KEPT_SYSTEM_TEXTS: usize = 16;

/// Encodes prompts for one model. Shared between threads.
pub struct PromptEncoder {
    tokenizer: Arc<dyn Tokenizer>,
    template: ChatTemplate,
    /// Ids that the tokenizer puts before every call's result.
    lead: Vec<u32>,
    closing: Vec<u32>,
    kept: Mutex<VecDeque<(String, Arc<[u32]>)>>,
}

/// Why no encoder could be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptEncoderError {
    /// The model's chat template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The chat template's own text could not be tokenised.
    #[error("cannot tokenise the chat template: {0}")]
    Tokenize(#[from] TokenizeError),
}

impl PromptEncoder {
    /// Takes the chat template from the file and tokenises its constant parts.
    pub fn new(tokenizer: Arc<dyn Tokenizer>, gguf: &Gguf) -> Result<Self, PromptEncoderError> {
        let template = ChatTemplate::from_gguf(gguf)?;
        let lead = tokenizer.encode(&[])?;
        let mut encoder = Self { tokenizer, template, lead, closing: Vec::new(), kept: Mutex::default() };
        encoder.closing = encoder.encode_later(encoder.template.closing_segment())?;
        Ok(encoder)
    }

    /// Returns the ids of a prompt; a system text seen lately costs nothing.
    ///
    /// They are the ids that the tokenizer gives for all segments of the prompt at once.
    pub fn encode(&self, system: &str, user: &str) -> Result<Vec<u32>, TokenizeError> {
        let prefix = self.prefix(system)?;
        let own = self.encode_later(self.template.user_segment(user))?;
        Ok([&prefix[..], &own, &self.closing].concat())
    }

    /// Returns the ids that all prompts with this system text begin with, BOS included.
    pub fn prefix(&self, system: &str) -> Result<Arc<[u32]>, TokenizeError> {
        if let Some(ids) = self.kept_prefix(system) {
            return Ok(ids);
        }
        // Not under the lock: another thread's row need not wait for a long system text.
        let segments = self.template.system_part(system);
        let ids: Arc<[u32]> = self.tokenizer.encode(&segments)?.into();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(text, _)| text != system);
        kept.push_front((system.to_owned(), Arc::clone(&ids)));
        kept.truncate(KEPT_SYSTEM_TEXTS);
        Ok(ids)
    }

    fn kept_prefix(&self, system: &str) -> Option<Arc<[u32]>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let index = kept.iter().position(|(text, _)| text == system)?;
        let entry = kept.remove(index)?;
        let ids = Arc::clone(&entry.1);
        kept.push_front(entry);
        Some(ids)
    }

    /// Encodes a segment that does not begin the prompt.
    ///
    /// An empty segment goes before it, so that it gets no space of a first segment; what it gets of a prompt's
    /// beginning is cut off.
    fn encode_later(&self, segment: Segment) -> Result<Vec<u32>, TokenizeError> {
        let first = Segment { text: String::new(), trust: Trust::Untrusted };
        let mut ids = self.tokenizer.encode(&[first, segment])?;
        ids.drain(..self.lead.len().min(ids.len()));
        Ok(ids)
    }
}
