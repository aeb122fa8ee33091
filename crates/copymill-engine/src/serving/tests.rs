//! The loop with a device that fails on command.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::batcher::{Batcher, Cells, Limits};
use crate::request::{FinishReason, Generation, Request, Sampling};
use crate::vocabulary::Vocabulary;

/// Ids 0 to 255 are bytes, 256 ends a text.
const END: u32 = 256;

/// A device whose model counts up from the last token, and ends after `z`.
struct Counting {
    logits: Vec<Vec<f32>>,
    /// What the next decodes answer; none once they are used up.
    faults: Vec<DecodeError>,
}

impl Decoder for Counting {
    fn change(&mut self, _: CacheChange) {}

    fn decode(&mut self, tokens: &[StepToken]) -> Result<(), DecodeError> {
        if let Some(fault) = self.faults.pop() {
            return Err(fault);
        }
        let logits = |token: &StepToken| {
            let next = if token.token == u32::from(b'z') { END } else { token.token + 1 };
            (0..=END).map(|id| if id == next { 9.0 } else { 0.0 }).collect()
        };
        self.logits = tokens.iter().map(logits).collect();
        Ok(())
    }

    fn logits(&self, index: usize) -> &[f32] {
        &self.logits[index]
    }
}

fn serve(faults: Vec<DecodeError>, prompts: &[&str]) -> Vec<Option<Vec<Generation>>> {
    let tokens = (0..=END).map(|id| (u8::try_from(id).map_or(Vec::new(), |byte| vec![byte]), id == END));
    let limits = Limits {
        slots: 2,
        holds: 2,
        batch: 64,
        sequence: 100,
        cells: Cells::Unified { capacity: 200 },
        share: true,
    };
    let counters = Arc::new(Counters::new(200));
    let model = Model {
        vocabulary: Arc::new(Vocabulary::new(tokens)),
        counters: counters.clone(),
        sequence_tokens: 100,
        lanes: 1,
    };
    let (jobs, inbox) = mpsc::channel(prompts.len());
    let mut answers = Vec::new();
    for prompt in prompts {
        let (reply, answer) = oneshot::channel();
        let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
        let prompt = prompt.bytes().map(u32::from).collect();
        let request = Request { prompt, seeds: vec![1], max_tokens: 50, sampling, ..Request::default() };
        counters.submitted(1);
        assert!(
            jobs.try_send(Job { request, constraint: None, arrived: std::time::Instant::now(), reply })
                .is_ok()
        );
        answers.push(answer);
    }
    let decoder = Counting { logits: Vec::new(), faults };
    let thread = std::thread::spawn(move || Server::new(decoder, Batcher::new(limits), model, inbox).run());
    let answers = answers.into_iter().map(|answer| answer.blocking_recv().ok()).collect();
    drop(jobs);
    assert!(thread.join().is_ok());
    answers
}

fn only(answer: &Option<Vec<Generation>>) -> &Generation {
    &answer.as_ref().unwrap()[0]
}

#[test]
fn rows_are_continued_until_the_model_ends_them() {
    let answers = serve(Vec::new(), &["w", "abcx", "y"]);
    let texts: Vec<&str> = answers.iter().map(|answer| only(answer).text.as_str()).collect();
    assert_eq!(texts, ["xyz", "yz", "z"]);
    assert!(answers.iter().all(|answer| only(answer).finish == FinishReason::Stop));
}

#[test]
fn a_decode_error_fails_the_rows_involved_only() {
    let answers = serve(vec![DecodeError::Failed("out of order".into())], &["w", "x", "y", "v"]);
    for failed in &answers[..2] {
        assert!(matches!(&only(failed).finish, FinishReason::Failed(why) if why.contains("out of order")));
    }
    assert_eq!(only(&answers[2]).text, "z");
    assert_eq!(only(&answers[3]).text, "wxyz");
}

#[test]
fn no_room_for_a_batch_requeues_and_loses_nothing() {
    let answers = serve(vec![DecodeError::OutOfCells], &["w", "x", "y"]);
    let texts: Vec<&str> = answers.iter().map(|answer| only(answer).text.as_str()).collect();
    assert_eq!(texts, ["xyz", "yz", "z"]);
}

#[test]
fn a_row_that_fits_nowhere_is_given_up_alone() {
    let answers = serve(vec![DecodeError::OutOfCells, DecodeError::OutOfCells], &["w", "x"]);
    assert!(matches!(only(&answers[0]).finish, FinishReason::Failed(_)));
    assert_eq!(only(&answers[1]).text, "yz");
}

#[test]
fn a_device_that_keeps_failing_ends_waiting_requests_with_an_error() {
    let faults = vec![DecodeError::Failed("gone".into()); 9];
    let answers = serve(faults, &["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert!(matches!(only(&answers[0]).finish, FinishReason::Failed(_)));
    assert_eq!(answers[7], None, "the reply is dropped, which callers see as an engine that has stopped");
}
