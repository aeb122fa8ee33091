//! Who starts, and who yields when cells run out.

use super::sharing::Share;
use super::strand::Running;
use super::{Batcher, CacheChange};

/// Cells that admission leaves free for every running strand to grow into; about what it needs until another ends.
/// Too few lead to requeues, too many to idle slots.
const HEADROOM_TOKENS: usize = 32;

impl Batcher {
    /// Fills free slots from the front of the queue. The front never gives way to smaller ones, so nobody starves.
    pub(super) fn admit(&mut self) {
        while self.running.len() < self.limits.slots {
            let Some(strand) = self.waiting.front() else { break };
            let share = self.best_share(strand, self.running.len());
            if !self.running.is_empty() && (self.refused || !self.has_room(share)) {
                break;
            }
            let (Some(mut strand), Some(sequence)) = (self.waiting.pop_front(), self.take_sequence()) else {
                break;
            };
            strand.decoded = 0;
            strand.planned = 0;
            self.holds.touch(&strand.tokens);
            self.running.push(Running { strand, sequence, wait: None });
            self.begin(self.running.len() - 1, share);
        }
    }

    /// Whether the strand at the front fits beside what runs, if all held prefixes gave way but the one it shares.
    fn has_room(&self, share: Share) -> bool {
        let Some(strand) = self.waiting.front() else { return false };
        let shared = share.length();
        let growth = |expected: usize, remaining: usize| expected + remaining.min(HEADROOM_TOKENS);
        let own = growth(strand.tokens.len() - shared, strand.remaining());
        let others: usize =
            self.running.iter().map(|running| growth(running.expected(), running.strand.remaining())).sum();
        if self.ledger.free() >= own + others {
            return true;
        }
        let begun = self.running.iter().map(|running| (running.sequence, running.strand.decoded));
        let kept = self.ledger.distinct(begun.chain(share.ready_cells()));
        self.ledger.capacity() - kept >= own + others
    }

    /// Lets go of the held prefix that is missed least, if that frees cells.
    pub(super) fn drop_hold(&mut self) -> bool {
        let ledger = &self.ledger;
        let Some(hold) = self.holds.take_least(|hold| ledger.held_alone(hold.sequence) > 0) else {
            return false;
        };
        self.release(hold.sequence);
        true
    }

    /// Puts the youngest strand back to the front of the queue with the tokens it has; the last one is never put back.
    pub(super) fn requeue_youngest(&mut self) -> bool {
        if self.running.len() < 2 {
            return false;
        }
        let Some(Running { strand, sequence, .. }) = self.running.pop() else { return false };
        self.release(sequence);
        self.counters.requeues += 1;
        self.waiting.push_front(strand);
        true
    }

    /// Empties a sequence and makes it available.
    pub(super) fn release(&mut self, sequence: u32) {
        if self.ledger.length(sequence) > 0 {
            self.ledger.truncate(sequence, 0);
            self.changes.push(CacheChange::Keep { sequence, length: 0 });
        }
        self.free_sequences.push(sequence);
    }

    fn take_sequence(&mut self) -> Option<u32> {
        // There is one sequence per slot and hold, so a free slot implies a free sequence.
        self.free_sequences.pop()
    }
}
