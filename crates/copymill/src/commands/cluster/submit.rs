//! `copymill submit`: hands a campaign to a cluster.

use std::path::PathBuf;

use clap::Args;
use copymill_scheduler::{office::Submission, prepare};

use super::{Cluster, places, status};
use crate::{exit::Exit, output, settings::Settings};

/// Hand a campaign to a cluster
///
/// Checks the campaign as `validate` does, copies its audience into the cluster's store and tells the scheduler.
/// Prints the campaign's id. The same campaign with the same idempotency key is submitted once, however often this runs;
/// the key with another campaign is an error.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill submit campaign.yaml --watch\n\nThe cluster is the one that \
COPYMILL_STORE__URL and COPYMILL_BROKER__URL name, or the settings file in COPYMILL_CONFIG.")]
pub(crate) struct Submit {
    /// The campaign file
    campaign: PathBuf,
    /// Makes repeating this command harmless
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Cancels a campaign, such as one whose pilot is sent back, and is in its place: its id or name
    #[arg(long, value_name = "CAMPAIGN")]
    replaces: Option<String>,
    /// Shows progress until the campaign has ended
    #[arg(long)]
    watch: bool,
}

impl Submit {
    pub(crate) async fn execute(self, settings: &Settings) -> anyhow::Result<Exit> {
        let cluster = Cluster::reach().await?;
        let prepared = prepare(&self.campaign, &places(settings)?).await?;
        prepared.warnings().iter().for_each(output::warn);
        let office = cluster.ordering().await?;
        let replaces = match &self.replaces {
            Some(named) => Some(cluster.campaign(named).await?),
            None => None,
        };
        let submission = Submission { idempotency_key: self.idempotency_key, replaces };
        let submitted = office.submit(&prepared, &submission).await?;
        if submitted.is_new {
            output::note(format_args!(
                "{}, {}",
                prepared.accepted.file.campaign,
                output::counted(prepared.messages(), "message")
            ));
        } else {
            output::note("the same campaign was submitted before; this is its id");
        }
        output::line(&submitted.id);
        if self.watch { status::watch(&cluster, Some(submitted.id)).await } else { Ok(Exit::Done) }
    }
}
