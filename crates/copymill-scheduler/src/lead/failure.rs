//! Campaigns that cannot go on: they wait for somebody who mends what failed, or end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use copymill_campaign::{
    Action, BROADCAST_TOPIC, CampaignPhase, ChunkId, ChunkJob, ChunkKind, ChunkResult, Order,
};

use super::{
    Ended, Leader,
    stage::{Output, Stage, read_output},
};
use crate::{
    finish::{self, REMADE},
    plan,
    state_file::StateFile,
};

impl Leader {
    /// Holds a campaign whose chunk no worker can finish until somebody resumes it: what is outside of it failed, such as
    /// a suppression list that cannot be read. Where nobody gives orders, the campaign ends.
    pub(super) async fn hold(&self, state: &mut StateFile, why: String) -> anyhow::Result<()> {
        if !self.is_attended {
            bail!(why);
        }
        if state.state.held.is_some() {
            return Ok(());
        }
        tracing::error!(campaign = %self.campaign.id, error = why, "the campaign is held until it is resumed");
        state.state.paused = true;
        state.state.held = Some(why);
        state.save(&self.lease).await
    }

    /// Lets a campaign go on that was paused or held; what failed before is tried anew.
    pub(super) fn resume(&self, stage: &mut Stage, state: &mut StateFile) {
        state.state.paused = false;
        if state.state.held.take().is_some() {
            stage.tracker.forgive();
        }
    }

    /// Ends the campaign as failed, for a reason that people read, with a manifest of what is there.
    pub async fn fail(&self, why: &anyhow::Error) -> anyhow::Result<Ended> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        if state.state.phase.is_terminal() {
            if state.state.reworking.take().is_some() {
                // What is in force stays so; who asks again has it tried again.
                tracing::error!(campaign = %self.campaign.id, error = format!("{why:#}"), "trying again failed");
                state.save(&self.lease).await?;
            }
            return Ok(Ended::Failed);
        }
        tracing::error!(campaign = %self.campaign.id, error = format!("{why:#}"), "the campaign failed");
        let remade = self.remade().await?;
        let messages = self.stored(ChunkKind::Messages, &remade).await?;
        let segments = self.stored(ChunkKind::Segments, &BTreeSet::new()).await?;
        state.state.failure = Some(format!("{why:#}"));
        let results = finish::Results { messages: &messages, segments: &segments, remade: &remade };
        finish::end_early(self, &mut state, results, (CampaignPhase::Failed, self.campaign.source.records))
            .await?;
        self.tell_workers().await?;
        Ok(Ended::Failed)
    }

    /// Lets workers drop what they have in hand of a campaign that has ended.
    async fn tell_workers(&self) -> anyhow::Result<()> {
        let order = Order { v: 1, campaign: self.campaign.id.clone(), action: Action::Cancel };
        Ok(self.broker.broadcast(BROADCAST_TOPIC, serde_json::to_vec(&order)?.into()).await?)
    }

    /// The job of a chunk.
    fn job(&self, kind: ChunkKind, chunk: &ChunkId, generation: u32) -> ChunkJob {
        let (campaign, root) = (self.campaign.id.clone(), self.keys.root().to_owned());
        let (chunk, suspect, again) = (chunk.clone(), false, None);
        ChunkJob { v: 1, campaign, root, kind, chunk, suspect, generation, again }
    }

    /// What stored output objects hold. One that is damaged may be why the campaign failed; it does not count.
    async fn stored(
        &self,
        kind: ChunkKind,
        remade: &BTreeSet<ChunkId>,
    ) -> anyhow::Result<BTreeMap<ChunkId, ChunkResult>> {
        let planned = plan::resume_point(self.store.as_ref(), &self.keys, kind).await?.chunk;
        let mut found = BTreeMap::new();
        let mut to_look_at: Vec<ChunkId> = (0..planned).rev().map(ChunkId::whole).collect();
        while let Some(chunk) = to_look_at.pop() {
            let generation = if remade.contains(&chunk) { REMADE } else { 1 };
            match read_output(&self.store, &self.keys, &self.job(kind, &chunk, generation)).await? {
                Output::Lines(result) => drop(found.insert(chunk, result)),
                Output::Split => to_look_at.extend(chunk.halves()),
                Output::Missing => {}
                Output::Damaged(damage) => {
                    tracing::warn!(%chunk, error = format!("{damage:#}"), "an output does not count");
                }
            }
        }
        Ok(found)
    }
}
