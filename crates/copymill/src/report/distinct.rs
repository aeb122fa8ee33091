//! Counting distinct values in bounded memory.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Hashes that are kept: up to so many distinct values the count is exact, above it off by 0.3 % or so.
const HASHES: usize = 100_000;

/// Keeps the smallest hashes. Where they are not all, how densely they lie says how many there are
/// (Bar-Yossef et al., "Counting Distinct Elements in a Data Stream", 2002).
#[derive(Debug, Default)]
pub(super) struct Distinct {
    smallest: BTreeSet<u64>,
    is_full: bool,
}

impl Distinct {
    /// Adds a value.
    pub(super) fn add(&mut self, value: &str) {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        self.smallest.insert(hasher.finish());
        if self.smallest.len() > HASHES {
            self.smallest.pop_last();
            self.is_full = true;
        }
    }

    /// How many distinct values were added.
    pub(super) fn count(&self) -> u64 {
        match self.smallest.last() {
            Some(largest) if self.is_full => {
                let share_of_range = *largest as f64 / u64::MAX as f64;
                ((HASHES - 1) as f64 / share_of_range) as u64
            }
            _ => self.smallest.len() as u64,
        }
    }

    /// Whether the count is exact.
    pub(super) fn is_exact(&self) -> bool {
        !self.is_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_exact_while_hashes_fit_and_close_above() {
        let mut distinct = Distinct::default();
        (0..1_000).for_each(|n| distinct.add(&(n % 300).to_string()));
        assert_eq!((distinct.count(), distinct.is_exact()), (300, true));
        (0..400_000).for_each(|n| distinct.add(&n.to_string()));
        assert!(!distinct.is_exact());
        assert!(distinct.count().abs_diff(400_000) < 6_000, "{}", distinct.count());
    }
}
