//! The loop itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::draft::{Advance, Draft};
use super::{Counters, DecodeError, Decoder};
use crate::batcher::{Batcher, StepToken, StrandId, Submission};
use crate::constraint::Compiled;
use crate::request::{FinishReason, Generation, Request};
use crate::vocabulary::Vocabulary;

/// Variants that wait in the batcher at most. More stay in the channel, so that memory is bounded by both limits.
const MAX_WAITING_STRANDS: usize = 4096;

/// Decodes that may fail in a row before the device is taken for broken and the thread ends.
const MAX_CONSECUTIVE_FAILURES: u32 = 3;

/// Logits to look at in one step above which sampling is spread over threads: below it, waking them takes longer.
const PARALLEL_LOGITS: usize = 200_000;

/// A request on its way to the engine's thread.
pub(crate) struct Job {
    pub(crate) request: Request,
    /// The request's constraint for this engine's vocabulary.
    pub(crate) constraint: Option<Arc<Compiled>>,
    /// When it was asked for.
    pub(crate) arrived: Instant,
    /// Where the result goes; a closed one cancels the job.
    pub(crate) reply: oneshot::Sender<Vec<Generation>>,
}

/// What does not change while the loop runs.
pub(crate) struct Model {
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) counters: Arc<Counters>,
    /// Tokens that prompt and output of one sequence may have together.
    pub(crate) sequence_tokens: usize,
    /// How many threads sample at once, and how many sets of grammars there are.
    pub(crate) lanes: usize,
}

/// The state of the loop.
pub(crate) struct Server<D> {
    decoder: D,
    batcher: Batcher,
    model: Model,
    jobs: mpsc::Receiver<Job>,
    rows: HashMap<u64, Row>,
    drafts: HashMap<StrandId, Open>,
    next_id: u64,
    failures: u32,
}

/// A request whose variants are under way.
struct Row {
    reply: oneshot::Sender<Vec<Generation>>,
    results: Vec<Option<Generation>>,
    strands: Vec<StrandId>,
}

/// A variant under way.
struct Open {
    draft: Draft,
    row: u64,
    place: usize,
    lane: usize,
}

impl<D: Decoder> Server<D> {
    pub(crate) fn new(decoder: D, batcher: Batcher, model: Model, jobs: mpsc::Receiver<Job>) -> Self {
        Self {
            decoder,
            batcher,
            model,
            jobs,
            rows: HashMap::new(),
            drafts: HashMap::new(),
            next_id: 0,
            failures: 0,
        }
    }

    /// Serves until the handle is dropped, or until the device keeps failing. Open requests then end with an error,
    /// because their replies are dropped.
    pub(crate) fn run(mut self) {
        while self.take_in() {
            let begun = Instant::now();
            self.cancel_abandoned();
            self.step();
            self.model.counters.worked(begun.elapsed());
            self.model.counters.observe(&self.batcher);
            if self.failures >= MAX_CONSECUTIVE_FAILURES {
                tracing::error!(
                    engine.failures = self.failures,
                    "the device keeps failing: the engine stops"
                );
                return;
            }
        }
    }

