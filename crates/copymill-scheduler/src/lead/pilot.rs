//! Pilots: the first rows are generated and shown, the rest waits until somebody approves.

use anyhow::Context;
use copymill_campaign::{CampaignKeys, CampaignPhase, ChunkId, ChunkKind, decode_header};
use copymill_store::Store;

use super::{Leader, stage::Stage};
use crate::state_file::StateFile;

impl Leader {
    /// Rows of a pilot that was not approved yet; none where nothing waits for one.
    pub(super) fn pilot(&self, state: &StateFile) -> Option<u64> {
        self.campaign.file.pilot.filter(|_| self.is_attended && !state.state.approved)
    }

    /// Moves on to the next phase where everything that it waits for is there.
    pub(super) async fn advance(&self, stage: &Stage, state: &mut StateFile) -> anyhow::Result<()> {
        if stage.kind != ChunkKind::Messages {
            return Ok(());
        }
        let next = match state.state.phase {
            CampaignPhase::Planning if stage.cut_all && self.pilot(state).is_some() => CampaignPhase::Pilot,
            CampaignPhase::Planning if stage.cut_all => CampaignPhase::Running,
            CampaignPhase::Pilot if stage.tracker.is_limit_reached() => CampaignPhase::AwaitingApproval,
            _ => return Ok(()),
        };
        state.state.advance(next)?;
        tracing::info!(campaign.id = %self.campaign.id, phase = next.as_str(), "a campaign goes on");
        state.save(&self.lease).await
    }

    /// Takes an approval, and says whether what waits for it is released. One that comes twice, or too early, changes
    /// nothing.
    pub(super) fn approve(&self, state: &mut StateFile) -> anyhow::Result<bool> {
        if state.state.phase != CampaignPhase::AwaitingApproval {
            tracing::warn!(
                campaign.id = %self.campaign.id,
                phase = state.state.phase.as_str(),
                "there is nothing to approve"
            );
            return Ok(false);
        }
        state.state.advance(CampaignPhase::Running)?;
        state.state.approved = true;
        Ok(true)
    }
}

/// How many of the chunks that are cut already make the pilot; none where later ones belong to it, too.
pub(super) async fn chunks_of_pilot(
    store: &dyn Store,
    keys: &CampaignKeys,
    rows: u64,
    cut: u32,
) -> anyhow::Result<Option<u32>> {
    for index in 0..cut {
        let key = keys.input(ChunkKind::Messages, &ChunkId::whole(index));
        let object = store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        // One that is damaged is cut again later; the chunk after it says as well where the pilot ends.
        let Ok(header) = decode_header(&object.body) else { continue };
        if header.rows.1 >= rows {
            return Ok(Some(index + 1));
        }
    }
    Ok(None)
}
