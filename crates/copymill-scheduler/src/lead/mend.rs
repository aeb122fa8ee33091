//! Objects that were damaged: inputs are cut again, from the same audience, and outputs have one of the next generation.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context, bail};
use copymill_campaign::{CampaignKeys, ChunkHeader, ChunkId, ChunkKind, decode_header, decode_input};
use copymill_store::{Condition, Put};
use copymill_suppression::CampaignList;
use tokio::sync::mpsc;

use super::{Leader, stage::Stage};
use crate::{
    finish::REMADE,
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
        tracing::warn!(campaign.id = %leader.campaign.id, chunk.id = %chunk, "the input of a chunk is damaged: it is cut again");
        let cut = recut(leader, recutting, chunk.index).await?;
        leader.lease.check().await?;
        match leader.store.put(&key, cut.object, Condition::IfMatch(stored.etag)).await? {
            Put::Stored(_) => Ok(()),
            Put::Refused => Err(LeaseError::Overtaken { key }.into()),
        }
    }
}

/// Cuts one chunk again, from the nearest chunk before it that is whole. Reads the audience twice: once for duplicates.
async fn recut(leader: &Leader, recutting: &Recutting, index: u32) -> anyhow::Result<CutChunk> {
    let mut from = ResumePoint { chunk: index, records: 0 };
    while let Some(before) = from.chunk.checked_sub(1) {
        if let Some(header) = header(leader, before).await? {
            from.records = header.records_read;
            break;
        }
        from.chunk = before;
    }
    let (file, campaign) = (recutting.file.clone(), leader.campaign.clone());
    let (suppression, rows_per_chunk) = (recutting.suppression.clone(), recutting.rows_per_chunk);
    let (sender, mut chunks) = mpsc::channel(1);
    let cutting = tokio::task::spawn_blocking(move || {
        let Source { file, options, duplicates, .. } = Source::scan(file, &campaign.file)?;
        let (source, campaign) = (file, Arc::clone(&campaign));
        let plan = MessagePlan { campaign, source, options, duplicates, suppression, rows_per_chunk, from };
        plan::cut_messages(plan, &sender)
    });
    let mut cut = chunks.recv().await;
    while cut.as_ref().is_some_and(|cut| cut.header.chunk.index < index) {
        cut = chunks.recv().await;
    }
    drop(chunks);
    cutting.await.context("cutting a chunk again ended unexpectedly")??;
    let cut = cut.with_context(|| format!("the audience ends before chunk {index}"))?;
    if let Some(next) = header(leader, index + 1).await?
        && next.rows.0 != cut.header.rows.1
    {
        bail!("chunk {index} was cut in another way before; restore its input");
    }
    Ok(cut)
}

/// The header of a chunk's input; none where there is none that can be read.
async fn header(leader: &Leader, index: u32) -> anyhow::Result<Option<ChunkHeader>> {
    let key = leader.keys.input(ChunkKind::Messages, &ChunkId::whole(index));
    let object = leader.store.get(&key).await?;
    Ok(object.and_then(|object| decode_header(&object.body).ok()))
}

impl Leader {
    /// Chunks of messages that have an object of the next generation, because their first one was damaged: that one
    /// counts, whatever became of the first.
    pub(super) async fn remade(&self) -> anyhow::Result<BTreeSet<ChunkId>> {
        let (prefix, mut after) = (self.keys.output_prefix(ChunkKind::Messages), None);
        let mut found = BTreeSet::new();
        loop {
            let page = self.store.list(&prefix, after.as_deref()).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.key.clone());
            let remade = page.iter().filter(|listed| CampaignKeys::generation_of(&listed.key) == REMADE);
            found.extend(remade.filter_map(|listed| CampaignKeys::chunk_of(&listed.key)));
        }
    }
}
