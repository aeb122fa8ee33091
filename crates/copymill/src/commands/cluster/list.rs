//! `copymill list`: the campaigns of a cluster.

use clap::Args;
use copymill_scheduler::office::CampaignStatus;

use super::Cluster;
use crate::{
    exit::Exit,
    output::{self, STRONG},
};

/// Name the campaigns of a cluster
///
/// The oldest first: id, name, where it stands, messages with an outcome and in all, when it was accepted.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill list --json")]
pub(crate) struct List {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let campaigns = Cluster::reach().await?.looking().list().await?;
        if self.json {
            campaigns.iter().for_each(|campaign| output::line(campaign.summary()));
            return Ok(Exit::Done);
        }
        if campaigns.is_empty() {
            output::note("no campaign was submitted yet");
            return Ok(Exit::Done);
        }
        let head = format!("{:26}  {:24}  {:12}  {:>21}  accepted", "id", "name", "state", "messages");
        output::line(format_args!("{STRONG}{head}{STRONG:#}"));
        campaigns.iter().for_each(|campaign| output::line(row(campaign)));
        Ok(Exit::Done)
    }
}

fn row(campaign: &CampaignStatus) -> String {
    let accepted = &campaign.accepted;
    let messages = format!("{} / {}", output::count(campaign.done()), output::count(campaign.messages()));
    let when = accepted.accepted_at.get(..16).unwrap_or_default().replace('T', " ");
    format!("{}  {:24}  {:12}  {messages:>21}  {when}", accepted.id, accepted.file.campaign, campaign.word())
}
