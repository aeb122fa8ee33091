//! The batcher against a plain model of a key-value cache.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

const VOCABULARY: u64 = 50;

/// A cache that checks every change and computes the "model": the next token is a hash of all tokens before it.
struct Device {
    cells: Cells,
    /// Per sequence: tokens with the identity of their cell.
    sequences: Vec<Vec<(u32, u64)>>,
    next_cell: u64,
}

impl Device {
    fn new(limits: &Limits) -> Self {
        let sequences = vec![Vec::new(); limits.slots + limits.holds];
        Self { cells: limits.cells, sequences, next_cell: 0 }
    }

    fn change(&mut self, change: CacheChange) {
        match change {
            CacheChange::Keep { sequence, length } => self.sequences[sequence as usize].truncate(length),
            CacheChange::Share { from, to, length } => {
                assert!(self.sequences[to as usize].is_empty(), "sequence {to} is in use");
                let shared = self.sequences[from as usize][..length].to_vec();
                self.sequences[to as usize] = shared;
            }
        }
    }

    fn decode(&mut self, tokens: &[StepToken]) -> HashMap<StrandId, u32> {
        let mut outputs = HashMap::new();
        for token in tokens {
            let sequence = &mut self.sequences[token.sequence as usize];
            assert_eq!(sequence.len(), token.position as usize, "positions are contiguous, each once");
            sequence.push((token.token, self.next_cell));
            self.next_cell += 1;
            if token.output {
                let history: Vec<u32> = sequence.iter().map(|(token, _)| *token).collect();
                assert!(outputs.insert(token.strand, next_token(&history)).is_none());
            }
        }
        match self.cells {
            Cells::Unified { capacity } => assert!(self.distinct_cells() <= capacity, "too many cells"),
            Cells::Split { per_sequence } => {
                assert!(self.sequences.iter().all(|sequence| sequence.len() <= per_sequence));
            }
        }
        outputs
    }

    fn distinct_cells(&self) -> usize {
        let cells: std::collections::BTreeSet<u64> =
            self.sequences.iter().flatten().map(|(_, cell)| *cell).collect();
        cells.len()
    }
}

fn next_token(history: &[u32]) -> u32 {
    let hash = history.iter().fold(17_u64, |hash, token| {
        hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(*token) + 1)
    });
    u32::try_from((hash >> 33) % VOCABULARY).unwrap()
}

/// Some outputs force further tokens, as a grammar would.
fn forced_after(token: u32) -> Vec<u32> {
    if token.is_multiple_of(7) { vec![1, 2, 3] } else { Vec::new() }
}

#[derive(Debug, Clone)]
struct Case {
    prompt: Vec<u32>,
    group: u64,
    max_tokens: usize,
    /// In which step it is handed in.
    arrives: usize,
    /// After how many further steps it is cancelled, if at all.
    cancelled: Option<usize>,
}

/// What a strand must come to, computed alone.
fn alone(case: &Case, limit: usize) -> Vec<u32> {
    let mut tokens = case.prompt.clone();
    while tokens.len() <= limit && tokens.len() < case.prompt.len() + case.max_tokens {
        let next = next_token(&tokens);
        tokens.push(next);
        tokens.extend(forced_after(next));
    }
    tokens
}

struct Run {
    batcher: Batcher,
    device: Device,
    tokens: BTreeMap<StrandId, Vec<u32>>,
    reused: BTreeMap<StrandId, usize>,
    steps: usize,
}

/// Runs all cases to their end.
fn run(limits: Limits, cases: &[Case]) -> Run {
    let mut run = Run {
        batcher: Batcher::new(limits),
        device: Device::new(&limits),
        tokens: BTreeMap::new(),
        reused: BTreeMap::new(),
        steps: 0,
    };
    let total: usize = cases.iter().map(|case| case.prompt.len() + case.max_tokens + 10).sum();
    let arrivals = cases.iter().map(|case| case.arrives).max().unwrap_or(0);
    loop {
        run.arrive_and_leave(cases);
        let idle = run.batcher.running() + run.batcher.waiting() == 0;
        if idle && run.steps > arrivals {
            return run;
        }
        run.step(&limits, cases);
        assert!(run.steps <= 20 * total + arrivals, "no end in sight");
    }
}

