//! Input objects that were damaged: cut again, from the same audience.

use std::sync::Arc;

use anyhow::{Context, bail};
use copymill_campaign::{ChunkId, ChunkKind, decode_header, decode_input};
use copymill_store::{Condition, Put};
use copymill_suppression::CampaignList;
use tokio::sync::mpsc;

use super::{Leader, stage::Stage};
use crate::{
    lease::LeaseError,
    plan::{self, CutChunk, MessagePlan, ResumePoint},
    source::{Source, SourceFile},
};

/// What cutting one chunk again needs.
pub(super) struct Recutting {
    file: SourceFile,
    suppression: Option<CampaignList>,
    rows_per_chunk: u64,
}

impl Recutting {
    pub(super) fn of(plan: &MessagePlan) -> Self {
        let (file, suppression) = (plan.source.clone(), plan.suppression.clone());
        Self { file, suppression, rows_per_chunk: plan.rows_per_chunk }
    }
}

impl Stage {
    /// Looks at the input of a chunk that failed before, and cuts it again where it is damaged.
    pub(super) async fn mend_input(&self, leader: &Leader, chunk: &ChunkId) -> anyhow::Result<()> {
        let Some(recutting) = self.recutting.as_ref().filter(|_| self.tracker.has_failed(chunk)) else {
            return Ok(());
        };
        let whole = ChunkId::whole(chunk.index);
        let key = leader.keys.input(ChunkKind::Messages, &whole);
        let stored = leader.store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        if decode_input(&stored.body).is_ok() {
            return Ok(());
        }
        tracing::warn!(campaign = %leader.campaign.id, %chunk, "the input of a chunk is damaged: it is cut again");
        let cut = recut(leader, recutting, chunk.index).await?;
        leader.lease.check().await?;
        match leader.store.put(&key, cut.object, Condition::IfMatch(stored.etag)).await? {
            Put::Stored(_) => Ok(()),
            Put::Refused => Err(LeaseError::Overtaken { key }.into()),
        }
    }
}

/// Reads the audience once more, up to the end of the chunk.
async fn recut(leader: &Leader, recutting: &Recutting, index: u32) -> anyhow::Result<CutChunk> {
    let records = match index.checked_sub(1) {
        Some(before) => header(leader, before).await?.context("the chunk before is missing")?.1,
        None => 0,
    };
    let (file, campaign) = (recutting.file.clone(), leader.campaign.clone());
    let (suppression, rows_per_chunk) = (recutting.suppression.clone(), recutting.rows_per_chunk);
    let from = ResumePoint { chunk: index, records };
    let (sender, mut chunks) = mpsc::channel(1);
    let cutting = tokio::task::spawn_blocking(move || {
        let Source { file, options, duplicates, .. } = Source::scan(file, &campaign.file)?;
        let (source, campaign) = (file, Arc::clone(&campaign));
        let plan = MessagePlan { campaign, source, options, duplicates, suppression, rows_per_chunk, from };
        plan::cut_messages(plan, &sender)
    });
    let cut = chunks.recv().await;
    drop(chunks);
    cutting.await.context("cutting a chunk again ended unexpectedly")??;
    let cut = cut.with_context(|| format!("the audience ends before chunk {index}"))?;
    if let Some(next) = header(leader, index + 1).await?
        && next.0 != cut.header.rows.1
    {
        bail!("chunk {index} was cut in another way before; restore its input");
    }
    Ok(cut)
}

/// First row of a chunk, and the records that were read when it ended.
async fn header(leader: &Leader, index: u32) -> anyhow::Result<Option<(u64, u64)>> {
    let key = leader.keys.input(ChunkKind::Messages, &ChunkId::whole(index));
    let Some(object) = leader.store.get(&key).await? else { return Ok(None) };
    let header = decode_header(&object.body).with_context(|| format!("{key} is damaged"))?;
    Ok(Some((header.rows.0, header.records_read)))
}
