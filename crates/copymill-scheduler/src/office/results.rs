//! What a campaign wrote: exactly what its manifest names, checked.

use anyhow::{Context, bail};
use bytes::Bytes;
use copymill_campaign::{CampaignId, CampaignKeys, LineReader, Manifest, ManifestObject, sha256_hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Office;

/// Tells an output line from a first line that describes its object.
#[derive(Deserialize)]
struct OfRow {
    row: Option<u64>,
}

impl Office {
    /// The manifest of a campaign that has ended; none where it has not.
    pub async fn manifest(&self, id: &CampaignId) -> anyhow::Result<Option<Manifest>> {
        let key = CampaignKeys::of(id).manifest();
        let Some(object) = self.store.get(&key).await? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&object.body).with_context(|| format!("{key} is not readable"))?))
    }

    /// An output object that a manifest names, checked against it.
    pub async fn output(&self, id: &CampaignId, object: &ManifestObject) -> anyhow::Result<Bytes> {
        let key = format!("{}{}", CampaignKeys::of(id).root(), object.key);
        let stored = self.store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        if sha256_hex(&stored.body) != object.sha256 {
            bail!("{key} is not the object that the manifest names: its checksum differs");
        }
        Ok(stored.body)
    }
}

/// The output lines of an object, as they are stored. Takes some milliseconds.
pub fn output_lines(object: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for line in LineReader::<Box<RawValue>>::new(object)? {
        let line = line?;
        if serde_json::from_str::<OfRow>(line.get()).is_ok_and(|line| line.row.is_some()) {
            lines.extend_from_slice(line.get().as_bytes());
            lines.push(b'\n');
        }
    }
    Ok(lines)
}
