//! Prefixes that stay in the cache after their rows have ended, for the rows to come.

use super::strand::common_prefix;

/// Why a prefix is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// A row that has just ended; one like it may follow, such as its next attempt.
    Recent,
    /// At least two rows have begun with it.
    Proven,
}

/// A prefix in the cache without a strand.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) sequence: u32,
    pub(super) tokens: Vec<u32>,
    pub(super) worth: Worth,
    last_used: u64,
}

/// All held prefixes: few, and the least worthy and least recently used goes first.
#[derive(Debug, Default)]
pub(super) struct Holds {
    entries: Vec<Hold>,
    clock: u64,
}

impl Holds {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.entries.iter()
    }

    pub(super) fn count(&self, worth: Worth) -> usize {
        self.entries.iter().filter(|hold| hold.worth == worth).count()
    }

    pub(super) fn add(&mut self, sequence: u32, tokens: Vec<u32>, worth: Worth) {
        self.clock += 1;
        self.entries.push(Hold { sequence, tokens, worth, last_used: self.clock });
    }

    /// Notes that a row begins with `tokens`: every held prefix that the row begins with was of use.
    pub(super) fn touch(&mut self, tokens: &[u32]) {
        self.clock += 1;
        for hold in self.entries.iter_mut().filter(|hold| tokens.starts_with(&hold.tokens)) {
            hold.last_used = self.clock;
        }
    }

    /// How much of `tokens` the proven prefixes cover.
    pub(super) fn proven_cover(&self, tokens: &[u32]) -> usize {
        let proven = self.entries.iter().filter(|hold| hold.worth == Worth::Proven);
        proven.map(|hold| common_prefix(&hold.tokens, tokens)).max().unwrap_or(0)
    }

    /// Takes out the least worthy, least recently used prefix for which `wanted` holds.
    pub(super) fn take_least(&mut self, wanted: impl Fn(&Hold) -> bool) -> Option<Hold> {
        let candidates = self.entries.iter().enumerate().filter(|(_, hold)| wanted(hold));
        let (index, _) = candidates.min_by_key(|(_, hold)| (hold.worth, hold.last_used))?;
        Some(self.entries.swap_remove(index))
    }
}
