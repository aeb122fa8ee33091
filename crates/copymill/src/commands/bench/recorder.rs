//! An engine that remembers what it read and wrote, for a bare loop to repeat.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use copymill_engine::{
    Engine, EngineError, EngineInfo, EngineStats, Generation, Request, Watch,
    bench::{Replay, ReplayRow},
};

/// Passes requests on, and keeps the tokens of prompts and answers.
pub(super) struct Recorder {
    inner: Arc<dyn Engine>,
    rows: Mutex<Vec<(Vec<u32>, Vec<u32>)>>,
}

impl Recorder {
    pub(super) fn new(inner: Arc<dyn Engine>) -> Self {
        Self { inner, rows: Mutex::default() }
    }

    /// What was read and written so far: what all prompts begin with, and each row's own tokens.
    pub(super) fn replay(&self) -> Replay {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let prompts: Vec<&[u32]> = rows.iter().map(|(prompt, _)| prompt.as_slice()).collect();
        let shared = common(&prompts).to_vec();
        let rows = rows.iter().map(|(prompt, generated)| ReplayRow {
            own: prompt[shared.len()..].to_vec(),
            generated: generated.clone(),
        });
        Replay { rows: rows.collect(), shared }
    }
}

/// What all of the prompts begin with, and each goes on after.
fn common<'a>(prompts: &[&'a [u32]]) -> &'a [u32] {
    let Some((first, others)) = prompts.split_first() else { return &[] };
    let begins_alike = |other: &&[u32]| first.iter().zip(*other).take_while(|(one, two)| one == two).count();
    let shortest = prompts.iter().map(|prompt| prompt.len()).min().unwrap_or_default();
    let alike = others.iter().map(begins_alike).min().unwrap_or(first.len());
    &first[..alike.min(shortest.saturating_sub(1))]
}

/// A watch that looks as checks do and lets every answer go on: random tokens never pass checks, and what is measured is
/// answers of full length.
fn only_looking(watch: Arc<dyn Watch>) -> Arc<dyn Watch> {
    Arc::new(move |text: &str, seen| {
        std::hint::black_box(watch.observe(text, seen));
        true
    })
}

#[async_trait]
impl Engine for Recorder {
    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }

    async fn generate(&self, mut request: Request) -> Result<Vec<Generation>, EngineError> {
        request.watch = request.watch.map(only_looking);
        let prompt = request.prompt.clone();
        let generations = self.inner.generate(request).await?;
        let written = generations.iter().map(|generation| (prompt.clone(), generation.token_ids.clone()));
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).extend(written);
        Ok(generations)
    }

    fn stats(&self) -> EngineStats {
        self.inner.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_keeps_a_token_of_its_own() {
        assert_eq!(common(&[&[1, 2, 3, 4], &[1, 2, 3, 5]]), [1, 2, 3]);
        assert_eq!(common(&[&[1, 2], &[1, 2, 3]]), [1]);
        assert_eq!(common(&[&[1, 2, 3]]), [1, 2]);
        assert!(common(&[]).is_empty());
    }
}
