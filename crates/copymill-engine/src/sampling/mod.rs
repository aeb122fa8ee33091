//! Draws the next token from logits, without sorting or copying the vocabulary.

mod candidates;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use rand_core::Rng;
use rand_pcg::Pcg32;
use toktrie::SimpleVob;

use crate::request::Sampling;
use candidates::{Candidate, best};

/// The stream of the generator: any constant will do, but changing it changes every output. (The generator's own
/// default in the reference implementation, <https://www.pcg-random.org>.)
const STREAM: u64 = 0x0a02_bdbf_7bb3_c0a7;

/// Draws tokens for one variant, from its own seed.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Pcg32,
    /// The last tokens, for the repetition penalty; empty where there is none.
    recent: VecDeque<u32>,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, seed: u32, prompt: &[u32]) -> Self {
        let mut sampler =
            Self { sampling, random: Pcg32::new(u64::from(seed), STREAM), recent: VecDeque::new() };
        let window = prompt.len().saturating_sub(sampler.sampling.last_n as usize);
        for token in &prompt[window..] {
            sampler.note(*token);
        }
        sampler
    }

    /// Tells the sampler of a token that was appended, whoever chose it.
    pub(crate) fn note(&mut self, token: u32) {
        if self.penalty() > 1.0 && self.sampling.last_n > 0 {
            if self.recent.len() >= self.sampling.last_n as usize {
                self.recent.pop_front();
            }
            self.recent.push_back(token);
        }
    }

    /// Draws a token among those that `mask` allows; none if it allows none, or no logit is a number.
    pub(crate) fn draw(&mut self, logits: &[f32], mask: Option<&SimpleVob>) -> Option<u32> {
        let greedy = self.sampling.temperature <= 0.0;
        let keep = match self.sampling.top_k as usize {
            _ if greedy => 1,
            0 => logits.len(),
            top_k => top_k,
        };
        let mut candidates = self.penalised(logits, mask, keep);
        if greedy {
            return candidates.first().map(|candidate| candidate.token);
        }
        keep_top_p(&mut candidates, self.sampling.top_p);
        keep_min_p(&mut candidates, self.sampling.min_p);
        self.draw_from(&candidates)
    }

    /// The `keep` best candidates after the repetition penalty, best first.
    fn penalised(&self, logits: &[f32], mask: Option<&SimpleVob>, keep: usize) -> Vec<Candidate> {
        if self.recent.is_empty() {
            return best(logits, mask, keep);
        }
        // A penalty only lowers: whoever is among the best `keep` afterwards was among this many before.
        let mut candidates = best(logits, mask, keep.saturating_add(self.recent.len()));
        for candidate in candidates.iter_mut().filter(|candidate| self.recent.contains(&candidate.token)) {
            let logit = &mut candidate.logit;
            *logit = if *logit > 0.0 { *logit / self.penalty() } else { *logit * self.penalty() };
        }
        candidates.sort_unstable_by(Candidate::better_first);
        candidates.truncate(keep);
        candidates
    }

    fn draw_from(&mut self, candidates: &[Candidate]) -> Option<u32> {
        let weights = weights(candidates, self.sampling.temperature);
        let total: f32 = weights.iter().sum();
        // 24 bits are what a float in [0, 1) can hold evenly.
        let uniform = (self.random.next_u32() >> 8) as f32 / (1_u32 << 24) as f32;
        let mut left = uniform * total;
        for (candidate, weight) in candidates.iter().zip(&weights) {
            if left < *weight {
                return Some(candidate.token);
            }
            left -= weight;
        }
        // Rounding may leave a crumb after the last one.
        candidates.last().map(|candidate| candidate.token)
    }

    fn penalty(&self) -> f32 {
        self.sampling.repetition_penalty.max(1.0)
    }
}

/// Weights relative to the best candidate's, which has 1.
fn weights(candidates: &[Candidate], temperature: f32) -> Vec<f32> {
    let best = candidates.first().map_or(0.0, |candidate| candidate.logit);
    candidates.iter().map(|candidate| ((candidate.logit - best) / temperature).exp()).collect()
}

fn keep_top_p(candidates: &mut Vec<Candidate>, top_p: f32) {
    if top_p >= 1.0 || candidates.len() < 2 {
        return;
    }
    let weights = weights(candidates, 1.0);
    let wanted = top_p * weights.iter().sum::<f32>();
    let mut reached = 0.0;
    let enough = weights.iter().position(|weight| {
        reached += weight;
        reached >= wanted
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

fn keep_min_p(candidates: &mut Vec<Candidate>, min_p: f32) {
    if min_p > 0.0 && !candidates.is_empty() {
        let least = candidates[0].logit + min_p.min(1.0).ln();
        candidates.retain(|candidate| candidate.logit >= least);
    }
}
