//! Which chunks are cut, on the queue and done. Pure: the leader feeds it and does what it says.

use std::collections::{BTreeMap, BTreeSet};

use copymill_campaign::{ChunkId, ChunkResult};

/// Tries of a chunk that workers report as failed before the leader gives up.
pub const TRIES: u32 = 3;

/// Progress over the chunks of one kind.
#[derive(Debug, Default)]
pub struct Tracker {
    window: usize,
    planned: u32,
    next: u32,
    outstanding: BTreeSet<ChunkId>,
    again: Vec<ChunkId>,
    done: BTreeMap<ChunkId, ChunkResult>,
    failures: BTreeMap<ChunkId, u32>,
}

impl Tracker {
    /// A tracker that lets at most `window` chunks be on the queue.
    pub fn new(window: usize) -> Self {
        Self { window, ..Self::default() }
    }

    /// Notes that chunks up to number `count` (exclusive) are cut.
    pub fn planned(&mut self, count: u32) {
        self.planned = self.planned.max(count);
    }

    /// Chunks that are cut.
    pub fn count(&self) -> u32 {
        self.planned
    }

    /// The next chunk to publish, if the window has room; it counts as on the queue from then on.
    pub fn take_next(&mut self) -> Option<ChunkId> {
        if self.outstanding.len() >= self.window {
            return None;
        }
        let chunk = self.again.pop().or_else(|| {
            (self.next < self.planned).then(|| {
                self.next += 1;
                ChunkId::whole(self.next - 1)
            })
        })?;
        self.outstanding.insert(chunk.clone());
        Some(chunk)
    }

    /// Notes a chunk as done; false where it was already, so that nothing counts twice.
    pub fn done(&mut self, chunk: ChunkId, result: ChunkResult) -> bool {
        self.outstanding.remove(&chunk);
        self.again.retain(|other| *other != chunk);
        self.done.insert(chunk, result).is_none()
    }

    /// Notes that a worker handed a chunk back: it is published again.
    pub fn returned(&mut self, chunk: ChunkId) {
        if self.outstanding.remove(&chunk) && !self.done.contains_key(&chunk) {
            self.again.push(chunk);
        }
    }

    /// Notes that a worker could not do a chunk; false once its tries are used up.
    pub fn failed(&mut self, chunk: ChunkId) -> bool {
        let failures = self.failures.entry(chunk.clone()).or_default();
        *failures += 1;
        let go_on = *failures < TRIES;
        self.returned(chunk);
        go_on
    }

    /// Chunks that are done, ascending, with what they hold.
    pub fn results(&self) -> &BTreeMap<ChunkId, ChunkResult> {
        &self.done
    }

    /// Whether every chunk that is cut is done.
    pub fn is_complete(&self) -> bool {
        self.done.len() == self.planned as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn result() -> ChunkResult {
        ChunkResult {
            sha256: String::new(),
            bytes: 0,
            rows: (0, 0),
            outcomes: Default::default(),
            reasons: Default::default(),
            tokens: Default::default(),
        }
    }

    proptest! {
        #[test]
        fn every_chunk_is_done_exactly_once_whatever_workers_report(
            chunks in 1u32..30,
            window in 1usize..8,
            reports in proptest::collection::vec((0usize..8, 0u8..4), 0..200),
        ) {
            let mut tracker = Tracker::new(window);
            tracker.planned(chunks);
            let mut queue: Vec<ChunkId> = Vec::new();
            for (pick, report) in reports.into_iter().chain(std::iter::repeat_n((0, 0), 100)) {
                while let Some(chunk) = tracker.take_next() {
                    prop_assert!(!queue.contains(&chunk), "{chunk} is on the queue twice");
                    queue.push(chunk);
                }
                prop_assert!(queue.len() <= window);
                if queue.is_empty() {
                    break;
                }
                let chunk = queue.remove(pick % queue.len());
                match report {
                    0 | 1 => {
                        prop_assert!(tracker.done(chunk.clone(), result()));
                        prop_assert!(!tracker.done(chunk, result()), "a second report counts nothing");
                    }
                    2 => tracker.returned(chunk),
                    _ => {
                        tracker.failed(chunk);
                    }
                }
            }
            prop_assert!(tracker.is_complete());
            prop_assert_eq!(tracker.results().len(), chunks as usize);
        }
    }

    #[test]
    fn a_chunk_that_fails_every_try_is_given_up() {
        let mut tracker = Tracker::new(1);
        tracker.planned(1);
        for attempt in 1..=TRIES {
            let chunk = tracker.take_next().unwrap();
            assert_eq!(tracker.failed(chunk), attempt < TRIES);
        }
    }
}