impl Run {
    fn arrive_and_leave(&mut self, cases: &[Case]) {
        for (id, case) in (0_u64..).zip(cases) {
            if case.arrives == self.steps {
                self.tokens.insert(id, case.prompt.clone());
                let (prompt, group) = (case.prompt.clone(), case.group);
                self.batcher.submit(Submission {
                    id,
                    group,
                    prompt,
                    forced: Vec::new(),
                    max_tokens: case.max_tokens,
                });
            }
            if case.cancelled.is_some_and(|after| case.arrives + after == self.steps) {
                self.batcher.remove(id);
            }
        }
    }

    fn step(&mut self, limits: &Limits, cases: &[Case]) {
        let Step { changes, tokens } = self.batcher.plan();
        self.steps += 1;
        for change in changes {
            self.device.change(change);
        }
        assert!(tokens.len() <= limits.batch && self.batcher.running() <= limits.slots);
        assert_eq!(
            tokens.is_empty(),
            self.batcher.running() == 0,
            "something runs, or there is nothing to do"
        );
        let outputs = self.device.decode(&tokens);
        self.batcher.commit();
        if let Cells::Unified { .. } = limits.cells {
            assert!(self.batcher.cells_used() <= self.device.distinct_cells());
        }
        for (id, token) in outputs {
            let mut next = vec![token];
            next.extend(forced_after(token));
            let case = &cases[usize::try_from(id).unwrap()];
            let tokens = self.tokens.get_mut(&id).unwrap();
            tokens.extend(&next);
            let full = tokens.len() >= case.prompt.len() + case.max_tokens;
            if !self.batcher.accept(id, &next) || full {
                self.reused.insert(id, self.batcher.remove(id));
            }
        }
    }
}

fn limits() -> Limits {
    Limits {
        slots: 4,
        holds: 3,
        batch: 64,
        sequence: 200,
        cells: Cells::Unified { capacity: 400 },
        share: true,
    }
}

fn rows(count: u64, shared: u32, own: u32, max_tokens: usize) -> Vec<Case> {
    let row = |row: u64| {
        let own = (0..own).map(|token| 40 + (u32::try_from(row).unwrap() * 7 + token * 3) % 10);
        Case { prompt: (0..shared).chain(own).collect(), group: row, max_tokens, arrives: 0, cancelled: None }
    };
    (0..count).map(row).collect()
}

#[test]
fn a_prefix_is_computed_once() {
    let run = run(limits(), &rows(12, 100, 20, 10));
    assert_eq!(run.batcher.counters().prompt, 100 + 12 * 20);
    assert_eq!(run.batcher.counters().reused, 11 * 100);
}

#[test]
fn campaigns_side_by_side_have_a_prefix_each_computed_once() {
    let other = rows(6, 100, 20, 10).into_iter().map(|mut case| {
        case.prompt[..100].iter_mut().for_each(|token| *token = (*token + 1) % 50);
        Case { group: case.group + 100, ..case }
    });
    let alternating = rows(6, 100, 20, 10).into_iter().zip(other).flat_map(|(one, other)| [one, other]);
    let run = run(limits(), &alternating.collect::<Vec<_>>());
    assert_eq!(run.batcher.counters().prompt, 2 * 100 + 12 * 20);
    assert_eq!(run.batcher.counters().reused, 10 * 100);
}

#[test]
fn a_prefix_outlives_its_rows() {
    let mut cases = rows(3, 100, 20, 10);
    for (index, case) in cases.iter_mut().enumerate() {
        case.arrives = index * 300;
    }
    let run = run(limits(), &cases);
    assert_eq!(run.reused.values().copied().collect::<Vec<_>>(), [0, 100, 100]);
}

#[test]
fn variants_fork_from_the_prefill_of_their_row() {
    let mut cases = rows(1, 100, 20, 10);
    cases.extend([cases[0].clone(), cases[0].clone(), cases[0].clone()]);
    let run = run(limits(), &cases);
    // Each computes the last token of the prompt itself, for its logits.
    assert_eq!(run.batcher.counters().prompt, 120 + 3);
}

#[test]
fn nothing_is_shared_where_sharing_is_off() {
    let run = run(Limits { share: false, ..limits() }, &rows(4, 100, 20, 10));
    assert_eq!(run.batcher.counters().prompt, 4 * 120);
    assert_eq!(run.batcher.counters().reused, 0);
}

