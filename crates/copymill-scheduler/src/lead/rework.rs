//! Later work on a completed campaign: its rejected messages are tried again, a new generation of objects is written
//! beside what is there, and the manifest is swapped.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use copymill_campaign::{
    CampaignKeys, CampaignPhase, ChunkId, ChunkKind, ChunkResult, Manifest, ManifestObject, count_messages,
    count_segments,
};

use super::{Ended, Leader, Notes, Signals, StageEnd, stage::Stage};
use crate::{finish, state_file::StateFile};

/// What a later generation is made from.
#[derive(Debug, Clone, Default)]
pub(super) struct Rework {
    /// The generation.
    pub(super) generation: u32,
    /// Objects with rejected messages, by chunk.
    objects: BTreeMap<ChunkId, ManifestObject>,
}

impl Rework {
    fn of(objects: &[ManifestObject], generation: u32) -> anyhow::Result<Self> {
        let rejected = objects.iter().filter(|object| object.outcomes.rejected > 0);
        let by_chunk = rejected.map(|object| Ok((chunk_of(object)?, object.clone())));
        Ok(Self { generation, objects: by_chunk.collect::<anyhow::Result<_>>()? })
    }

    /// The chunks that are worked on again.
    pub(super) fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        self.objects.keys().cloned()
    }

    /// Key below the root of the object that a chunk, or the one that it is a part of, has in force.
    pub(super) fn object(&self, chunk: &ChunkId) -> Option<&str> {
        let whole = |length| ChunkId { index: chunk.index, parts: chunk.parts[..length].to_vec() };
        let found = (0..=chunk.parts.len()).rev().find_map(|length| self.objects.get(&whole(length)));
        found.map(|object| object.key.as_str())
    }
}

/// What a generation changed, of one kind of objects.
struct Reworked {
    rework: Rework,
    results: BTreeMap<ChunkId, ChunkResult>,
}

impl Leader {
    /// Does the later work that was asked for; none where there is none, or where the campaign has not completed.
    pub async fn rework(&self, notes: &mut Notes, signals: &mut Signals) -> anyhow::Result<Option<Ended>> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        if state.state.phase != CampaignPhase::Completed {
            return Ok(None);
        }
        let key = self.keys.manifest();
        let stored = self.store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        let manifest: Manifest =
            serde_json::from_slice(&stored.body).with_context(|| format!("{key} is not readable"))?;
        let generation = manifest.generation + 1;
        if self.store.get(&self.keys.rework(generation)).await?.is_none() {
            // An earlier leader may have come as far as the manifest.
            finish::seal(self, &stored.body).await?;
            return self.end_rework(&mut state, &manifest).await.map(Some);
        }
        state.state.reworking = Some(generation);
        state.save(&self.lease).await?;
        let mut reworked = Vec::new();
        for (kind, objects) in
            [(ChunkKind::Segments, &manifest.segments), (ChunkKind::Messages, &manifest.objects)]
        {
            let rework = Rework::of(objects, generation)?;
            let mut stage = Stage::of_rework(kind, rework.clone());
            match self.run_stage(&mut stage, notes, &mut state, signals).await? {
                StageEnd::Complete => {}
                StageEnd::Cancelled | StageEnd::Stopped => return Ok(Some(Ended::Stopped)),
            }
            reworked.push((kind, Reworked { rework, results: stage.tracker.results().clone() }));
        }
        let mut next = Manifest { generation, finished_at: jiff::Timestamp::now().to_string(), ..manifest };
        for (kind, reworked) in &reworked {
            self.replace(&mut next, *kind, reworked).await?;
        }
        next.active_s = state.state.active_s;
        finish::swap(self, &next, stored.etag).await?;
        self.end_rework(&mut state, &next).await.map(Some)
    }

    async fn end_rework(&self, state: &mut StateFile, manifest: &Manifest) -> anyhow::Result<Ended> {
        if state.state.reworking.take().is_some() || state.state.totals != manifest.totals {
            state.state.totals = manifest.totals.clone();
            state.save(&self.lease).await?;
        }
        Ok(Ended::Completed)
    }

    /// Puts new objects in the place of old ones, and what they hold into the totals.
    async fn replace(
        &self,
        manifest: &mut Manifest,
        kind: ChunkKind,
        reworked: &Reworked,
    ) -> anyhow::Result<()> {
        for object in reworked.rework.objects.values() {
            let before = self.count(kind, object).await?;
            let totals = &mut manifest.totals;
            totals.tokens -= before.tokens;
            for (code, n) in before.reasons {
                let left = totals.reasons.entry(code).or_default();
                *left = left.saturating_sub(n);
            }
        }
        let objects = match kind {
            ChunkKind::Messages => &mut manifest.objects,
            ChunkKind::Segments => &mut manifest.segments,
        };
        let replaced: Vec<&str> =
            reworked.rework.objects.values().map(|object| object.key.as_str()).collect();
        objects.retain(|object| !replaced.contains(&object.key.as_str()));
        for (chunk, result) in &reworked.results {
            objects.push(finish::object(self, kind, (chunk, manifest.generation), result));
            manifest.totals.tokens += result.tokens;
            for (code, n) in &result.reasons {
                *manifest.totals.reasons.entry(code.clone()).or_default() += n;
            }
        }
        objects.sort_by_key(|object| object.rows);
        manifest.totals.reasons.retain(|_, n| *n > 0);
        if kind == ChunkKind::Messages {
            manifest.totals.outcomes = finish::sum(objects);
        }
        Ok(())
    }

    async fn count(&self, kind: ChunkKind, object: &ManifestObject) -> anyhow::Result<ChunkResult> {
        let key = format!("{}{}", self.keys.root(), object.key);
        let stored = self.store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
        let counted = match kind {
            ChunkKind::Messages => count_messages(&stored.body),
            ChunkKind::Segments => count_segments(&stored.body, object.rows.0),
        };
        let counted = counted.with_context(|| format!("{key} is damaged"))?;
        if counted.sha256 != object.sha256 {
            bail!("{key} is not the object that the manifest names: its checksum differs");
        }
        Ok(counted)
    }
}

fn chunk_of(object: &ManifestObject) -> anyhow::Result<ChunkId> {
    CampaignKeys::chunk_of(&object.key).with_context(|| format!("{} is named after no chunk", object.key))
}
