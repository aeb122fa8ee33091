//! SentencePiece byte-pair encoding by score, with bytes for what the vocabulary lacks.
//!
//! Not built from `tokenizers`' BPE, which orders merges by a rank per pair: here the score of the merged token
//! decides and, between equal scores, the leftmost pair, as in llama.cpp. Runs of one character show the difference.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use super::Unsupported;
use crate::gguf::Gguf;
use crate::vocabulary::Vocabulary;

const SPACE: &str = "\u{2581}";

/// The encoder of one vocabulary.
pub(super) struct SentencePiece {
    pieces: HashMap<Box<str>, Piece>,
    bytes: [u32; 256],
    adds_space_prefix: bool,
}

#[derive(Clone, Copy)]
struct Piece {
    id: u32,
    score: f32,
}

/// A run of text that became one piece so far; empty once its left neighbour took it over.
struct Symbol {
    start: usize,
    length: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// A pair of neighbours that could become one piece.
struct Candidate {
    score: f32,
    left: Reverse<usize>,
    right: usize,
    length: usize,
}

impl SentencePiece {
    /// Builds the encoder, or says what the vocabulary lacks.
    pub(super) fn of(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Self, Unsupported> {
        let scores = gguf.token_scores();
        if !scores.is_empty() && scores.len() < vocabulary.tokens.len() {
            return Err(Unsupported::Vocabulary("it has fewer scores than tokens".into()));
        }
        let mut pieces = HashMap::with_capacity(vocabulary.tokens.len());
        for (id, (token, kind)) in vocabulary.tokens.iter().zip(&vocabulary.kinds).enumerate() {
            // Left out, a control token cannot even be assembled from ordinary pieces. llama.cpp reads tokens as C
            // strings, so that it never finds one with a NUL.
            if kind.is_matched_whole() || token.is_empty() || token.contains('\0') {
                continue;
            }
            let score = scores.get(id).copied().unwrap_or_default();
            let id =
                u32::try_from(id).map_err(|_| Unsupported::Vocabulary("it has too many tokens".into()))?;
            if pieces.insert(token.as_str().into(), Piece { id, score }).is_some() {
                return Err(Unsupported::Vocabulary(format!("it has the token {id} twice")));
            }
        }
        let bytes = byte_ids(&pieces)?;
        let adds_space_prefix = gguf.boolean("tokenizer.ggml.add_space_prefix").unwrap_or(true);
        Ok(Self { pieces, bytes, adds_space_prefix })
    }

    /// Appends the ids of `text`; where it starts a prompt or follows a control token, a space goes before it.
    pub(super) fn encode(&self, text: &str, starts_text: bool, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let prefix = if starts_text && self.adds_space_prefix { SPACE } else { "" };
        let mut escaped = String::with_capacity(text.len() * 2 + prefix.len());
        escaped.push_str(prefix);
        for part in text.split_inclusive(' ') {
            match part.strip_suffix(' ') {
                Some(word) => escaped.extend([word, SPACE]),
                None => escaped.push_str(part),
            }
        }
        let symbols = self.merge(&escaped);
        let mut index = Some(0);
        while let Some(symbol) = index.and_then(|index| symbols.get(index)) {
            let piece = &escaped[symbol.start..symbol.start + symbol.length];
            match self.pieces.get(piece) {
                Some(piece) => ids.push(piece.id),
                None => ids.extend(piece.bytes().map(|byte| self.bytes[usize::from(byte)])),
            }
            index = symbol.next;
        }
    }

    fn merge(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<_> = text
            .char_indices()
            .enumerate()
            .map(|(index, (start, character))| Symbol {
                start,
                length: character.len_utf8(),
                previous: index.checked_sub(1),
                next: Some(index + 1),
            })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        let mut queue = BinaryHeap::with_capacity(symbols.len());
        queue.extend(
            (1..symbols.len()).filter_map(|right| self.candidate(text, &symbols, (right - 1, right))),
        );
        while let Some(Candidate { left: Reverse(left), right, length, .. }) = queue.pop() {
            // One of the two has been merged since with another neighbour.
            let is_stale = symbols[left].length == 0
                || symbols[right].length == 0
                || symbols[left].length + symbols[right].length != length;
            if is_stale {
                continue;
            }
            let after = symbols[right].next;
            symbols[right].length = 0;
            symbols[left].length = length;
            symbols[left].next = after;
            if let Some(after) = after {
                symbols[after].previous = Some(left);
                queue.extend(self.candidate(text, &symbols, (left, after)));
            }
            if let Some(before) = symbols[left].previous {
                queue.extend(self.candidate(text, &symbols, (before, left)));
            }
        }
        symbols
    }

    fn candidate(&self, text: &str, symbols: &[Symbol], (left, right): (usize, usize)) -> Option<Candidate> {
        let length = symbols[left].length + symbols[right].length;
        let start = symbols[left].start;
        let piece = self.pieces.get(&text[start..start + length])?;
        Some(Candidate { score: piece.score, left: Reverse(left), right, length })
    }
}

/// The ids of the byte tokens `<0x00>` to `<0xFF>`, or of plain one-byte tokens in their place.
fn byte_ids(pieces: &HashMap<Box<str>, Piece>) -> Result<[u32; 256], Unsupported> {
    let mut ids = [0; 256];
    for byte in 0..=u8::MAX {
        let name = format!("<0x{byte:02X}>");
        let plain = char::from(byte).to_string();
        let piece =
            pieces.get(name.as_str()).or_else(|| pieces.get(plain.as_str()).filter(|_| byte.is_ascii()));
        let piece = piece.ok_or_else(|| Unsupported::Vocabulary(format!("it has no token {name}")))?;
        ids[usize::from(byte)] = piece.id;
    }
    Ok(ids)
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.left.cmp(&other.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
