//! `copymill report`: writes the report of a finished campaign again.

use std::path::PathBuf;

use clap::Args;
use copymill_campaign::CampaignKeys;

use crate::{campaign_run::OutputFolder, exit::Exit, output, report};

/// Write report.html of a finished campaign again
///
/// `run` writes the report when it finishes. This makes it anew from the files, for example after an update of the
/// program. It is one page without scripts that can be sent around.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill report examples/spring-sale/out/")]
pub(crate) struct Report {
    /// The campaign's output folder
    output: PathBuf,
}

impl Report {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let folder = OutputFolder::open_existing(self.output)?;
        report::write(folder.store.as_ref(), &CampaignKeys::alone()).await?;
        output::line(format_args!("{} written", folder.path.join("report.html").display()));
        Ok(Exit::Done)
    }
}
