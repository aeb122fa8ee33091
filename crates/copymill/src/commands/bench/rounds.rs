//! A run, the bare loop on the tokens that it wrote, and the run without prefix sharing, in turns.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use copymill_engine::{
    Engine, EngineStats, LlamaSettings,
    bench::{Replay, replay},
};
use copymill_scheduler::prepare;
use copymill_service::Shutdown;
use copymill_store::{FolderStore, Store};
use copymill_worker::{Generator, load_model};

use super::{recorder::Recorder, run::complete};
use crate::{commands::cluster::places, settings::Settings};

/// One turn of every system on the same rows.
pub(super) struct Round {
    /// The run as it is set.
    pub(super) run: Duration,
    /// The bare loop on the tokens that the run wrote.
    pub(super) bare: Duration,
    /// The run without prefix sharing, where it was asked for.
    pub(super) unshared: Option<Duration>,
    /// The engine's counters after the first of them.
    pub(super) stats: EngineStats,
    /// What the first of them read and wrote.
    pub(super) tokens: Tokens,
}

/// Tokens of a row, in the middle of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    /// Of the prompt, the same for all rows.
    pub(super) shared: usize,
    /// Of the prompt, after these.
    pub(super) own: usize,
    /// Of the answer.
    pub(super) generated: usize,
}

impl Tokens {
    fn of(replay: &Replay) -> Self {
        let middle = |mut lengths: Vec<usize>| {
            lengths.sort_unstable();
            lengths.get(lengths.len() / 2).copied().unwrap_or_default()
        };
        Self {
            shared: replay.shared.len(),
            own: middle(replay.rows.iter().map(|row| row.own.len()).collect()),
            generated: middle(replay.rows.iter().map(|row| row.generated.len()).collect()),
        }
    }
}

/// What is measured: the campaign of a folder, by an engine with these settings.
pub(super) struct Rig<'a> {
    pub(super) folder: &'a Path,
    pub(super) engine: LlamaSettings,
    pub(super) settings: &'a Settings,
    pub(super) shutdown: Shutdown,
}

impl Rig<'_> {
    /// Lets the systems take their turn; the run without sharing takes longest.
    pub(super) async fn round(&self, unshared: bool) -> anyhow::Result<Round> {
        let (run, recorder) = self.run(&self.engine).await?;
        let (stats, written) = (recorder.stats(), recorder.replay());
        drop(recorder);
        let (tokens, engine) = (Tokens::of(&written), self.engine.clone());
        let bare = tokio::task::spawn_blocking(move || replay(&engine, &written)).await??;
        let unshared = if unshared {
            let engine = LlamaSettings { share_prefixes: false, ..self.engine.clone() };
            Some(self.run(&engine).await?.0)
        } else {
            None
        };
        Ok(Round { run, bare, unshared, stats, tokens })
    }

    /// Runs the campaign once, in a folder of its own; reading files and loading the model are not counted.
    async fn run(&self, engine: &LlamaSettings) -> anyhow::Result<(Duration, Arc<Recorder>)> {
        let prepared = prepare(&self.folder.join("campaign.yaml"), &places(self.settings)?).await?;
        let model = load_model(&prepared.checked.model, engine.clone()).await?;
        let recorder = Arc::new(Recorder::new(model.engine));
        let generator =
            Generator { engine: recorder.clone(), encoder: model.encoder, progress: Arc::default() };
        let output = tempfile::tempdir_in(self.folder).context("no temporary folder can be made")?;
        let store: Arc<dyn Store> = Arc::new(FolderStore::open(output.path())?);
        let run = complete(store, prepared, generator, self.shutdown.clone(), &self.settings.log).await?;
        Ok((run, recorder))
    }
}
