//! Rows whose id an earlier row has, found without a set of ids in memory.
//!
//! A pass over the file sorts pairs of (hash of the id, ordinal). Neighbours with one hash are one id; all but the
//! first are duplicates, and their ordinals, sorted once more, are what planning walks along with the rows.

use sha2::{Digest, Sha256};

use super::{
    error::AudienceError,
    sort::{Sorted, Sorter},
};

/// 16 bytes of hash and 8 of ordinal, the most significant byte first. With 10^9 ids, the chance that two of them
/// share 128 bits is below 2·10^-21.
const PAIR_BYTES: usize = 24;
const HASH_BYTES: usize = 16;
const ORDINAL_BYTES: usize = 8;

/// Takes the ids of a pass.
pub(super) struct DuplicateFinder {
    pairs: Sorter<PAIR_BYTES>,
    memory_bytes: usize,
}

impl DuplicateFinder {
    pub(super) fn new(memory_bytes: usize) -> Self {
        Self { pairs: Sorter::new(memory_bytes), memory_bytes }
    }

    /// Takes a row's id; white space around it does not count.
    pub(super) fn push(&mut self, id: &str, ordinal: u64) -> Result<(), AudienceError> {
        let hash = Sha256::digest(id.trim().as_bytes());
        let mut pair = [0; PAIR_BYTES];
        pair[..HASH_BYTES].copy_from_slice(&hash[..HASH_BYTES]);
        pair[HASH_BYTES..].copy_from_slice(&ordinal.to_be_bytes());
        self.pairs.push(pair).map_err(AudienceError::Scratch)
    }

    pub(super) fn finish(self) -> Result<Duplicates, AudienceError> {
        let mut pairs = self.pairs.finish().map_err(AudienceError::Scratch)?;
        let mut ordinals = Sorter::<ORDINAL_BYTES>::new(self.memory_bytes / 2);
        let mut count = 0;
        let mut last = None;
        while let Some(pair) = pairs.next().map_err(AudienceError::Scratch)? {
            let (hash, ordinal) = pair.split_at(HASH_BYTES);
            if last.as_ref().is_some_and(|last: &[u8; PAIR_BYTES]| &last[..HASH_BYTES] == hash) {
                let ordinal = ordinal.first_chunk::<ORDINAL_BYTES>().copied().unwrap_or_default();
                ordinals.push(ordinal).map_err(AudienceError::Scratch)?;
                count += 1;
            }
            last = Some(pair);
        }
        drop(pairs);
        Duplicates::new(ordinals.finish().map_err(AudienceError::Scratch)?, count)
    }
}

/// The ordinals of rows whose id an earlier usable row has.
pub struct Duplicates {
    ordinals: Sorted<ORDINAL_BYTES>,
    next: Option<u64>,
    count: u64,
}

impl Duplicates {
    fn new(ordinals: Sorted<ORDINAL_BYTES>, count: u64) -> Result<Self, AudienceError> {
        let mut duplicates = Self { ordinals, next: None, count };
        duplicates.next = duplicates.read()?;
        Ok(duplicates)
    }

    /// How many there are, whatever was asked so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether a row is one. Ordinals must be asked for in ascending order; some may be left out.
    pub fn is_duplicate(&mut self, ordinal: u64) -> Result<bool, AudienceError> {
        while self.next.is_some_and(|next| next < ordinal) {
            self.next = self.read()?;
        }
        Ok(self.next == Some(ordinal))
    }

    fn read(&mut self) -> Result<Option<u64>, AudienceError> {
        Ok(self.ordinals.next().map_err(AudienceError::Scratch)?.map(u64::from_be_bytes))
    }
}
