//! Which chunks are cut, published, begun and done. Pure: the leader feeds it, clock included, and does what it says.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use copymill_campaign::{ChunkId, ChunkResult};

use crate::window::Place;

/// Tries of a chunk that workers report as failed before the leader gives up.
pub const TRIES: u32 = 3;
/// A chunk that failed is published again after this long, and after twice this the next time: what failed is outside of
/// it, such as a list that is being written anew.
pub const FAILED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A chunk that a worker began and no heartbeat named for this long is silent.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);

/// What follows from a report that a chunk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is published again, some time later.
    Again,
    /// It has failed too often; it is published again, too, where its campaign goes on.
    TooOften,
    /// It is of no consequence: the chunk is done, or with somebody else by now.
    Late,
}

/// Progress over the chunks of one kind.
#[derive(Default)]
pub struct Tracker {
    planned: u32,
    next: u32,
    /// Chunks that are worked on beside those that are cut.
    listed: u32,
    /// Whole chunks that may be published at most; the others are held back.
    limit: Option<u32>,
    published: BTreeMap<ChunkId, Published>,
    again: VecDeque<ChunkId>,
    /// Chunks that failed, and when they are published again.
    later: BTreeMap<ChunkId, Instant>,
    done: BTreeMap<ChunkId, ChunkResult>,
    /// Chunks in whose place their two parts are worked on.
    split: BTreeSet<ChunkId>,
    /// Chunks whose worker fell silent.
    suspects: BTreeSet<ChunkId>,
    failures: BTreeMap<ChunkId, u32>,
    /// Chunks whose first object is damaged.
    remade: BTreeSet<ChunkId>,
}

/// A chunk on the queue or with a worker.
struct Published {
    /// Its place in the window.
    _place: Place,
    at: Instant,
    /// When the worker that began it was last heard of.
    heard: Option<Instant>,
}

impl Tracker {
    /// Chunks that were cut before, to be worked on again.
    pub fn of(chunks: impl Iterator<Item = ChunkId>) -> Self {
        let again: VecDeque<ChunkId> = chunks.collect();
        Self { listed: again.len() as u32, again, ..Self::default() }
    }

    /// Notes that chunks up to number `count` (exclusive) are cut.
    pub fn planned(&mut self, count: u32) {
        self.planned = self.planned.max(count);
    }

    /// Whole chunks that are cut.
    pub fn planned_count(&self) -> u32 {
        self.planned
    }

    /// Chunks that results are expected of: those that are cut, split ones counted as their parts.
    pub fn count(&self) -> u32 {
        self.planned + self.listed + self.split.len() as u32
    }

    /// The next chunk to publish: those that came back first.
    pub fn next(&mut self) -> Option<ChunkId> {
        self.again.pop_front().or_else(|| {
            (self.next < self.released()).then(|| {
                self.next += 1;
                ChunkId::whole(self.next - 1)
            })
        })
    }

    /// Whether there is a chunk to publish.
    pub fn has_next(&self) -> bool {
        !self.again.is_empty() || self.next < self.released()
    }

    /// Holds back all but the first `count` chunks.
    pub fn limit_to(&mut self, count: u32) {
        self.limit = Some(count);
    }

    /// Whether something is held back, or would be.
    pub fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// Releases what is held back.
    pub fn release(&mut self) {
        self.limit = None;
    }

    /// Whether everything that is not held back is done, and something may be held back.
    pub fn is_limit_reached(&self) -> bool {
        let Some(limit) = self.limit else { return false };
        let expected = limit as usize + self.split.iter().filter(|chunk| chunk.index < limit).count();
        self.done.keys().filter(|chunk| chunk.index < limit).count() == expected
    }

    /// Whole chunks that are cut and not held back.
    fn released(&self) -> u32 {
        self.planned.min(self.limit.unwrap_or(u32::MAX))
    }

    /// Notes that a chunk is on the queue.
    pub fn published(&mut self, chunk: ChunkId, place: Place, now: Instant) {
        self.published.insert(chunk, Published { _place: place, at: now, heard: None });
    }

    /// Notes that a worker has a chunk in its hands; returns when the chunk was published, where it is.
    pub fn begun(&mut self, chunk: &ChunkId, now: Instant) -> Option<Instant> {
        let published = self.published.get_mut(chunk)?;
        published.heard = Some(now);
        Some(published.at)
    }

    /// When a chunk was published; none where it is not.
    pub fn published_at(&self, chunk: &ChunkId) -> Option<Instant> {
        self.published.get(chunk).map(|published| published.at)
    }

    /// Chunks whose workers were not heard of for long; they are to be published again.
    pub fn silent(&mut self, now: Instant) -> Vec<ChunkId> {
        let is_silent = |published: &Published| {
            published.heard.is_some_and(|heard| now.duration_since(heard) >= SILENT_AFTER)
        };
        let silent = self.published.iter().filter(|(_, published)| is_silent(published));
        let silent: Vec<ChunkId> = silent.map(|(chunk, _)| chunk.clone()).collect();
        self.suspects.extend(silent.iter().cloned());
        silent.iter().for_each(|chunk| self.returned(chunk.clone()));
        silent
    }

