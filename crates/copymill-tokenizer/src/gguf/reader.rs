//! Reads little-endian primitives from a header and never past the file's end or a limit.

use std::io::{self, Read};
use std::path::Path;

use super::GgufError;
use super::value::{MAX_STRING_BYTES, Value};

/// Metadata of the largest known vocabularies (262,144 tokens with merges) takes under 20 MiB.
const MAX_HEADER_BYTES: u64 = 256 << 20;

pub(super) struct Reader<'a, R> {
    pub(super) path: &'a Path,
    source: R,
    position: u64,
    length: u64,
}

impl<'a, R: Read> Reader<'a, R> {
    /// Wraps a source of `length` bytes.
    pub(super) fn new(path: &'a Path, source: R, length: u64) -> Self {
        Self { path, source, position: 0, length }
    }

    /// Bytes consumed so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The file's length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Returns `count` raw bytes. Memory is taken only after the file is known to hold them.
    pub(super) fn bytes(&mut self, count: u64) -> Result<Vec<u8>, GgufError> {
        self.claim(count)?;
        let size = usize::try_from(count).map_err(|_| self.malformed("a length beyond memory"))?;
        let mut bytes = vec![0; size];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns a fixed number of bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Returns a count, refusing one above `limit`.
    pub(super) fn count(&mut self, what: &str, limit: u64) -> Result<u64, GgufError> {
        let count = self.u64()?;
        if count > limit {
            return Err(self.malformed(format!("{count} {what}, more than the {limit} that are read")));
        }
        Ok(count)
    }

    /// Returns a length-prefixed string as raw bytes.
    pub(super) fn string_bytes(&mut self) -> Result<Vec<u8>, GgufError> {
        let length = self.count("bytes in one string", MAX_STRING_BYTES)?;
        self.bytes(length)
    }

    /// Returns a length-prefixed name, which must be UTF-8.
    pub(super) fn name(&mut self) -> Result<String, GgufError> {
        let bytes = self.string_bytes()?;
        String::from_utf8(bytes).map_err(|_| self.malformed("a name that is not UTF-8"))
    }

    /// Returns one metadata value.
    pub(super) fn value(&mut self) -> Result<Value, GgufError> {
        Value::read(self)
    }

    /// How many items of at least `item_bytes` the rest of the file can hold, at most `count`.
    pub(super) fn capacity_for(&self, count: u64, item_bytes: u64) -> usize {
        let possible = self.length.saturating_sub(self.position) / item_bytes.max(1);
        usize::try_from(count.min(possible)).unwrap_or(0)
    }

    /// An error that says what is damaged.
    pub(super) fn malformed(&self, problem: impl Into<String>) -> GgufError {
        GgufError::Malformed { path: self.path.to_owned(), problem: problem.into() }
    }

    fn claim(&mut self, count: u64) -> Result<(), GgufError> {
        let end = self.position.saturating_add(count);
        if end > self.length {
            return Err(self.truncated());
        }
        if end > MAX_HEADER_BYTES {
            return Err(self.malformed(format!("a header of more than {MAX_HEADER_BYTES} bytes")));
        }
        self.position = end;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), GgufError> {
        self.source.read_exact(bytes).map_err(|source| match source.kind() {
            // The file shrank while it was read.
            io::ErrorKind::UnexpectedEof => self.truncated(),
            _ => GgufError::Unreadable { path: self.path.to_owned(), source },
        })
    }

    fn truncated(&self) -> GgufError {
        GgufError::TruncatedHeader { path: self.path.to_owned(), length: self.length }
    }
}
