//! Finding and sharing what sequences have in common.

use super::holds::Worth;
use super::strand::{Running, Strand, Wait, common_prefix};
use super::{Batcher, CacheChange, MAX_RECENT_HOLDS, WORTH_SHARING_TOKENS};

/// How a strand may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// With nothing.
    Nothing,
    /// With cells that are there.
    Ready { sequence: u32, length: usize },
    /// With cells that an older strand is computing.
    Soon(Wait),
}

impl Share {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Ready { length, .. } | Self::Soon(Wait { length, .. }) => length,
        }
    }

    pub(super) fn ready_cells(self) -> Option<(u32, usize)> {
        match self {
            Self::Ready { sequence, length } => Some((sequence, length)),
            _ => None,
        }
    }
}

impl Batcher {
    /// The most that a strand can share with held prefixes and with the first `elders` running strands.
    ///
    /// Only older strands may be waited for, so no two ever wait for each other.
    pub(super) fn best_share(&self, strand: &Strand, elders: usize) -> Share {
        if !self.limits.share {
            return Share::Nothing;
        }
        let most = strand.shareable();
        let (mut ready, mut soon) = (Share::Nothing, None::<Wait>);
        for hold in self.holds.iter() {
            let length = common_prefix(&hold.tokens, &strand.tokens).min(most);
            if length > ready.length() {
                ready = Share::Ready { sequence: hold.sequence, length };
            }
        }
        for donor in &self.running[..elders] {
            let length = common_prefix(&donor.strand.tokens, &strand.tokens).min(most);
            let there = length.min(donor.strand.decoded);
            if there > ready.length() {
                ready = Share::Ready { sequence: donor.sequence, length: there };
            }
            if length > there && length > soon.map_or(0, |wait| wait.length) {
                soon = Some(Wait { donor: donor.strand.id, length });
            }
        }
        match soon {
            Some(wait) if wait.length >= ready.length() + WORTH_SHARING_TOKENS => Share::Soon(wait),
            _ if ready.length() >= WORTH_SHARING_TOKENS => ready,
            _ => Share::Nothing,
        }
    }

    /// Lets the running strand at `index`, which has nothing in the cache, begin.
    pub(super) fn begin(&mut self, index: usize, share: Share) {
        let mut shared = 0;
        match share {
            Share::Soon(wait) => {
                self.running[index].wait = Some(wait);
                return;
            }
            Share::Ready { sequence, length } => {
                let to = self.running[index].sequence;
                self.ledger.share(sequence, to, length);
                self.changes.push(CacheChange::Share { from: sequence, to, length });
                self.hold_shared(index, sequence, length);
                shared = length;
            }
            Share::Nothing => {}
        }
        let Running { strand, wait, .. } = &mut self.running[index];
        *wait = None;
        strand.decoded = shared;
        strand.planned = shared;
        if strand.reused.is_none() {
            let reused = shared.min(strand.prompt_tokens);
            strand.reused = Some(reused);
            self.counters.reused += reused as u64;
        }
    }

    /// Lets waiting strands begin whose donor has come far enough or is gone.
    pub(super) fn settle_waits(&mut self) {
        for index in 0..self.running.len() {
            let Some(wait) = self.running[index].wait else { continue };
            let donor = self.running[..index].iter().find(|running| running.strand.id == wait.donor);
            let share = match donor {
                Some(donor) if donor.strand.decoded < wait.length => continue,
                Some(donor) => Share::Ready { sequence: donor.sequence, length: wait.length },
                None => self.best_share(&self.running[index].strand, index),
            };
            self.begin(index, share);
        }
    }

    /// Holds a prefix on its own once a second row begins with it, so that it outlives both.
    fn hold_shared(&mut self, index: usize, from: u32, length: usize) {
        let Running { strand, .. } = &self.running[index];
        let group = strand.group;
        // Rows of the same prompt and attempts of one row end together: only what differs in the rest is worth it.
        let same_row =
            self.running.iter().any(|running| running.sequence == from && running.strand.group == group);
        let prefix = &strand.tokens[..length];
        if same_row || length < self.holds.proven_cover(prefix) + WORTH_SHARING_TOKENS {
            return;
        }
        let prefix = prefix.to_vec();
        // The donor may itself be a hold, which must not make room for its own prefix.
        let Some(sequence) = self.room_for_hold(from) else { return };
        self.ledger.share(from, sequence, length);
        self.changes.push(CacheChange::Share { from, to: sequence, length });
        self.holds.add(sequence, prefix, Worth::Proven);
    }

    /// Keeps an ended strand's prompt, if what is held does not cover it and there is room.
    pub(super) fn keep_recent(&mut self, strand: &Strand, sequence: u32) {
        let length = strand.prompt_tokens.min(strand.decoded);
        let prompt = &strand.tokens[..length];
        let covered = self.holds.iter().map(|hold| common_prefix(&hold.tokens, prompt)).max().unwrap_or(0);
        if self.limits.holds == 0 || length < covered + WORTH_SHARING_TOKENS || !self.room_for_recent() {
            return self.release(sequence);
        }
        self.ledger.truncate(sequence, length);
        self.changes.push(CacheChange::Keep { sequence, length });
        self.holds.add(sequence, prompt.to_vec(), Worth::Recent);
    }

    fn room_for_recent(&mut self) -> bool {
        let full = self.holds.len() >= self.limits.holds;
        if full || self.holds.count(Worth::Recent) >= MAX_RECENT_HOLDS {
            let Some(oldest) = self.holds.take_least(|hold| hold.worth == Worth::Recent) else {
                return false;
            };
            self.release(oldest.sequence);
        }
        true
    }

    /// A free sequence for a hold, another hold giving way if need be, but not the one at `except`.
    fn room_for_hold(&mut self, except: u32) -> Option<u32> {
        if self.limits.holds == 0 {
            return None;
        }
        if self.holds.len() >= self.limits.holds {
            let least = self.holds.take_least(|hold| hold.sequence != except)?;
            self.release(least.sequence);
        }
        self.free_sequences.pop()
    }
}
