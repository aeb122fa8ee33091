//! The command line.

mod campaign_run;
mod cli;
mod commands;
mod engine_options;
mod exit;
mod output;
mod report;
mod settings;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