    /// Chunks that were published before a moment and that nobody began: lost with their queue, to be published again.
    pub fn lost(&mut self, before: Instant) -> Vec<ChunkId> {
        let lost = self.published.iter().filter(|(_, chunk)| chunk.heard.is_none() && chunk.at < before);
        let lost: Vec<ChunkId> = lost.map(|(chunk, _)| chunk.clone()).collect();
        lost.iter().for_each(|chunk| self.returned(chunk.clone()));
        lost
    }

    /// Chunks with workers.
    pub fn begun_count(&self) -> usize {
        self.published.values().filter(|chunk| chunk.heard.is_some()).count()
    }

    /// Notes a chunk as done; false where it was already, so that nothing counts twice.
    pub fn done(&mut self, chunk: ChunkId, result: ChunkResult) -> bool {
        self.forget(&chunk);
        if self.done.contains_key(&chunk) || self.split.contains(&chunk) {
            return false;
        }
        self.done.insert(chunk, result);
        true
    }

    /// Whether a chunk's worker fell silent over it.
    pub fn is_suspect(&self, chunk: &ChunkId) -> bool {
        self.suspects.contains(chunk)
    }

    /// Notes a chunk as split: its parts are published in its place. Those that are done already stay so.
    pub fn split(&mut self, chunk: ChunkId) {
        self.forget(&chunk);
        if self.done.contains_key(&chunk) || !self.split.insert(chunk.clone()) {
            return;
        }
        self.again.extend(chunk.halves());
    }

    /// Notes a chunk as handed back: it is published again, before new ones.
    pub fn returned(&mut self, chunk: ChunkId) {
        if self.published.remove(&chunk).is_some() && !self.done.contains_key(&chunk) {
            self.again.push_back(chunk);
        }
    }

    /// Whatever it waited for, a chunk is no longer on its way.
    fn forget(&mut self, chunk: &ChunkId) {
        self.published.remove(chunk);
        self.again.retain(|again| again != chunk);
        self.later.remove(chunk);
    }

    /// Notes a chunk as failed.
    pub fn failed(&mut self, chunk: ChunkId, now: Instant) -> Failure {
        if self.published.remove(&chunk).is_none() || self.done.contains_key(&chunk) {
            return Failure::Late;
        }
        let failures = self.failures.entry(chunk.clone()).or_default();
        *failures += 1;
        let (failures, due) = (*failures, now + *failures * FAILED_AGAIN_AFTER);
        self.later.insert(chunk, due);
        if failures < TRIES { Failure::Again } else { Failure::TooOften }
    }

    /// Lets chunks be published again that failed long enough ago.
    pub fn try_again(&mut self, now: Instant) {
        let due: Vec<ChunkId> =
            self.later.extract_if(.., |_, due| *due <= now).map(|(chunk, _)| chunk).collect();
        self.again.extend(due);
    }

    /// Forgets what failed: what made it fail is mended. Chunks are tried at once, and as often as at first.
    pub fn forgive(&mut self) {
        self.failures.clear();
        self.again.extend(std::mem::take(&mut self.later).into_keys());
    }

    /// Whether workers reported a chunk as failed.
    pub fn has_failed(&self, chunk: &ChunkId) -> bool {
        self.failures.contains_key(chunk)
    }

    /// Notes that the first object of a chunk is damaged: it ends in one of the next generation.
    pub fn remake(&mut self, chunk: ChunkId) {
        self.remade.insert(chunk);
    }

    /// Chunks that end in an object of the next generation.
    pub fn remade(&self) -> &BTreeSet<ChunkId> {
        &self.remade
    }

    /// What is done, by chunk.
    pub fn results(&self) -> &BTreeMap<ChunkId, ChunkResult> {
        &self.done
    }

    /// Whether every chunk that was cut is done.
    pub fn is_complete(&self) -> bool {
        self.done.len() == self.count() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;
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

    /// Rows of a whole chunk.
    const ROWS: usize = 1 << 10;

    /// The rows that results are about, in their order.
    fn rows_done(tracker: &Tracker) -> Vec<usize> {
        let first = |chunk: &ChunkId| chunk.index as usize * ROWS;
        let rows = tracker.results().keys().map(|chunk| (first(chunk), chunk.rows_of(ROWS)));
        rows.flat_map(|(first, rows)| rows.map(move |row| first + row)).collect()
    }

    /// A place in a window of its own; how many there are is the window's affair.
    fn place() -> Place {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Window::new(1).join(1.0).place())
    }

