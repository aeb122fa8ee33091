//! `copymill verify`: proves a finished campaign from its files alone.

use std::path::PathBuf;

use clap::Args;
use copymill_campaign::CampaignKeys;

use crate::{
    campaign_run::OutputFolder,
    exit::Exit,
    output::{self, BAD, GOOD},
    verify,
};

/// Recount a finished campaign from its files alone
///
/// Reads every object again: checksums, row ranges, one line per recipient and variant, outcomes, totals. Ends with 0
/// where everything adds up, and with 1 where something is missing, double or altered, or the campaign is unfinished.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill verify examples/spring-sale/out/")]
pub(crate) struct Verify {
    /// The campaign's output folder
    output: PathBuf,
}

impl Verify {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let folder = OutputFolder::open_existing(self.output)?;
        let verdict = verify::verify(folder.store.as_ref(), &CampaignKeys::alone()).await?;
        let verified = verdict.is_verified();
        let style = if verified { GOOD } else { BAD };
        let text = verdict.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        output::line(format_args!("{style}{first}{style:#}"));
        if !rest.is_empty() {
            output::line(rest);
        }
        Ok(if verified { Exit::Done } else { Exit::Failed })
    }
}
