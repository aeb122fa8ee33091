//! `make cluster` and `make cluster-down`.

use std::{path::Path, process::ExitCode};

use copymill_tests::local_cluster::{down, here, keep, up};

const USAGE: &str = "local-cluster up CAMPAIGN.yaml | down";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["up", campaign] => up(&here()?, Path::new(campaign))?,
        ["down"] => down(&here()?)?,
        // What `up` starts in the background.
        ["keep"] => keep(here()?).await?,
        _ => anyhow::bail!("usage: {USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
