//! Working one chunk: from its job to what its output object holds.

use std::sync::Arc;

use anyhow::Context;
use copymill_campaign::{
    ChunkHeader, ChunkId, ChunkJob, ChunkKind, ChunkResult, InputRow, Outcome, count_messages,
    count_segments, decode_header, decode_input, is_split,
};
use copymill_engine::EngineError;
use copymill_store::{Condition, Put, Store};
use copymill_suppression::{CampaignList, Lists};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};
use tokio::sync::Semaphore;

use crate::{
    campaigns::LoadedCampaign,
    merge::Merging,
    output::{OutputObject, message_line, segment_line},
    patience::Patience,
    rework::Rework,
    settle::{Generator, Rules, Settled, Subject},
};

/// Rows of one chunk that are looked at at once; the engine's slots decide how many are decoded.
pub(crate) const ROWS_AT_ONCE: usize = 256;

/// A chunk whose input is at hand.
pub struct Chunk {
    /// The job.
    pub job: ChunkJob,
    /// Its campaign.
    pub campaign: Arc<LoadedCampaign>,
    /// Its header.
    pub header: ChunkHeader,
    /// Its rows.
    pub rows: Vec<InputRow>,
}

/// Where outputs go.
pub struct Storing {
    /// The store.
    pub store: Arc<dyn Store>,
    /// How long a put is tried again.
    pub patience: Patience,
    /// Where suppression lists are found.
    pub lists: Lists,
}

/// What a chunk's output object says.
pub enum Stored {
    /// What its lines hold.
    Lines(ChunkResult),
    /// That the chunk was split: its parts have objects of their own.
    Split,
}

/// Fetches a chunk's rows; those of a part are in the input of the whole chunk.
pub async fn load(store: &dyn Store, job: ChunkJob, campaign: Arc<LoadedCampaign>) -> anyhow::Result<Chunk> {
    let key = campaign.keys.input(job.kind, &ChunkId::whole(job.chunk.index));
    let object = store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
    let (mut header, mut rows) = decode_input(&object.body).with_context(|| format!("{key} is damaged"))?;
    let part = job.chunk.rows_of(rows.len());
    header.rows = (header.rows.0 + part.start as u64, header.rows.0 + part.end as u64);
    rows.truncate(part.end);
    rows.drain(..part.start);
    Ok(Chunk { job, campaign, header, rows })
}

/// What the chunk's output object says where it is stored already.
pub async fn stored(
    store: &dyn Store,
    job: &ChunkJob,
    campaign: &LoadedCampaign,
) -> anyhow::Result<Option<Stored>> {
    let key = campaign.keys.output_of(job.kind, &job.chunk, job.generation);
    let Some(object) = store.get(&key).await? else { return Ok(None) };
    if is_split(&object.body) {
        return Ok(Some(Stored::Split));
    }
    let result = match job.kind {
        ChunkKind::Messages => count_messages(&object.body),
        ChunkKind::Segments => {
            let input = campaign.keys.input(job.kind, &ChunkId::whole(job.chunk.index));
            let header = store.get(&input).await?.with_context(|| format!("{input} is missing"))?;
            let rows = decode_header(&header.body).with_context(|| format!("{input} is damaged"))?.rows;
            let part = job.chunk.rows_of((rows.1 - rows.0) as usize);
            count_segments(&object.body, rows.0 + part.start as u64)
        }
    };
    Ok(Some(Stored::Lines(result.with_context(|| format!("{key} is damaged"))?)))
}

impl Chunk {
    /// Settles every row and stores the output object. `room` holds a permit per message that may be under way.
    pub async fn work(
        self,
        storing: &Storing,
        generator: &Generator,
        room: &Semaphore,
    ) -> anyhow::Result<Stored> {
        let key = self.output_key();
        let (job, campaign) = (self.job.clone(), self.campaign.clone());
        let (object, result) = match self.job.kind {
            kind if self.job.again.is_some() => self.rework(kind, storing, generator, room).await?,
            ChunkKind::Segments => self.generate_segments(generator, room).await?,
            ChunkKind::Messages if self.campaign.accepted.segmented => {
                self.merge(storing, generator, room).await?
            }
            ChunkKind::Messages => self.generate_messages(storing, generator, room).await?,
        };
        let (store, object) = (storing.store.as_ref(), bytes::Bytes::from(object));
        let put = || async {
            Ok(match store.put(&key, object.clone(), Condition::IfAbsent).await? {
                Put::Stored(_) => None,
                // Somebody was faster, or the answer to this very put was lost: what counts is what is stored.
                Put::Refused => {
                    Some(stored(store, &job, &campaign).await?.context("an output object vanished")?)
                }
            })
        };
        Ok(storing.patience.with(put).await?.unwrap_or(Stored::Lines(result)))
    }

    async fn generate_messages(
        self,
        storing: &Storing,
        generator: &Generator,
        room: &Semaphore,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        let settling: Vec<BoxFuture<'_, _>> =
            self.rows.iter().map(|row| self.settle_message(generator, room, row).boxed()).collect();
        let settled = futures::stream::iter(settling).buffered(ROWS_AT_ONCE);
        // Lines wait until the whole chunk is settled, because who unsubscribed meanwhile must not be in it.
        let settled: Vec<(String, Vec<Settled>)> = settled.try_collect().await?;
        let list = self.newest_list(storing).await?;
        let mut output = OutputObject::new(self.header.rows);
        for (row, (now, variants)) in self.rows.iter().zip(settled) {
            for (variant, settled) in (0..).zip(variants) {
                let settled = suppress(list.as_ref(), row, settled);
                let mut line = message_line(&self.campaign.accepted, row, variant, &settled, &now);
                line.suppression = list.as_ref().map(|list| list.list.version().to_owned());
                output.message(&line, settled.rendered.as_deref());
            }
        }
        Ok(output.finish())
    }

