//! `copymill bench`: the numbers that the documentation states, measured on this machine.

mod engine;
mod inputs;
mod machine;
mod pipeline;
mod recorder;
mod rounds;
mod run;

use clap::{Args, Subcommand};

use crate::{exit::Exit, settings::Settings};

/// Measure the engine, or everything around it
///
/// `bench engine` compares a run with a bare loop over llama.cpp, and prefix sharing with none. `bench pipeline` runs a
/// campaign of a million recipients with answers from a script, to see what reading, merging, rendering and writing
/// cost. Ratios come from one run; close other programs first.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    Engine(engine::EngineBench),
    Pipeline(pipeline::PipelineBench),
}

impl Bench {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        match self.subject {
            Subject::Engine(bench) => bench.execute(settings).await,
            Subject::Pipeline(bench) => bench.execute(settings).await,
        }
    }
}
