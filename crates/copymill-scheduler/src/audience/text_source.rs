//! The file's unpacked bytes as UTF-8 text, piece by piece.

use std::io;

use copymill_store::{Digested, PackedFile, Packing, read_full};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Stands for what could not be decoded: no valid UTF-8 has this byte, so the record around it fails as one that is
/// not valid in the file's encoding.
const UNDECODABLE: u8 = 0xff;

/// Text of a file from its beginning.
pub(super) struct TextSource {
    file: PackedFile,
    encoding: &'static Encoding,
    /// None for UTF-8, whose bytes pass as they are and are checked record by record.
    decoder: Option<Decoder>,
    piece: Vec<u8>,
    /// Unpacked bytes of the file read since its beginning.
    position: u64,
    /// The end was reached: a decoder must not be called again.
    finished: bool,
    /// Bytes of the mark at the file's beginning that is no text.
    mark: u64,
}

impl TextSource {
    pub(super) fn new(mut file: PackedFile, encoding: &'static Encoding) -> io::Result<Self> {
        file.go_to(0)?;
        let decoder = decoder(encoding);
        let piece = vec![0; PIECE_BYTES];
        Ok(Self { file, encoding, decoder, piece, position: 0, finished: false, mark: 0 })
    }

    /// Whether going back costs a pass over the file: a decoder and an unpacker have to begin at the beginning.
    pub(super) fn rewinds_from_start(&self) -> bool {
        self.decoder.is_some() || self.file.packing() != Packing::Plain
    }

    /// Appends the next piece of text; false at the end of the file.
    pub(super) fn read_into(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        if self.finished {
            return Ok(false);
        }
        let count = read_full(&mut self.file, &mut self.piece)?;
        let at_start = self.position == 0;
        self.position += count as u64;
        self.finished = count < self.piece.len();
        match &mut self.decoder {
            Some(decoder) => decode(decoder, &self.piece[..count], self.finished, text),
            None => {
                let bytes = &self.piece[..count];
                let mark = if at_start && bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
                if at_start {
                    self.mark = mark as u64;
                }
                text.extend_from_slice(&bytes[mark..]);
            }
        }
        Ok(!self.finished)
    }

    /// Goes back and returns text from `offset` on, with what the last piece holds beyond it.
    pub(super) fn rewind_to(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        self.finished = false;
        if self.decoder.is_none() {
            self.position = self.mark + offset;
            self.file.go_to(self.position)?;
            return Ok(Vec::new());
        }
        self.file.go_to(0)?;
        self.position = 0;
        self.decoder = decoder(self.encoding);
        let mut text = Vec::new();
        let mut dropped = 0_u64;
        loop {
            let more = self.read_into(&mut text)?;
            let ahead = offset - dropped;
            if text.len() as u64 > ahead || !more {
                text.drain(..text.len().min(ahead as usize));
                return Ok(text);
            }
            dropped += text.len() as u64;
            text.clear();
        }
    }

    /// Reads what is left of the stored file and returns what it is.
    pub(super) fn digest(self) -> io::Result<Digested> {
        self.file.digest()
    }
}

fn decoder(encoding: &'static Encoding) -> Option<Decoder> {
    (encoding != UTF_8).then(|| encoding.new_decoder_with_bom_removal())
}

/// Decodes a piece; every malformed sequence becomes one [`UNDECODABLE`] byte.
pub(super) fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, text: &mut Vec<u8>) {
    loop {
        let start = text.len();
        let room =
            decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
        text.resize(start + room, 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(bytes, &mut text[start..], last);
        text.truncate(start + written);
        bytes = &bytes[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNDECODABLE),
        }
    }
}