    /// Takes new jobs, waiting for one if there is nothing else to do; returns whether to go on.
    fn take_in(&mut self) -> bool {
        if self.rows.is_empty() {
            match self.jobs.blocking_recv() {
                Some(job) => self.open(job),
                None => return false,
            }
        }
        while self.batcher.waiting() < MAX_WAITING_STRANDS {
            match self.jobs.try_recv() {
                Ok(job) => self.open(job),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn open(&mut self, job: Job) {
        let Job { request, constraint, arrived, reply } = job;
        self.model.counters.received(request.seeds.len());
        if reply.is_closed() {
            return;
        }
        let row = self.new_id();
        let variants = request.seeds.len();
        self.rows
            .insert(row, Row { reply, results: vec![None; variants], strands: Vec::with_capacity(variants) });
        for (place, seed) in request.seeds.iter().enumerate() {
            let draft = self.draft(&request, constraint.as_deref(), *seed, arrived);
            self.open_variant(&request, draft, (row, place));
        }
        self.answer_if_complete(row);
    }

    /// A draft, and the lane whose grammar state it shares.
    fn draft(
        &mut self,
        request: &Request,
        constraint: Option<&Compiled>,
        seed: u32,
        arrived: Instant,
    ) -> (StrandId, usize, Draft) {
        let id = self.new_id();
        let lane = usize::try_from(id).unwrap_or(0) % self.model.lanes;
        let guide = constraint.map(|constraint| constraint.guide(lane));
        (id, lane, Draft::new(request, seed, guide, arrived))
    }

    fn open_variant(&mut self, request: &Request, variant: (StrandId, usize, Draft), at: (u64, usize)) {
        let (id, lane, mut draft) = variant;
        let (row, place) = at;
        let Advance { tokens: forced, finish, .. } = draft.start(&self.model.vocabulary);
        self.model.counters.wrote(forced.len(), forced.len());
        let too_long = request.prompt.len() + forced.len() > self.model.sequence_tokens;
        let finish = finish.or(too_long.then_some(FinishReason::Context));
        let Some(open_row) = self.rows.get_mut(&row) else { return };
        if let Some(finish) = finish {
            self.model.counters.finished();
            open_row.results[place] = Some(draft.finish(finish, 0));
            return;
        }
        open_row.strands.push(id);
        self.drafts.insert(id, Open { draft, row, place, lane });
        let max_tokens = request.max_tokens as usize;
        self.batcher.submit(Submission {
            id,
            group: row,
            prompt: request.prompt.clone(),
            forced,
            max_tokens,
        });
    }

    /// Ends the variants of requests that nobody waits for any more.
    fn cancel_abandoned(&mut self) {
        let abandoned: Vec<u64> =
            self.rows.iter().filter(|(_, row)| row.reply.is_closed()).map(|(id, _)| *id).collect();
        for id in abandoned {
            let Some(row) = self.rows.remove(&id) else { continue };
            for strand in row.strands {
                if self.drafts.remove(&strand).is_some() {
                    self.batcher.remove(strand);
                    self.model.counters.finished();
                }
            }
        }
    }

    fn step(&mut self) {
        let step = self.batcher.plan();
        for change in step.changes {
            self.decoder.change(change);
        }
        if step.tokens.is_empty() {
            return;
        }
        self.note_begun(&step.tokens);
        match self.decoder.decode(&step.tokens) {
            Ok(()) => {
                self.failures = 0;
                self.batcher.commit();
                self.model.counters.decoded(self.batcher.running(), step.tokens.len());
                self.write(&step.tokens);
            }
            Err(DecodeError::OutOfCells) => {
                if let Some(alone) = self.batcher.roll_back() {
                    self.fail(alone, "the key-value cache has no room for it".to_owned());
                }
            }
            Err(DecodeError::Failed(problem)) => self.fail_batch(&step.tokens, &problem),
        }
    }

    fn note_begun(&mut self, tokens: &[StepToken]) {
        for chunk in tokens.chunk_by(|left, right| left.strand == right.strand) {
            if let Some(open) = chunk.first().and_then(|token| self.drafts.get_mut(&token.strand)) {
                open.draft.begun();
            }
        }
    }

    /// Samples for every output of the batch and takes the results over.
    fn write(&mut self, tokens: &[StepToken]) {
        let outputs = tokens.iter().enumerate().filter(|(_, token)| token.output);
        let drawing: Vec<(usize, StrandId)> = outputs.map(|(index, token)| (index, token.strand)).collect();
        let mut opens: Vec<(usize, StrandId, Open)> = Vec::with_capacity(drawing.len());
        for (index, id) in drawing {
            if let Some(open) = self.drafts.remove(&id) {
                opens.push((index, id, open));
            }
        }
        for (id, open, advance) in self.advance_all(opens) {
            self.take_over(id, open, advance);
        }
    }

    /// Advances drafts, in parallel where that pays: drafts of one lane share grammar state, so they stay together.
    fn advance_all(&self, mut opens: Vec<(usize, StrandId, Open)>) -> Vec<(StrandId, Open, Advance)> {
        let vocabulary = &self.model.vocabulary;
        let parallel = self.model.lanes > 1 && opens.len() * vocabulary.len() >= PARALLEL_LOGITS;
        opens.sort_by_key(|(_, _, open)| open.lane);
        if parallel {
            // A device that computes beside the CPU is still at it: the grammars use that time.
            opens.par_chunk_by_mut(|(_, _, left), (_, _, right)| left.lane == right.lane).for_each(|lane| {
                for (_, _, open) in lane {
                    // An error comes again, and is taken care of, when the draft advances.
                    let _ = open.draft.prepare();
                }
            });
        }
        let mut drawing: Vec<_> = opens
            .into_iter()
            .map(|(index, id, open)| (self.decoder.logits(index), id, open, Advance::default()))
            .collect();
        let advance = |(logits, _, open, advance): &mut (&[f32], StrandId, Open, Advance)| {
            *advance = open.draft.advance(logits, vocabulary);
        };
        if parallel {
            let lanes = drawing.par_chunk_by_mut(|(_, _, left, _), (_, _, right, _)| left.lane == right.lane);
            lanes.for_each(|lane| lane.iter_mut().for_each(advance));
        } else {
            drawing.iter_mut().for_each(advance);
        }
        drawing.into_iter().map(|(_, id, open, advance)| (id, open, advance)).collect()
    }

    fn take_over(&mut self, id: StrandId, open: Open, advance: Advance) {
        self.model.counters.wrote(advance.tokens.len(), advance.forced);
        let fits = self.batcher.accept(id, &advance.tokens);
        let finish = advance.finish.or((!fits).then_some(FinishReason::Context));
        match finish {
            None => {
                self.drafts.insert(id, open);
            }
            Some(finish) => {
                let reused = self.batcher.remove(id);
                self.close(id, open, finish, reused);
            }
        }
    }

    fn close(&mut self, id: StrandId, open: Open, finish: FinishReason, reused: usize) {
        self.model.counters.finished();
        if let Some(row) = self.rows.get_mut(&open.row) {
            row.strands.retain(|strand| *strand != id);
            row.results[open.place] = Some(open.draft.finish(finish, reused));
        }
        self.answer_if_complete(open.row);
    }

    fn answer_if_complete(&mut self, id: u64) {
        if self.rows.get(&id).is_some_and(|row| row.strands.is_empty())
            && let Some(row) = self.rows.remove(&id)
        {
            // The counters are right by the time the answer is seen.
            self.model.counters.observe(&self.batcher);
            // Whoever asked may have gone away; then nobody misses the answer.
            let _ = row.reply.send(row.results.into_iter().flatten().collect());
        }
    }

    fn fail_batch(&mut self, tokens: &[StepToken], problem: &str) {
        self.failures += 1;
        let mut strands: Vec<StrandId> = tokens.iter().map(|token| token.strand).collect();
        strands.dedup();
        tracing::warn!(engine.rows = strands.len(), "a batch could not be decoded: {problem}");
        for id in strands {
            self.fail(id, format!("the device could not compute it: {problem}"));
        }
    }

    fn fail(&mut self, id: StrandId, problem: String) {
        self.batcher.discard(id);
        if let Some(open) = self.drafts.remove(&id) {
            self.close(id, open, FinishReason::Failed(problem), 0);
        }
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