    proptest! {
        #[test]
        fn every_chunk_is_done_exactly_once_whatever_workers_report(
            chunks in 1u32..30,
            window in 1usize..8,
            reports in proptest::collection::vec((0usize..8, 0u8..9), 0..200),
        ) {
            let mut tracker = Tracker::default();
            tracker.planned(chunks);
            let mut queue: Vec<ChunkId> = Vec::new();
            let mut now = Instant::now();
            for (pick, report) in reports.into_iter().chain(std::iter::repeat_n((0, 0), 1_000)) {
                tracker.try_again(now);
                while queue.len() < window && let Some(chunk) = tracker.next() {
                    prop_assert!(!queue.contains(&chunk), "{chunk} is on the queue twice");
                    tracker.published(chunk.clone(), place(), now);
                    queue.push(chunk);
                }
                now += Duration::from_secs(1);
                if tracker.is_complete() {
                    break;
                }
                if queue.is_empty() {
                    continue;
                }
                let chunk = queue.remove(pick % queue.len());
                match report {
                    0 | 1 => {
                        prop_assert!(tracker.done(chunk.clone(), result()));
                        prop_assert!(!tracker.done(chunk, result()), "a second report counts nothing");
                    }
                    2 => tracker.returned(chunk),
                    3 => {
                        tracker.failed(chunk, now);
                    }
                    4 => {
                        tracker.begun(&chunk, now);
                        now += SILENT_AFTER;
                        prop_assert_eq!(tracker.silent(now), vec![chunk]);
                    }
                    5 => {
                        tracker.split(chunk.clone());
                        tracker.split(chunk.clone());
                        prop_assert!(!tracker.done(chunk, result()), "its parts count in its place");
                    }
                    6 => {
                        // Two workers had it, as after one fell silent, and the other one is done with it.
                        tracker.done(chunk.clone(), result());
                        prop_assert_eq!(tracker.failed(chunk, now), Failure::Late);
                    }
                    7 => {
                        tracker.failed(chunk, now);
                        tracker.forgive();
                    }
                    _ => {
                        // The queue was lost, and with it all that nobody began.
                        let mut expected = queue.clone();
                        expected.push(chunk);
                        expected.sort();
                        queue.clear();
                        prop_assert_eq!(tracker.lost(now), expected);
                    }
                }
            }
            prop_assert!(tracker.is_complete());
            prop_assert_eq!(tracker.results().len(), tracker.count() as usize);
            prop_assert_eq!(rows_done(&tracker), (0..chunks as usize * ROWS).collect::<Vec<_>>());
        }
    }

    #[test]
    fn chunks_behind_a_pilot_wait_until_they_are_released() {
        let mut tracker = Tracker::default();
        tracker.planned(3);
        tracker.limit_to(2);
        let (first, second) = (tracker.next().unwrap(), tracker.next().unwrap());
        assert_eq!((tracker.next(), tracker.has_next()), (None, false));
        tracker.done(first, result());
        tracker.split(second.clone());
        assert!(!tracker.is_limit_reached(), "the parts of a split chunk belong to the pilot");
        second.halves().into_iter().for_each(|part| assert!(tracker.done(part, result())));
        assert!(tracker.is_limit_reached() && !tracker.is_complete());
        tracker.release();
        assert_eq!(tracker.next(), Some(ChunkId::whole(2)));
    }

    #[test]
    fn a_chunk_that_fails_every_try_is_given_up() {
        let mut tracker = Tracker::default();
        tracker.planned(1);
        let mut now = Instant::now();
        for attempt in 1..=TRIES {
            let chunk = tracker.next().unwrap();
            tracker.published(chunk.clone(), place(), now);
            let expected = if attempt < TRIES { Failure::Again } else { Failure::TooOften };
            assert_eq!(tracker.failed(chunk, now), expected);
            assert!(!tracker.has_next(), "it is not tried again at once");
            now += attempt * FAILED_AGAIN_AFTER;
            if attempt < TRIES {
                tracker.try_again(now);
            }
        }
        tracker.forgive();
        let chunk = tracker.next().unwrap();
        tracker.published(chunk.clone(), place(), now);
        assert_eq!(tracker.failed(chunk, now), Failure::Again, "what made it fail is mended");
    }

    #[test]
    fn a_chunk_whose_worker_is_heard_of_is_not_silent() {
        let mut tracker = Tracker::default();
        tracker.planned(1);
        let (chunk, now) = (tracker.next().unwrap(), Instant::now());
        tracker.published(chunk.clone(), place(), now);
        assert!(tracker.silent(now + 9 * SILENT_AFTER).is_empty(), "nobody began it");
        for beat in 0..9 {
            assert_eq!(tracker.begun(&chunk, now + beat * SILENT_AFTER / 2), Some(now));
            assert!(tracker.silent(now + (beat + 1) * SILENT_AFTER / 2).is_empty());
        }
        assert_eq!(tracker.silent(now + 9 * SILENT_AFTER), [chunk]);
    }
}
