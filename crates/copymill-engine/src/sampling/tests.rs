use proptest::prelude::*;

use super::*;

fn greedy() -> Sampling {
    Sampling { temperature: 0.0, ..Sampling::default() }
}

fn mask_of(allowed: &[u32], size: usize) -> SimpleVob {
    let mut mask = SimpleVob::alloc(size);
    for token in allowed {
        mask.allow_token(*token);
    }
    mask
}

#[test]
fn greedy_takes_the_lowest_id_among_equals() {
    let logits = [0.5, 3.0, 1.0, 3.0, 3.0];
    assert_eq!(Sampler::new(greedy(), 1, &[]).draw(&logits, None), Some(1));
}

#[test]
fn a_mask_leaves_only_what_it_allows() {
    let logits = vec![1.0; 100];
    for seed in 0..200 {
        let token =
            Sampler::new(Sampling::default(), seed, &[]).draw(&logits, Some(&mask_of(&[7, 40, 99], 100)));
        assert!(matches!(token, Some(7 | 40 | 99)), "{token:?}");
    }
    assert_eq!(Sampler::new(greedy(), 0, &[]).draw(&logits, Some(&mask_of(&[], 100))), None);
}

#[test]
fn logits_that_are_not_numbers_are_never_drawn() {
    let logits = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::NAN];
    assert_eq!(Sampler::new(greedy(), 0, &[]).draw(&logits, None), Some(1));
    assert_eq!(Sampler::new(greedy(), 0, &[]).draw(&[f32::NAN; 4], None), None);
}

#[test]
fn the_same_seed_draws_the_same_tokens_and_another_seed_others() {
    let logits: Vec<f32> = (0..1000).map(|token| (token as f32 * 0.37).sin() * 3.0).collect();
    let drawn = |seed| {
        let mut sampler = Sampler::new(Sampling::default(), seed, &[]);
        (0..20).map(|_| sampler.draw(&logits, None).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(drawn(5), drawn(5));
    assert_ne!(drawn(5), drawn(6));
}

#[test]
fn a_repetition_penalty_lowers_recent_tokens_only() {
    let sampling = Sampling { repetition_penalty: 2.0, last_n: 2, ..greedy() };
    let logits = [3.0, 2.0, 1.0, -1.0];
    assert_eq!(Sampler::new(sampling.clone(), 0, &[0]).draw(&logits, None), Some(1));
    // The first token has left the window of two.
    assert_eq!(Sampler::new(sampling, 0, &[0, 2, 3]).draw(&logits, None), Some(0));
}

#[test]
fn top_p_and_min_p_cut_the_tail() {
    let logits = [5.0, 4.9, 0.0, -3.0];
    for seed in 0..300 {
        let top_p = Sampling { top_p: 0.9, temperature: 5.0, ..Sampling::default() };
        assert!(Sampler::new(top_p, seed, &[]).draw(&logits, None).unwrap() < 2);
        let min_p = Sampling { top_p: 1.0, min_p: 0.5, temperature: 5.0, ..Sampling::default() };
        assert!(Sampler::new(min_p, seed, &[]).draw(&logits, None).unwrap() < 2);
    }
}

#[test]
fn draws_follow_the_probabilities() {
    // Three to one at temperature 1.
    let logits = [3.0_f32.ln(), 0.0];
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, ..Sampling::default() };
    let mut sampler = Sampler::new(sampling, 9, &[]);
    let first = (0..4000).filter(|_| sampler.draw(&logits, None) == Some(0)).count();
    assert!((2850..3150).contains(&first), "{first} of 4000");
}

proptest! {
    #[test]
    fn the_best_are_those_of_a_full_sort(
        logits in prop::collection::vec(prop::num::f32::NORMAL.prop_map(|logit| (logit % 8.0).round()), 1..300),
        keep in 1_usize..50,
        seed in any::<u64>(),
    ) {
        let allowed: Vec<u32> =
            (0..logits.len() as u32).filter(|token| (seed >> (token % 64)) & 1 == 1 || seed % 3 == 0).collect();
        let mask = mask_of(&allowed, logits.len());
        let mut expected: Vec<Candidate> =
            allowed.iter().map(|token| Candidate { token: *token, logit: logits[*token as usize] }).collect();
        expected.sort_by(Candidate::better_first);
        expected.truncate(keep);
        prop_assert_eq!(best(&logits, Some(&mask), keep), expected);
    }
}
