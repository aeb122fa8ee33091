//! Ending a campaign that cannot go on, or that somebody ends before it is led.

use std::collections::{BTreeMap, BTreeSet};

use copymill_campaign::{
    Action, BROADCAST_TOPIC, CampaignPhase, ChunkId, ChunkJob, ChunkKind, ChunkResult, Order,
};

use super::{
    Ended, Leader,
    stage::{Output, read_output},
};
use crate::{
    finish::{self, REMADE},
    plan,
    state_file::StateFile,
};

impl Leader {
    /// Ends the campaign as failed, for a reason that people read, with a manifest of what is there.
    pub async fn fail(&self, why: &anyhow::Error) -> anyhow::Result<Ended> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        if state.state.phase.is_terminal() {
            if state.state.reworking.take().is_some() {
                // What is in force stays so; who asks again has it tried again.
                tracing::error!(campaign.id = %self.campaign.id, error = format!("{why:#}"), "trying again failed");
                state.save(&self.lease).await?;
            }
            return Ok(Ended::Failed);
        }
        tracing::error!(campaign.id = %self.campaign.id, error = format!("{why:#}"), "the campaign failed");
        state.state.failure = Some(format!("{why:#}"));
        self.end(&mut state, CampaignPhase::Failed).await?;
        Ok(Ended::Failed)
    }

    /// Ends the campaign in a phase, with a manifest of what is there.
    pub(super) async fn end(&self, state: &mut StateFile, phase: CampaignPhase) -> anyhow::Result<()> {
        let remade = self.remade().await?;
        let messages = self.stored(ChunkKind::Messages, &remade).await?;
        let segments = self.stored(ChunkKind::Segments, &BTreeSet::new()).await?;
        let results = finish::Results { messages: &messages, segments: &segments, remade: &remade };
        finish::end_early(self, state, results, (phase, self.campaign.source.records)).await?;
        self.tell_workers().await
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
                    tracing::warn!(campaign.id = %self.campaign.id, chunk.id = %chunk, error = format!("{damage:#}"), "an output does not count");
                }
            }
        }
        Ok(found)
    }
}
