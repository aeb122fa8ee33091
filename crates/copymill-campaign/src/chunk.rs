//! Chunks: the unit of work on the queue.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a chunk's output holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkKind {
    /// Copy of segments, which later chunks of messages merge.
    Segments,
    /// Messages: one line per (row, variant).
    Messages,
}

/// A chunk's number within its kind: `00017`; a part of a split chunk is `00017.0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    /// Number within the kind, counted from 0.
    pub index: u32,
    /// Path of halves taken when the chunk was split; empty for a whole chunk.
    pub parts: Vec<u8>,
}

impl ChunkId {
    /// A whole chunk.
    pub fn whole(index: u32) -> Self {
        Self { index, parts: Vec::new() }
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}", self.index)?;
        self.parts.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

impl FromStr for ChunkId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut pieces = text.split('.');
        let error = || format!("`{text}` is no chunk id; one looks like 00017 or 00017.0");
        let index = pieces.next().filter(|p| p.len() >= 5).and_then(|p| p.parse().ok()).ok_or_else(error)?;
        let parts = pieces.map(|p| p.parse().map_err(|_| error())).collect::<Result<_, _>>()?;
        Ok(Self { index, parts })
    }
}

impl Serialize for ChunkId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChunkId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The first line of an input chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkHeader {
    /// Version of the format: 1.
    pub v: u32,
    /// The chunk.
    pub chunk: ChunkId,
    /// First row's ordinal, and one past the last one's.
    pub rows: (u64, u64),
    /// Names of the columns that every row's values follow.
    pub columns: Vec<String>,
    /// Where the source goes on after this chunk: records read so far, bad ones included.
    pub records_read: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_ids_survive_a_round_trip() {
        for text in ["00000", "00017", "00017.0", "00017.1.0", "123456"] {
            assert_eq!(text.parse::<ChunkId>().unwrap().to_string(), text);
        }
        for text in ["", "17", "0001x", "00017.", "00017.x", "00017.999"] {
            assert!(text.parse::<ChunkId>().is_err(), "{text}");
        }
    }
}
