//! Chunks that are split: which rows a part has, and the marker in place of the whole chunk's output.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{ChunkId, LineReader, LineWriter};

/// The one line of a marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SplitMarker {
    /// Version of the format: 1.
    v: u32,
    /// The parts that the chunk was split into.
    split: Vec<ChunkId>,
}

impl ChunkId {
    /// The two parts of the chunk, in the order of their rows.
    pub fn halves(&self) -> [Self; 2] {
        [0, 1].map(|half| {
            let parts = self.parts.iter().copied().chain([half]).collect();
            Self { index: self.index, parts }
        })
    }

    /// Which of the whole chunk's `rows` rows belong to this part, counted from the chunk's first row.
    pub fn rows_of(&self, rows: usize) -> Range<usize> {
        self.parts.iter().fold(0..rows, |range, part| {
            let middle = range.start + range.len().div_ceil(2);
            if *part == 0 { range.start..middle } else { middle..range.end }
        })
    }
}

/// The object that stands in place of the output of a chunk that was split.
pub fn encode_split(chunk: &ChunkId) -> Vec<u8> {
    let mut writer = LineWriter::new();
    writer.push(&SplitMarker { v: 1, split: chunk.halves().into() });
    writer.finish()
}

/// Whether an output object says that its chunk was split.
pub fn is_split(object: &[u8]) -> bool {
    let first = LineReader::<SplitMarker>::new(object).ok().and_then(|mut lines| lines.next());
    matches!(first, Some(Ok(marker)) if !marker.split.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_marker_is_told_from_an_output() {
        assert!(is_split(&encode_split(&ChunkId::whole(17))));
        let mut writer = LineWriter::new();
        writer.push(&serde_json::json!({ "v": 1, "row": 3 }));
        assert!(!is_split(&writer.finish()));
        assert!(!is_split(b"not zstd"));
    }

    proptest! {
        #[test]
        fn parts_have_every_row_of_the_chunk_once_however_it_is_split(
            rows in 1_usize..300,
            splits in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut leaves = vec![ChunkId::whole(4)];
            for split in splits {
                let chunk = leaves.swap_remove(split.index(leaves.len()));
                if chunk.rows_of(rows).len() > 1 {
                    leaves.extend(chunk.halves());
                } else {
                    leaves.push(chunk);
                }
            }
            leaves.sort();
            let covered: Vec<usize> = leaves.iter().flat_map(|leaf| leaf.rows_of(rows)).collect();
            prop_assert_eq!(covered, (0..rows).collect::<Vec<_>>());
            prop_assert!(leaves.iter().all(|leaf| !leaf.rows_of(rows).is_empty()));
        }
    }
}
