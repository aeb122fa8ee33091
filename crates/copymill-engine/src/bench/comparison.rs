//! The engine, the bare loop and the engine without sharing, in turns.

use std::time::Duration;

use super::{EngineRun, Workload, bare, run_engine};
use crate::engine::{EngineError, EngineStats};
use crate::llama::LlamaSettings;

/// One turn of every system on the same rows.
#[derive(Debug, Clone)]
pub struct Round {
    /// The engine as it is set.
    pub engine: Duration,
    /// The bare loop on the tokens that the engine wrote.
    pub bare: Duration,
    /// The engine without prefix sharing, where it was asked for.
    pub unshared: Option<Duration>,
    /// The counters of the first of them.
    pub stats: EngineStats,
}

/// All rounds on one workload.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// How many rows every round had.
    pub rows: u32,
    /// In the order they were run.
    pub rounds: Vec<Round>,
}

/// Runs the systems in turns, `rounds` times; `unshared` also runs the engine without sharing, which takes longest.
pub async fn compare(
    settings: &LlamaSettings,
    workload: &Workload,
    rounds: u32,
    unshared: bool,
) -> Result<Comparison, EngineError> {
    let mut comparison = Comparison { rows: workload.rows, rounds: Vec::new() };
    for _ in 0..rounds {
        let EngineRun { duration: engine, stats, replay } = run_engine(settings, workload).await?;
        let replayed = settings.clone();
        let bare = tokio::task::spawn_blocking(move || bare::replay(&replayed, &replay));
        let bare = bare.await.map_err(|_| EngineError::Stopped)??;
        let unshared = if unshared {
            let settings = LlamaSettings { share_prefixes: false, ..settings.clone() };
            Some(run_engine(&settings, workload).await?.duration)
        } else {
            None
        };
        comparison.rounds.push(Round { engine, bare, unshared, stats });
    }
    Ok(comparison)
}

impl Comparison {
    /// Rows per second of the engine, in the middle one of the rounds.
    pub fn rows_per_second(&self) -> f64 {
        f64::from(self.rows) * median(self.rounds.iter().map(|round| 1.0 / round.engine.as_secs_f64()))
    }

    /// Speed of the engine as a share of the bare loop's, in the middle one of the rounds.
    pub fn share_of_bare(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.bare.as_secs_f64() / round.engine.as_secs_f64()))
    }

    /// How many times faster sharing is, in the middle one of the rounds; none where it was not measured.
    pub fn sharing_gain(&self) -> Option<f64> {
        let gains = self.rounds.iter().filter_map(|round| {
            round.unshared.map(|unshared| unshared.as_secs_f64() / round.engine.as_secs_f64())
        });
        let gains: Vec<f64> = gains.collect();
        (!gains.is_empty()).then(|| median(gains.into_iter()))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
