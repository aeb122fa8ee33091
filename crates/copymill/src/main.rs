//! The command line.

mod campaign_run;
mod cli;
mod commands;
mod exit;
mod model;
mod output;
mod report;
mod settings;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