    /// The newest version of the campaign's suppression list; without it, nothing is written.
    pub(crate) async fn newest_list(&self, storing: &Storing) -> anyhow::Result<Option<CampaignList>> {
        storing.patience.with(|| storing.lists.of(&self.campaign.accepted)).await
    }

    /// Settles a row, and says when that was.
    async fn settle_message(
        &self,
        generator: &Generator,
        room: &Semaphore,
        row: &InputRow,
    ) -> Result<(String, Vec<Settled>), EngineError> {
        let settled = if row.status.is_ready() {
            let prompt_values = self.campaign.content.prompt_values(&row.values);
            let subject = Subject { seed_key: row.row.to_string(), prompt_values, row: Some(&row.values) };
            self.settle(generator, room, &subject).await?
        } else {
            self.settled_before(generator, row)
        };
        Ok((jiff::Timestamp::now().to_string(), settled))
    }

    /// All variants of a row that nothing is generated for.
    fn settled_before(&self, generator: &Generator, row: &InputRow) -> Vec<Settled> {
        let variants = 0..self.campaign.accepted.file.variants;
        let settled: Vec<_> = variants.filter_map(|_| Settled::by_planning(&row.status)).collect();
        let kind = &self.campaign.accepted.file.kind;
        settled.iter().for_each(|settled| generator.progress.ended(kind, settled));
        settled
    }

    async fn generate_segments(
        self,
        generator: &Generator,
        room: &Semaphore,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        let mut output = OutputObject::new(self.header.rows);
        let settling: Vec<BoxFuture<'_, _>> =
            self.rows.iter().map(|row| self.settle_segment(generator, room, row).boxed()).collect();
        let mut settled = futures::stream::iter(settling).buffered(ROWS_AT_ONCE);
        while let Some((key, variants)) = settled.try_next().await? {
            let now = jiff::Timestamp::now().to_string();
            for (variant, settled) in (0..).zip(variants) {
                output.segment(&segment_line(key.clone(), variant, settled, &now));
            }
        }
        drop(settled);
        Ok(output.finish())
    }

    async fn settle_segment(
        &self,
        generator: &Generator,
        room: &Semaphore,
        row: &InputRow,
    ) -> Result<(String, Vec<Settled>), EngineError> {
        let key = self.campaign.content.segment_key_of(&row.values);
        if !row.status.is_ready() {
            return Ok((key, self.settled_before(generator, row)));
        }
        let prompt_values = row.values.iter().map(String::as_str).collect();
        let subject = Subject { seed_key: key.clone(), prompt_values, row: None };
        Ok((key, self.settle(generator, room, &subject).await?))
    }

    async fn settle(
        &self,
        generator: &Generator,
        room: &Semaphore,
        subject: &Subject<'_>,
    ) -> Result<Vec<Settled>, EngineError> {
        let variants = self.campaign.accepted.file.variants;
        let _permits = room.acquire_many(variants).await.map_err(|_| EngineError::Stopped)?;
        generator.settle(&self.rules(), subject).await
    }

    /// Its campaign's rules.
    pub(crate) fn rules(&self) -> Rules<'_> {
        let campaign = &self.campaign;
        Rules { campaign: &campaign.accepted, content: &campaign.content, constraint: &campaign.constraint }
    }

    fn output_key(&self) -> String {
        self.campaign.keys.output_of(self.job.kind, &self.job.chunk, self.job.generation)
    }

    /// Tries the rejected messages of an object again.
    async fn rework(
        &self,
        kind: ChunkKind,
        storing: &Storing,
        generator: &Generator,
        room: &Semaphore,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        let key = format!("{}{}", self.campaign.keys.root(), self.job.again.as_deref().unwrap_or_default());
        let rework = Rework { chunk: self, generator, room };
        match kind {
            ChunkKind::Messages => rework.messages(storing, &key).await,
            ChunkKind::Segments => rework.segments(storing, &key).await,
        }
    }

    /// Makes sure that the copy is at hand which the chunk's rows are merged with.
    pub async fn fetch_segments(&self, store: &dyn Store) -> anyhow::Result<()> {
        if self.merges() {
            self.campaign.segments(store).await?;
        }
        Ok(())
    }

    /// Whether its rows are merged with copy that exists.
    pub fn merges(&self) -> bool {
        self.campaign.accepted.segmented && self.job.kind == ChunkKind::Messages
    }

    async fn merge(
        self,
        storing: &Storing,
        generator: &Generator,
        room: &Semaphore,
    ) -> anyhow::Result<(Vec<u8>, ChunkResult)> {
        // A merge keeps a core busy, not the engine: it takes one place so that few chunks are in memory at once.
        let _permit = room.acquire().await?;
        let list = self.newest_list(storing).await?;
        let progress = generator.progress.clone();
        let merged = tokio::task::spawn_blocking(move || {
            let copies =
                self.campaign.fetched_segments().context("the copy of the segments is not at hand")?;
            let merging = Merging { campaign: &self.campaign, copies, list: list.as_ref() };
            anyhow::Ok(merging.chunk(&self.rows, self.header.rows, &progress))
        });
        merged.await?
    }
}

/// A message as it is written: nothing of what was generated, where the recipient is on the list by now.
fn suppress(list: Option<&CampaignList>, row: &InputRow, settled: Settled) -> Settled {
    match list {
        Some(list) if row.status.is_ready() && list.holds(&row.values) => {
            let suppressed = Settled::without_attempt(Outcome::Suppressed, list.reason());
            Settled { tokens: settled.tokens, ..suppressed }
        }
        _ => settled,
    }
}
