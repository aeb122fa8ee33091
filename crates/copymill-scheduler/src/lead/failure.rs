//! Ending a campaign that cannot go on.

use std::collections::BTreeMap;

use copymill_campaign::{CampaignPhase, ChunkId, ChunkKind, ChunkResult};
use copymill_store::StoreError;

use super::{Ended, Leader, stage::read_output};
use crate::{finish, plan, state_file::StateFile};

impl Leader {
    /// Ends the campaign as failed, for a reason that people read, with a manifest of what is there.
    pub async fn fail(&self, why: &anyhow::Error) -> anyhow::Result<Ended> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        if state.state.phase.is_terminal() {
            return Ok(Ended::Failed);
        }
        tracing::error!(campaign = %self.campaign.id, error = format!("{why:#}"), "the campaign failed");
        let (messages, segments) =
            (self.stored(ChunkKind::Messages).await?, self.stored(ChunkKind::Segments).await?);
        state.state.failure = Some(format!("{why:#}"));
        let results = finish::Results { messages: &messages, segments: &segments };
        finish::end_early(self, &mut state, results, (CampaignPhase::Failed, self.campaign.source.records))
            .await?;
        Ok(Ended::Failed)
    }

    /// What stored output objects hold. One that is damaged may be why the campaign failed; it does not count.
    async fn stored(&self, kind: ChunkKind) -> anyhow::Result<BTreeMap<ChunkId, ChunkResult>> {
        let planned = plan::resume_point(self.store.as_ref(), &self.keys, kind).await?.chunk;
        let mut found = BTreeMap::new();
        for index in 0..planned {
            let chunk = ChunkId::whole(index);
            match read_output(&self.store, &self.keys, kind, &chunk).await {
                Ok(Some(result)) => drop(found.insert(chunk, result)),
                Ok(None) => {}
                Err(error) if error.chain().any(|cause| cause.is::<StoreError>()) => return Err(error),
                Err(error) => {
                    tracing::warn!(%chunk, error = format!("{error:#}"), "an output does not count")
                }
            }
        }
        Ok(found)
    }
}
