//! `copymill pause`, `resume`, `cancel`, `approve` and `retry-rejected`: orders about one campaign.

use std::time::Duration;

use clap::Args;
use copymill_campaign::{Action, CampaignId, CampaignState};
use copymill_scheduler::office::{CampaignStatus, Office};

use super::Cluster;
use crate::{exit::Exit, output};

/// How long an order is followed until the leader has taken it.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Pause a campaign: what is being generated is finished, nothing more is begun
///
/// The campaign goes on with `copymill resume`, from where it stands, however long it rested.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill pause spring-sale")]
pub(crate) struct Pause {
    #[command(flatten)]
    target: Target,
}

/// Go on with a campaign that is paused or held
///
/// Nothing that was generated before is generated again.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill resume spring-sale")]
pub(crate) struct Resume {
    #[command(flatten)]
    target: Target,
}

/// End a campaign with what it has
///
/// Workers drop what they have of it. Its messages stay, and its manifest counts the others as unfinished. A campaign
/// that was cancelled cannot go on; submit it again instead.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill cancel spring-sale")]
pub(crate) struct Cancel {
    #[command(flatten)]
    target: Target,
}

/// Release the rest of a campaign whose pilot is done
///
/// A campaign with `pilot: N` generates its first N rows and waits. `copymill results` downloads them before. To send a
/// pilot back, change the campaign file and hand it in with `copymill submit --replaces CAMPAIGN`.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill approve spring-sale")]
pub(crate) struct Approve {
    #[command(flatten)]
    target: Target,
}

/// Try again what a completed campaign rejected
///
/// Every rejected message gets as many attempts as before, with new seeds. What was taken stays as it is: new objects are
/// written beside the old ones, then the manifest names them in their place. `copymill status` says `retrying` meanwhile.
#[derive(Args)]
#[command(after_help = "Example:\n  copymill retry-rejected spring-sale")]
pub(crate) struct RetryRejected {
    /// The campaign's id, or its name: the latest of that name
    campaign: String,
}

impl RetryRejected {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let cluster = Cluster::reach().await?;
        let id = cluster.campaign(&self.campaign).await?;
        let rejected = cluster.ordering().await?.retry_rejected(&id).await?;
        output::line(format_args!("{} of {id} are tried again", output::counted(rejected, "message")));
        Ok(Exit::Done)
    }
}

#[derive(Args)]
struct Target {
    /// The campaign's id, or its name: the latest of that name
    campaign: String,
}

impl Pause {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        self.target.order(Action::Pause, |_, now| now.paused).await
    }
}

impl Resume {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        self.target.order(Action::Resume, |before, now| !now.paused || now.resumes > before.resumes).await
    }
}

impl Cancel {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        self.target.order(Action::Cancel, |_, now| now.cancelling).await
    }
}

impl Approve {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        self.target.order(Action::Approve, |_, now| now.approved).await
    }
}

impl Target {
    /// Orders something, and waits until the leader has taken it, as its state before and after shows.
    async fn order(
        self,
        action: Action,
        is_taken: fn(&CampaignState, &CampaignState) -> bool,
    ) -> anyhow::Result<Exit> {
        let cluster = Cluster::reach().await?;
        let id = cluster.campaign(&self.campaign).await?;
        let office = cluster.ordering().await?;
        let before = office.status(&id).await?.state;
        let is_taken = |now: &CampaignState| is_taken(&before, now);
        office.order(&id, action).await?;
        let status = follow(&office, &id, is_taken).await?;
        if !is_taken(&status.state) && !status.state.phase.is_terminal() {
            output::warn("no scheduler took the order yet; it waits on the broker until one does");
            return Ok(Exit::Failed);
        }
        output::line(format_args!("{} ({id}) is {}", status.accepted.file.campaign, status.word()));
        Ok(Exit::Done)
    }
}

async fn follow(
    office: &Office,
    id: &CampaignId,
    is_taken: impl Fn(&CampaignState) -> bool,
) -> anyhow::Result<CampaignStatus> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let status = office.status(id).await?;
        if is_taken(&status.state) || status.state.phase.is_terminal() || tokio::time::Instant::now() > until
        {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
