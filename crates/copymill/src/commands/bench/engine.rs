//! The engine beside a bare loop over llama.cpp, and with and without prefix sharing.

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use copymill_content::Content;
use copymill_engine::{
    LlamaEngine, Watch,
    bench::{Comparison, Round, Workload, compare, random_model},
};

use copymill_scheduler::{locate, prepare};

use super::pipeline::write_inputs;
use crate::{
    commands::cluster::places,
    engine_options::EngineOptions,
    exit::Exit,
    output::{self, QUIET, STRONG, item},
    settings::Settings,
};

/// Compare the engine with a bare loop over llama.cpp, and prefix sharing with none
///
/// Writes a model of GPT-2's shape (124 M parameters, Q8_0, random weights) and lets three systems take turns on the same
/// rows: the engine with constraints and checks, a bare loop that only decodes the tokens that the engine wrote, and the engine
/// without prefix sharing. What counts is the ratios, which come from one round each.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill bench engine --rows 32 --rounds 3")]
pub(super) struct EngineBench {
    /// Messages in a round
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// Rounds; the table shows the smallest, the middle and the largest value
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Leave out the engine without prefix sharing, which takes longest
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
        let model = folder.path().join("random-gpt2-124m.gguf");
        let places = places(settings)?;
        let vocabulary = locate("demo", None, folder.path(), &places).await?.path;
        output::note(format_args!("writing a random model of 124 M parameters to {}", model.display()));
        let written = model.clone();
        let writing = move || random_model::write(&written, random_model::Shape::GPT2_124M, &vocabulary);
        tokio::task::spawn_blocking(writing).await?.context("the random model cannot be written")?;
        let engine = self.engine.settings(&model);
        output::note(describe(engine.clone()).await?);
        write_inputs(folder.path(), 1).context("the temporary folder cannot be written")?;
        let content = Content::new(&prepare(&folder.path().join("campaign.yaml"), &places).await?.accepted)?;
        let workload = Workload { rows: self.rows, watch: Some(checks(&content)), ..Workload::default() };
        output::note(format_args!(
            "{} rounds of {} rows; a round takes a minute or two on two cores",
            self.rounds, self.rows
        ));
        let comparison = compare(&engine, &workload, self.rounds, !self.no_unshared).await?;
        print(&workload, &comparison);
        Ok(Exit::Done)
    }
}

/// The checks of a growing answer. They run and do not count: random tokens never pass them.
fn checks(content: &Content) -> Arc<dyn Watch> {
    let watch = content.watch(&[]);
    Arc::new(move |answer: &str| {
        std::hint::black_box(watch(answer));
        true
    })
}

/// What the engine says about itself on this machine.
async fn describe(settings: copymill_engine::LlamaSettings) -> anyhow::Result<String> {
    use copymill_engine::Engine;
    let loading = tokio::task::spawn_blocking(move || {
        LlamaEngine::load(&settings).map(|engine| engine.info().start_line.clone())
    });
    Ok(loading.await??)
}

fn print(workload: &Workload, comparison: &Comparison) {
    let Workload { rows, shared, own, generated, .. } = workload;
    output::line(format_args!(
        "{STRONG}engine{STRONG:#}: {rows} rows of {shared} shared + {own} own + {generated} generated tokens, GPT-2 124M, Q8_0"
    ));
    output::line(format_args!(
        "  {QUIET}{:NAMES$}  {:>9} {:>9} {:>9}{QUIET:#}",
        "", "smallest", "middle", "largest"
    ));
    let rows = f64::from(*rows);
    let seconds = |round: &Round| round.engine.as_secs_f64();
    row("messages/s", comparison, |round| Some(rows / seconds(round)));
    row("messages/s, bare loop", comparison, |round| Some(rows / round.bare.as_secs_f64()));
    row("messages/s, without prefix sharing", comparison, |round| Some(rows / round.unshared?.as_secs_f64()));
    row("speed as a share of the bare loop", comparison, |round| {
        Some(round.bare.as_secs_f64() / seconds(round))
    });
    row("gain by prefix sharing", comparison, |round| Some(round.unshared?.as_secs_f64() / seconds(round)));
    row("tokens/s", comparison, |round| Some(round.stats.generated_tokens as f64 / seconds(round)));
    row("slots in use", comparison, |round| {
        Some(round.stats.busy_slot_steps as f64 / round.stats.decode_steps.max(1) as f64)
    });
}

/// A line with the smallest, the middle and the largest of a value over the rounds.
fn row(name: &str, comparison: &Comparison, value: impl Fn(&Round) -> Option<f64>) {
    let mut values: Vec<f64> = comparison.rounds.iter().filter_map(value).collect();
    values.sort_by(f64::total_cmp);
    if let (Some(smallest), Some(middle), Some(largest)) =
        (values.first(), values.get(values.len() / 2), values.last())
    {
        let texts = [smallest, middle, largest].map(|value| format!("{value:>9.2}"));
        output::line(item(name, NAMES, texts.join(" ")));
    }
}
