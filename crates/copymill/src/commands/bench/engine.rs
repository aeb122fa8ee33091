//! A run beside a bare loop over llama.cpp, and with and without prefix sharing.

use anyhow::Context;
use clap::Args;
use copymill_engine::{LlamaEngine, LlamaSettings, bench::random_model};
use copymill_scheduler::locate;
use copymill_service::Shutdown;

use super::{
    inputs,
    rounds::{Rig, Round},
};
use crate::{
    commands::cluster::places,
    engine_options::EngineOptions,
    exit::Exit,
    output::{self, QUIET, STRONG, item},
    settings::Settings,
};

/// Compare a run with a bare loop over llama.cpp, and prefix sharing with none
///
/// Writes a model of GPT-2's shape (124 M parameters, Q8_0, random weights) and lets three systems take turns on the same
/// rows: a campaign as `run` works on it, a bare loop that only decodes the tokens that the campaign's messages took, and
/// the campaign without prefix sharing. What counts is the ratios, which come from one round each.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill bench engine --rows 32 --rounds 3")]
pub(super) struct EngineBench {
    /// Messages in a round
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// Rounds; the table shows the smallest, the middle and the largest value
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Leave out the run without prefix sharing, which takes longest
    #[arg(long)]
    no_unshared: bool,
    #[command(flatten)]
    engine: EngineOptions,
}

/// Width of the names on the left.
const NAMES: usize = 36;

impl EngineBench {
    pub(super) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let model = folder.path().join(inputs::RANDOM_MODEL);
        let vocabulary = locate("demo", None, folder.path(), &places(settings)?).await?.path;
        output::note(format_args!("writing a random model of 124 M parameters to {}", model.display()));
        let written = model.clone();
        let writing = move || random_model::write(&written, random_model::Shape::GPT2_124M, &vocabulary);
        tokio::task::spawn_blocking(writing).await?.context("the random model cannot be written")?;
        inputs::write(folder.path(), &inputs::rows(), self.rows.into())
            .context("the temporary folder cannot be written")?;
        let engine = self.engine.settings(&model);
        output::note(describe(engine.clone()).await?);
        let rig = Rig { folder: folder.path(), engine, settings, shutdown: Shutdown::install()? };
        let mut rounds = Vec::new();
        for number in 1..=self.rounds {
            output::note(format_args!("round {number} of {}: a minute or two on two cores", self.rounds));
            rounds.push(rig.round(!self.no_unshared).await?);
        }
        print(f64::from(self.rows), &rounds);
        Ok(Exit::Done)
    }
}

/// What the engine says about itself on this machine.
async fn describe(settings: LlamaSettings) -> anyhow::Result<String> {
    use copymill_engine::Engine;
    let loading = tokio::task::spawn_blocking(move || {
        LlamaEngine::load(&settings).map(|engine| engine.info().start_line.clone())
    });
    Ok(loading.await??)
}

fn print(rows: f64, rounds: &[Round]) {
    let Some(tokens) = rounds.first().map(|round| round.tokens) else { return };
    output::line(format_args!(
        "{STRONG}engine{STRONG:#}: {rows} rows of {} shared + {} own + {} generated tokens, GPT-2 124M, Q8_0",
        tokens.shared, tokens.own, tokens.generated
    ));
    output::line(format_args!(
        "  {QUIET}{:NAMES$}  {:>9} {:>9} {:>9}{QUIET:#}",
        "", "smallest", "middle", "largest"
    ));
    let seconds = |round: &Round| round.run.as_secs_f64();
    let row = |name, value: &dyn Fn(&Round) -> Option<f64>| row(name, rounds, value);
    row("messages/s", &|round| Some(rows / seconds(round)));
    row("messages/s, bare loop", &|round| Some(rows / round.bare.as_secs_f64()));
    row("messages/s, without prefix sharing", &|round| Some(rows / round.unshared?.as_secs_f64()));
    row("speed as a share of the bare loop", &|round| Some(round.bare.as_secs_f64() / seconds(round)));
    row("gain by prefix sharing", &|round| Some(round.unshared?.as_secs_f64() / seconds(round)));
    row("tokens/s", &|round| Some(round.stats.generated_tokens as f64 / seconds(round)));
    row("slots in use", &|round| {
        Some(round.stats.busy_slot_steps as f64 / round.stats.decode_steps.max(1) as f64)
    });
}

/// A line with the smallest, the middle and the largest of a value over the rounds.
fn row(name: &str, rounds: &[Round], value: &dyn Fn(&Round) -> Option<f64>) {
    let mut values: Vec<f64> = rounds.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    if let (Some(smallest), Some(middle), Some(largest)) =
        (values.first(), values.get(values.len() / 2), values.last())
    {
        let texts = [smallest, middle, largest].map(|value| format!("{value:>9.2}"));
        output::line(item(name, NAMES, texts.join(" ")));
    }
}
