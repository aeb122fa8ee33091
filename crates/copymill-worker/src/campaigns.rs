//! Campaigns that a worker has at hand: fetched once, compiled once.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context;
use copymill_campaign::{Accepted, CampaignKeys, ChunkKind, LineReader, SegmentLine};
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
    pub async fn get(&self, root: &str) -> anyhow::Result<Arc<LoadedCampaign>> {
        let mut kept = self.kept.lock().await;
        if let Some(at) = kept.iter().position(|campaign| campaign.keys.root() == root) {
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
        let campaign =
            Arc::new(LoadedCampaign { keys, accepted, content, constraint, segments: OnceCell::new() });
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
        let mut copies = SegmentCopies::new();
        let mut after = None;
        loop {
            let page = store.list(&self.keys.output_prefix(ChunkKind::Segments), after.as_deref()).await?;
            let Some(last) = page.last() else { return Ok(copies) };
            after = Some(last.key.clone());
            for listed in page {
                let key = listed.key;
                let object = store.get(&key).await?.with_context(|| format!("{key} vanished"))?;
                for line in LineReader::<SegmentLine>::new(&object.body).with_context(|| key.clone())? {
                    let line = line.with_context(|| format!("{key} is damaged"))?;
                    let content = line.content.as_ref().map(|content| self.content.copy(content.get()));
                    let copy =
                        content.transpose().with_context(|| format!("{key} holds copy of another kind"))?;
                    copies.entry(line.segment.clone()).or_default().push(SegmentCopy { line, copy });
                }
            }
        }
    }
}
