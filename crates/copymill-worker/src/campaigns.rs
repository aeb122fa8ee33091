//! Campaigns that a worker has at hand: fetched once, compiled once.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignKeys, ChunkKind, LineReader, SegmentLine, is_split};
use copymill_content::{Content, Copy};
use copymill_engine::Constraint;
use copymill_store::Store;
use tokio::sync::{Mutex, OnceCell};

/// Campaigns kept at once. A worker rarely works on more; each costs some kilobytes, with segments some megabytes.
const KEPT: usize = 16;

/// A campaign, compiled.
pub struct LoadedCampaign {
    /// Its keys.
    pub keys: CampaignKeys,
    /// As it was accepted.
    pub accepted: Accepted,
    /// Prompt, checks and rendering.
    pub content: Content,
    /// What decoding is constrained to.
    pub constraint: Arc<Constraint>,
    /// Later generations merge newer copy.
    generation: u32,
    segments: OnceCell<SegmentCopies>,
}

/// The copy of every segment, by key and variant.
pub type SegmentCopies = HashMap<String, Vec<SegmentCopy>>;

/// The copy of one (segment, variant).
pub struct SegmentCopy {
    /// Its line.
    pub line: SegmentLine,
    /// Its copy, ready to merge; none where it was rejected.
    pub copy: Option<Copy>,
}

/// The campaigns at hand.
pub struct CampaignCache {
    store: Arc<dyn Store>,
    kept: Mutex<Vec<Arc<LoadedCampaign>>>,
}

impl CampaignCache {
    /// An empty cache.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, kept: Mutex::new(Vec::new()) }
    }

    /// Returns the campaign below a root, fetching it where it is not at hand.
    pub async fn get(&self, root: &str, generation: u32) -> anyhow::Result<Arc<LoadedCampaign>> {
        let mut kept = self.kept.lock().await;
        let is_it = |campaign: &Arc<LoadedCampaign>| {
            campaign.keys.root() == root && campaign.generation == generation
        };
        if let Some(at) = kept.iter().position(is_it) {
            let campaign = kept.remove(at);
            kept.push(campaign.clone());
            return Ok(campaign);
        }
        let keys = CampaignKeys::under(root);
        let key = keys.campaign();
        let object = self.store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        let accepted: Accepted =
            serde_json::from_slice(&object.body).with_context(|| format!("{key} is not readable"))?;
        let content = Content::new(&accepted).with_context(|| format!("{key} cannot be compiled"))?;
        let constraint = Arc::new(Constraint::json_schema(content.schema().clone()));
        let segments = OnceCell::new();
        let campaign = Arc::new(LoadedCampaign { keys, accepted, content, constraint, generation, segments });
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(campaign.clone());
        Ok(campaign)
    }
}

impl LoadedCampaign {
    /// Returns the copy of all segments, fetched once all of it is in the store.
    pub async fn segments(&self, store: &dyn Store) -> anyhow::Result<&SegmentCopies> {
        self.segments.get_or_try_init(|| self.read_segments(store)).await
    }

    /// The copy of all segments, where it was fetched.
    pub fn fetched_segments(&self) -> Option<&SegmentCopies> {
        self.segments.get()
    }

    async fn read_segments(&self, store: &dyn Store) -> anyhow::Result<SegmentCopies> {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(&self.keys.output_prefix(ChunkKind::Segments), after.as_deref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            keys.extend(page.into_iter().map(|listed| listed.key));
        }
        keys.retain(|key| CampaignKeys::generation_of(key) <= self.generation);
        // What a later generation wrote takes the place of what stands before.
        keys.sort_by_key(|key| CampaignKeys::generation_of(key));
        let mut copies = SegmentCopies::new();
        for key in keys {
            self.read_copies(store, &key, &mut copies).await?;
        }
        Ok(copies)
    }

    async fn read_copies(
        &self,
        store: &dyn Store,
        key: &str,
        copies: &mut SegmentCopies,
    ) -> anyhow::Result<()> {
        let object = store.get(key).await?.with_context(|| format!("{key} vanished"))?;
        if is_split(&object.body) {
            return Ok(());
        }
        for line in LineReader::<SegmentLine>::new(&object.body).with_context(|| key.to_owned())? {
            let line = line.with_context(|| format!("{key} is damaged"))?;
            let content = line.content.as_ref().map(|content| self.content.copy(content.get()));
            let copy = content.transpose().with_context(|| format!("{key} holds copy of another kind"))?;
            let of_segment = copies.entry(line.segment.clone()).or_default();
            of_segment.retain(|earlier| earlier.line.variant != line.variant);
            of_segment.push(SegmentCopy { line, copy });
            of_segment.sort_by_key(|copy| copy.line.variant);
        }
        Ok(())
    }
}
