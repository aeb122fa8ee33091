//! What a campaign wrote: exactly what its manifest names, checked; before there is one, what the pilot wrote.

use anyhow::{Context, bail};
use bytes::Bytes;
use copymill_campaign::{
    CampaignId, CampaignKeys, CampaignPhase, ChunkKind, LineReader, Manifest, is_split, sha256_hex,
};
use copymill_store::Store;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Office;

/// An object with output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputObject {
    /// Its key.
    pub key: String,
    /// What its checksum must be; none before there is a manifest.
    pub sha256: Option<String>,
}

/// Tells an output line from a first line that describes its object.
#[derive(Deserialize)]
struct OfRow {
    row: Option<u64>,
}

impl Office {
    /// The output objects of a campaign that has ended or whose pilot awaits approval, in the order of the audience; none
    /// of any other.
    pub async fn outputs(&self, id: &CampaignId) -> anyhow::Result<Option<Vec<OutputObject>>> {
        let keys = CampaignKeys::of(id);
        if let Some(object) = self.store.get(&keys.manifest()).await? {
            return Ok(Some(named(&object.body, &keys)?));
        }
        match self.status(id).await?.state.phase {
            CampaignPhase::AwaitingApproval => Ok(Some(stored(self.store.as_ref(), &keys).await?)),
            _ => Ok(None),
        }
    }

    /// The content of an output object, checked.
    pub async fn output(&self, object: &OutputObject) -> anyhow::Result<Bytes> {
        let key = &object.key;
        let stored = self.store.get(key).await?.with_context(|| format!("{key} is missing"))?;
        if object.sha256.as_ref().is_some_and(|sha256| sha256_hex(&stored.body) != *sha256) {
            bail!("{key} is not the object that the manifest names: its checksum differs");
        }
        Ok(stored.body)
    }
}

/// The objects in force.
fn named(manifest: &[u8], keys: &CampaignKeys) -> anyhow::Result<Vec<OutputObject>> {
    let manifest: Manifest = serde_json::from_slice(manifest).context("the manifest is not readable")?;
    let key = |key: &str| format!("{}{key}", keys.root());
    let objects = manifest.objects.into_iter();
    Ok(objects.map(|object| OutputObject { key: key(&object.key), sha256: Some(object.sha256) }).collect())
}

/// The objects that are there, in the order of their rows.
async fn stored(store: &dyn Store, keys: &CampaignKeys) -> anyhow::Result<Vec<OutputObject>> {
    let (prefix, mut found, mut last) = (keys.output_prefix(ChunkKind::Messages), Vec::new(), None);
    loop {
        let page = store.list(&prefix, last.as_deref()).await?;
        let Some(end) = page.last() else { break };
        last = Some(end.key.clone());
        found.extend(page.into_iter().map(|listed| OutputObject { key: listed.key, sha256: None }));
    }
    found.sort_by_key(|object| CampaignKeys::chunk_of(&object.key));
    Ok(found)
}

/// The output lines of an object, as they are stored; none of one that says that its chunk was split. Takes some
/// milliseconds.
pub(crate) fn output_lines(object: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    if is_split(object) {
        return Ok(lines);
    }
    for line in LineReader::<Box<RawValue>>::new(object)? {
        let line = line?;
        if serde_json::from_str::<OfRow>(line.get()).is_ok_and(|line| line.row.is_some()) {
            lines.extend_from_slice(line.get().as_bytes());
            lines.push(b'\n');
        }
    }
    Ok(lines)
}
