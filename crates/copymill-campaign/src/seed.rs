//! Sampling seeds: the same (campaign, row or segment, variant, attempt) has the same seed on every worker.

use sha2::{Digest, Sha256};

/// Returns the sampling seed of one attempt.
///
/// `subject` is the row's ordinal in decimal, or the segment's key; `attempt` counts from 1. The seed is the first
/// four bytes, little endian, of a SHA-256 over the four values; it is never `u32::MAX`, which llama.cpp takes for "random".
pub fn seed_for(campaign_seed: u64, subject: &str, variant: u32, attempt: u32) -> u32 {
    let mut hash = Sha256::new();
    hash.update(campaign_seed.to_le_bytes());
    hash.update((subject.len() as u64).to_le_bytes());
    hash.update(subject.as_bytes());
    hash.update(variant.to_le_bytes());
    hash.update(attempt.to_le_bytes());
    let digest = hash.finalize();
    let seed = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    if seed == u32::MAX { 0 } else { seed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_every_part_and_stay_the_same_between_releases() {
        let base = seed_for(7, "17", 0, 1);
        assert_eq!(base, 869159807, "a campaign that goes on, and its verification, need the same seeds");
        for other in [
            seed_for(8, "17", 0, 1),
            seed_for(7, "18", 0, 1),
            seed_for(7, "17", 1, 1),
            seed_for(7, "17", 0, 2),
        ] {
            assert_ne!(base, other);
        }
    }
}
