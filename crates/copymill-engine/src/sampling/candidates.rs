//! The best tokens of a vocabulary, in one pass.

use std::cmp::Ordering;

use toktrie::SimpleVob;

/// A token that may be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f32,
}

impl Candidate {
    /// Orders by logit, the highest first, and equals by token, so that the order is the same everywhere.
    pub(super) fn better_first(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

/// The `keep` best tokens that the mask allows, best first. Logits that are not numbers are left out.
pub(super) fn best(logits: &[f32], mask: Option<&SimpleVob>, keep: usize) -> Vec<Candidate> {
    let mut best = Best::new(keep, logits.len());
    match mask {
        None => best.offer_run(logits, 0),
        Some(mask) => offer_allowed(&mut best, logits, mask.as_slice()),
    }
    best.finish()
}

/// Goes through the mask word by word: within a string nearly all tokens are allowed, elsewhere nearly none.
fn offer_allowed(best: &mut Best, logits: &[f32], mask: &[u32]) {
    const WORD: usize = u32::BITS as usize;
    for ((word, bits), chunk) in mask.iter().enumerate().zip(logits.chunks(WORD)) {
        let first = word * WORD;
        if *bits == u32::MAX {
            best.offer_run(chunk, first);
            continue;
        }
        let mut bits = *bits;
        while bits != 0 {
            let offset = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if let Some(logit) = chunk.get(offset) {
                best.offer(first + offset, *logit);
            }
        }
    }
}

/// Collects candidates above a bar, which rises every time the buffer is full.
struct Best {
    keep: usize,
    buffer: Vec<Candidate>,
    bar: f32,
}

impl Best {
    fn new(keep: usize, vocabulary: usize) -> Self {
        let keep = keep.clamp(1, vocabulary.max(1));
        Self { keep, buffer: Vec::with_capacity((2 * keep).min(vocabulary)), bar: f32::NEG_INFINITY }
    }

    /// Offers consecutive tokens; most runs are passed over by one comparison of their maximum.
    fn offer_run(&mut self, logits: &[f32], first: usize) {
        const RUN: usize = 64;
        for (run, chunk) in logits.chunks(RUN).enumerate() {
            let highest = chunk.iter().fold(f32::NEG_INFINITY, |highest, logit| highest.max(*logit));
            if highest > self.bar {
                for (offset, logit) in chunk.iter().enumerate() {
                    self.offer(first + run * RUN + offset, *logit);
                }
            }
        }
    }

    fn offer(&mut self, token: usize, logit: f32) {
        // Tokens come in ascending order, so one that equals the bar loses to those that set it.
        if logit > self.bar {
            let token = u32::try_from(token).expect("token ids are 32 bits wide");
            self.buffer.push(Candidate { token, logit });
            if self.buffer.len() >= 2 * self.keep {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let (_, last, _) = self.buffer.select_nth_unstable_by(self.keep - 1, Candidate::better_first);
        self.bar = last.logit;
        self.buffer.truncate(self.keep);
    }

    fn finish(mut self) -> Vec<Candidate> {
        if self.buffer.len() > self.keep {
            self.cut();
        }
        self.buffer.sort_unstable_by(Candidate::better_first);
        self.buffer
    }
}
