//! The part of the text that is held: the current record, and what was read beyond it.

use std::io;

use super::text_source::TextSource;

/// Times that a file which has to be decoded is read again from its beginning after a quote that never closes. Each
/// costs a pass; a file with more of them is broken throughout, and the rest is reported as one record.
const REWINDS_MAX: u32 = 8;

/// A cursor over text with a bounded memory.
pub(super) struct Window {
    source: TextSource,
    text: Vec<u8>,
    /// Where the current record begins in `text`.
    start: usize,
    /// Offset of `text[0]` in the whole text.
    offset: u64,
    ended: bool,
    rewinds: u32,
}

impl Window {
    pub(super) fn new(source: TextSource) -> Self {
        Self { source, text: Vec::new(), start: 0, offset: 0, ended: false, rewinds: 0 }
    }

    /// What is held from the record's start on.
    #[inline]
    pub(super) fn held(&self) -> &[u8] {
        &self.text[self.start..]
    }

    /// Where the current record begins in the whole text.
    pub(super) fn record_offset(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// Ends the current record: the next one begins `length` bytes on.
    #[inline]
    pub(super) fn advance(&mut self, length: usize) {
        self.start = (self.start + length).min(self.text.len());
    }

    /// Makes `offset` of the whole text the beginning of the next record; false where that would take too many passes.
    pub(super) fn go_back(&mut self, offset: u64) -> io::Result<bool> {
        if offset >= self.offset {
            self.start = (offset - self.offset) as usize;
            return Ok(true);
        }
        if self.source.rewinds_from_start() {
            if self.rewinds >= REWINDS_MAX {
                return Ok(false);
            }
            self.rewinds += 1;
        }
        self.text = self.source.rewind_to(offset)?;
        self.offset = offset;
        self.start = 0;
        self.ended = false;
        Ok(true)
    }

    pub(super) fn into_source(self) -> TextSource {
        self.source
    }

    /// Reads on behind what is held; false at the end of the text.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.text.drain(..self.start);
        self.offset += self.start as u64;
        self.start = 0;
        let held = self.text.len();
        while !self.ended && self.text.len() == held {
            self.ended = !self.source.read_into(&mut self.text)?;
        }
        Ok(self.text.len() > held)
    }
}
