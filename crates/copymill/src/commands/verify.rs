//! `copymill verify`: proves a finished campaign from its files alone.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use copymill_campaign::CampaignKeys;
use copymill_store::Store;

use crate::{
    campaign_run::OutputFolder,
    commands::cluster::Cluster,
    exit::Exit,
    output::{self, BAD, GOOD},
    verify,
};

/// Recount a finished campaign from its files alone
///
/// Reads every object again: checksums, row ranges, one line per recipient and variant, outcomes, totals. Ends with 0
/// where everything adds up, and with 1 where something is missing, double or altered, or the campaign is unfinished.
#[derive(Args)]
#[command(after_help = "Examples:\n  copymill verify examples/spring-sale/out/\n  copymill verify \
s3://bucket/prefix/campaigns/01JD8ZK3M4Q5R6S7T8V9W0X1Y2\n  copymill verify 01JD8ZK3M4Q5R6S7T8V9W0X1Y2\n  copymill verify spring-sale")]
pub(crate) struct Verify {
    /// The campaign's output folder, its address in a bucket, or on the cluster its id, or its name: the latest of that name
    campaign: String,
}

impl Verify {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let (store, keys) = self.find().await?;
        let verdict = verify::verify(store.as_ref(), &keys).await?;
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

    async fn find(self) -> anyhow::Result<(Arc<dyn Store>, CampaignKeys)> {
        if let Ok(id) = self.campaign.parse() {
            return Ok((Cluster::reach().await?.store().clone(), CampaignKeys::of(&id)));
        }
        if self.campaign.starts_with("s3://") {
            return Ok((Cluster::bucket(&self.campaign).await?, CampaignKeys::alone()));
        }
        let path = PathBuf::from(&self.campaign);
        if !path.exists() && !self.campaign.contains('/') && Cluster::is_set()? {
            let cluster = Cluster::reach().await?;
            let keys = CampaignKeys::of(&cluster.campaign(&self.campaign).await?);
            return Ok((cluster.store().clone(), keys));
        }
        let folder = OutputFolder::open_existing(path)?;
        Ok((folder.store, CampaignKeys::alone()))
    }
}
