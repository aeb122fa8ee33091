//! Counters that the engine's thread writes and everyone reads.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::batcher::Batcher;
use crate::engine::EngineStats;

/// Written by one thread; a reader may see a step half counted, which does not matter for metrics.
pub(crate) struct Counters {
    started: Instant,
    decode_steps: AtomicU64,
    decode_us: AtomicU64,
    batch_tokens: AtomicU64,
    prompt: AtomicU64,
    reused: AtomicU64,
    generated: AtomicU64,
    forced: AtomicU64,
    busy_slot_steps: AtomicU64,
    requeues: AtomicU64,
    finished: AtomicU64,
    cells_used: AtomicU32,
    running: AtomicU32,
    /// Variants in the batcher's queue.
    waiting: AtomicU32,
    /// Variants in the channel, on their way to it.
    submitted: AtomicU32,
    progress_ms: AtomicU64,
    cells_capacity: u32,
}

impl Counters {
    pub(crate) fn new(cells_capacity: u32) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            decode_steps: zero(),
            decode_us: zero(),
            batch_tokens: zero(),
            prompt: zero(),
            reused: zero(),
            generated: zero(),
            forced: zero(),
            busy_slot_steps: zero(),
            requeues: zero(),
            finished: zero(),
            cells_used: AtomicU32::new(0),
            running: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            submitted: AtomicU32::new(0),
            progress_ms: zero(),
            cells_capacity,
        }
    }

    /// Counts a variant that is on its way into the queue.
    pub(crate) fn submitted(&self, variants: usize) {
        self.submitted.fetch_add(to_u32(variants), Relaxed);
    }

    /// Counts a variant that has arrived there, or never will.
    pub(crate) fn received(&self, variants: usize) {
        self.submitted.fetch_sub(to_u32(variants), Relaxed);
    }

    pub(crate) fn wrote(&self, tokens: usize, forced: usize) {
        self.generated.fetch_add(tokens as u64, Relaxed);
        self.forced.fetch_add(forced as u64, Relaxed);
    }

    pub(crate) fn finished(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    /// Counts a decoded batch of tokens that `busy` strands were in.
    pub(crate) fn decoded(&self, busy: usize, tokens: usize) {
        self.decode_steps.fetch_add(1, Relaxed);
        self.batch_tokens.fetch_add(tokens as u64, Relaxed);
        self.busy_slot_steps.fetch_add(busy as u64, Relaxed);
    }

    /// Counts time in which the engine had something to do: decoding, sampling, checking.
    pub(crate) fn worked(&self, time: Duration) {
        self.decode_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Takes over the batcher's state, and that the thread is alive.
    pub(crate) fn observe(&self, batcher: &Batcher) {
        let counted = batcher.counters();
        self.prompt.store(counted.prompt, Relaxed);
        self.reused.store(counted.reused, Relaxed);
        self.requeues.store(counted.requeues, Relaxed);
        self.cells_used.store(to_u32(batcher.cells_used()), Relaxed);
        self.running.store(to_u32(batcher.running()), Relaxed);
        self.waiting.store(to_u32(batcher.waiting()), Relaxed);
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress_ms.store(elapsed_ms, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> EngineStats {
        let running = self.running.load(Relaxed);
        let queued = self.waiting.load(Relaxed) + self.submitted.load(Relaxed);
        let idle = running == 0 && queued == 0;
        let progress = self.started + Duration::from_millis(self.progress_ms.load(Relaxed));
        EngineStats {
            decode_steps: self.decode_steps.load(Relaxed),
            decode_time: Duration::from_micros(self.decode_us.load(Relaxed)),
            batch_tokens: self.batch_tokens.load(Relaxed),
            prompt_tokens: self.prompt.load(Relaxed),
            reused_tokens: self.reused.load(Relaxed),
            generated_tokens: self.generated.load(Relaxed),
            forced_tokens: self.forced.load(Relaxed),
            busy_slot_steps: self.busy_slot_steps.load(Relaxed),
            requeues: self.requeues.load(Relaxed),
            finished: self.finished.load(Relaxed),
            cells_used: self.cells_used.load(Relaxed),
            cells_capacity: self.cells_capacity,
            running,
            queued,
            last_progress: if idle { Instant::now() } else { progress },
        }
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