#[test]
fn prefill_is_cut_so_that_running_strands_go_on() {
    let limits = Limits { share: false, batch: 16, ..limits() };
    let mut cases = rows(2, 100, 0, 30);
    cases[1].arrives = 8;
    let mut batcher = Batcher::new(limits);
    let mut device = Device::new(&limits);
    for (id, case) in (0..).zip(&cases) {
        if id == 1 {
            // The first one has its prompt in the cache by now and samples in every step.
            let running = batcher.plan();
            assert_eq!(running.tokens.len(), 1);
            device.decode(&running.tokens);
            batcher.commit();
            batcher.accept(0, &[5]);
        }
        let (prompt, group) = (case.prompt.clone(), case.group);
        batcher.submit(Submission { id, group, prompt, forced: Vec::new(), max_tokens: 30 });
        for _ in 0..7 {
            let step = batcher.plan();
            assert!(step.tokens.len() <= 16);
            if id == 1 {
                assert_eq!(step.tokens[0].strand, 0, "the running strand comes first");
            }
            device.decode(&step.tokens);
            batcher.commit();
            if step.tokens.iter().any(|token| token.strand == 0 && token.output) {
                batcher.accept(0, &[5]);
            }
        }
    }
}

#[test]
fn out_of_cells_the_youngest_yields_and_everything_finishes() {
    let tight = Limits { cells: Cells::Unified { capacity: 150 }, sequence: 150, share: false, ..limits() };
    let cases = rows(6, 10, 20, 100);
    let run = run(tight, &cases);
    assert!(run.batcher.counters().requeues > 0);
    for (id, case) in (0..).zip(&cases) {
        assert_eq!(run.tokens[&id], alone(case, 150));
    }
}

#[test]
fn a_device_that_refuses_a_step_loses_nothing() {
    let limits = limits();
    let mut batcher = Batcher::new(limits);
    let mut device = Device::new(&limits);
    for (id, case) in (0..).zip(rows(2, 30, 20, 5)) {
        batcher.submit(Submission { id, group: id, prompt: case.prompt, forced: Vec::new(), max_tokens: 5 });
    }
    let refused = batcher.plan();
    assert!(!refused.tokens.is_empty());
    assert_eq!(batcher.roll_back(), None);
    assert_eq!(batcher.running(), 1);
    let again = batcher.plan();
    again.changes.into_iter().for_each(|change| device.change(change));
    device.decode(&again.tokens);
    assert_eq!(again.tokens[0].position, 0);
    // Alone and still refused, it is given up.
    batcher.commit();
    batcher.remove(1);
    batcher.plan();
    assert_eq!(batcher.roll_back(), Some(0));
}

fn case() -> impl Strategy<Value = Case> {
    let prompt =
        (0_u32..3, 0_u32..60, prop::collection::vec(0_u32..4, 1..25)).prop_map(|(family, shared, own)| {
            let shared = (0..shared).map(move |token| (token * (family + 1)) % 45);
            shared.chain(own).collect::<Vec<u32>>()
        });
    let cancelled = prop::option::weighted(0.15, 0_usize..40);
    (prompt, 0_u64..8, 1_usize..40, 0_usize..60, cancelled).prop_map(
        |(prompt, group, max_tokens, arrives, cancelled)| Case {
            prompt,
            group,
            max_tokens,
            arrives,
            cancelled,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Cells never exceed the capacity, every token is decoded once at its place (the device checks both), everyone
    /// finishes, and what a strand gets does not depend on its company.
    #[test]
    fn any_company_gives_every_strand_what_it_gets_alone(
        cases in prop::collection::vec(case(), 1..24),
        slots in 1_usize..6,
        holds in 0_usize..4,
        batch in 6_usize..70,
        capacity in 100_usize..300,
        sequence in 85_usize..100,
        split in any::<bool>(),
        share in any::<bool>(),
    ) {
        let cells = if split { Cells::Split { per_sequence: sequence } } else { Cells::Unified { capacity } };
        let run = run(Limits { slots, holds, batch, sequence, cells, share }, &cases);
        for (id, case) in (0..).zip(&cases) {
            let expected = alone(case, sequence);
            match case.cancelled {
                None => prop_assert_eq!(&run.tokens[&id], &expected),
                Some(_) => prop_assert!(expected.starts_with(&run.tokens[&id])),
            }
        }
    }
}
