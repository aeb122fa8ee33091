//! Finishing: manifest, then `_SUCCESS`, then the last state. Each step may find that it was done before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use bytes::Bytes;
use copymill_campaign::{
    CampaignPhase, ChunkId, ChunkKind, ChunkResult, LaterFields, Manifest, ManifestObject, OutcomeCounts,
    Totals, sha256_hex,
};
use copymill_store::{Condition, Put};

use crate::{lead::Leader, lease::LeaseError, state_file::StateFile, tracker::Tracker};

/// The generation of an object in whose place in the first one something damaged is.
pub const REMADE: u32 = 2;

/// What all chunks produced.
pub struct Results<'a> {
    /// Chunks of messages.
    pub messages: &'a BTreeMap<ChunkId, ChunkResult>,
    /// Chunks of segments; empty where the campaign has none.
    pub segments: &'a BTreeMap<ChunkId, ChunkResult>,
    /// Chunks of messages whose first object was damaged: what counts is their object of the next generation.
    pub remade: &'a BTreeSet<ChunkId>,
}

impl<'a> Results<'a> {
    /// What is done by now.
    pub fn of(messages: &'a Tracker, segments: &'a Tracker) -> Self {
        Self { messages: messages.results(), segments: segments.results(), remade: messages.remade() }
    }
}

/// Writes manifest and `_SUCCESS` and ends the campaign.
pub async fn complete(leader: &Leader, state: &mut StateFile, results: Results<'_>) -> anyhow::Result<()> {
    if state.state.phase != CampaignPhase::Finishing {
        state.state.advance(CampaignPhase::Finishing)?;
        state.save(&leader.lease).await?;
    }
    let manifest = write_manifest(leader, state, results, (CampaignPhase::Completed, None)).await?;
    seal(leader, &manifest).await?;
    state.state.advance(CampaignPhase::Completed)?;
    state.save(&leader.lease).await
}

/// Ends a campaign that was cancelled or failed, with a manifest of what is there. `rows` are those of the audience.
pub async fn end_early(
    leader: &Leader,
    state: &mut StateFile,
    results: Results<'_>,
    (phase, rows): (CampaignPhase, u64),
) -> anyhow::Result<()> {
    write_manifest(leader, state, results, (phase, Some(rows))).await?;
    state.state.advance(phase)?;
    state.save(&leader.lease).await
}

/// Writes the manifest, unless an earlier leader came this far; returns the one that is stored.
async fn write_manifest(
    leader: &Leader,
    state: &StateFile,
    results: Results<'_>,
    ended: (CampaignPhase, Option<u64>),
) -> anyhow::Result<Bytes> {
    let key = leader.keys.manifest();
    if let Some(object) = leader.store.get(&key).await? {
        return Ok(object.body);
    }
    leader.lease.check().await?;
    let body = Bytes::from(serde_json::to_vec_pretty(&manifest(leader, state, results, ended).await?)?);
    if leader.store.put(&key, body.clone(), Condition::IfAbsent).await? == Put::Refused {
        return Err(LeaseError::Overtaken { key }.into());
    }
    Ok(body)
}

/// What is in force. Rows are counted from the objects where the campaign is complete.
async fn manifest(
    leader: &Leader,
    state: &StateFile,
    results: Results<'_>,
    (phase, rows): (CampaignPhase, Option<u64>),
) -> anyhow::Result<Manifest> {
    let campaign = &leader.campaign;
    let message_object = |(id, result): (&ChunkId, &ChunkResult)| {
        let generation = if results.remade.contains(id) { REMADE } else { 1 };
        object(leader, ChunkKind::Messages, (id, generation), result)
    };
    let segment_object = |(id, result)| object(leader, ChunkKind::Segments, (id, 1), result);
    let objects: Vec<_> = results.messages.iter().map(message_object).collect();
    let segments = results.segments.iter().map(segment_object).collect();
    let rows = rows.unwrap_or_else(|| objects.last().map_or(0, |object| object.rows.1));
    let outcomes = sum(&objects);
    let expected = rows * u64::from(campaign.file.variants);
    let unfinished = expected.saturating_sub(outcomes.total());
    if outcomes.total() > expected || (phase == CampaignPhase::Completed && unfinished > 0) {
        bail!(
            "{} outcomes for {expected} messages: the output is damaged; start again with --fresh",
            outcomes.total()
        );
    }
    let stored = leader.store.get(&leader.keys.campaign()).await?;
    Ok(Manifest {
        v: 1,
        campaign: campaign.id.clone(),
        generation: if results.remade.is_empty() { 1 } else { REMADE },
        name: campaign.file.campaign.clone(),
        state: phase,
        campaign_sha256: stored.map(|object| sha256_hex(&object.body)).unwrap_or_default(),
        model: campaign.model.clone(),
        rows,
        variants: campaign.file.variants,
        totals: Totals { outcomes, unfinished, ..state.state.totals.clone() },
        objects,
        segments,
        accepted_at: campaign.accepted_at.clone(),
        finished_at: jiff::Timestamp::now().to_string(),
        active_s: state.state.active_s,
        later: LaterFields::new(),
    })
}

/// Puts a later manifest in the place of the one with an ETag, and seals it.
pub async fn swap(leader: &Leader, manifest: &Manifest, etag: String) -> anyhow::Result<()> {
    let (key, body) = (leader.keys.manifest(), Bytes::from(serde_json::to_vec_pretty(manifest)?));
    leader.lease.check().await?;
    if leader.store.put(&key, body.clone(), Condition::IfMatch(etag)).await? == Put::Refused {
        return Err(LeaseError::Overtaken { key }.into());
    }
    seal(leader, &body).await
}

/// Makes `_SUCCESS` hold the checksum of the manifest.
pub async fn seal(leader: &Leader, manifest: &[u8]) -> anyhow::Result<()> {
    let (key, success) = (leader.keys.success(), Bytes::from(format!("{}\n", sha256_hex(manifest))));
    let condition = match leader.store.get(&key).await? {
        Some(stored) if stored.body == success => return Ok(()),
        Some(stored) => Condition::IfMatch(stored.etag),
        None => Condition::IfAbsent,
    };
    leader.lease.check().await?;
    if leader.store.put(&key, success, condition).await? == Put::Refused {
        return Err(LeaseError::Overtaken { key }.into());
    }
    Ok(())
}

/// Lines by outcome over all objects.
pub fn sum(objects: &[ManifestObject]) -> OutcomeCounts {
    objects.iter().fold(OutcomeCounts::default(), |mut sum, object| {
        sum += object.outcomes;
        sum
    })
}

/// An object in force, of a chunk in a generation.
pub fn object(
    leader: &Leader,
    kind: ChunkKind,
    (chunk, generation): (&ChunkId, u32),
    result: &ChunkResult,
) -> ManifestObject {
    let key = leader.keys.output_of(kind, chunk, generation);
    let key = key.strip_prefix(leader.keys.root()).unwrap_or(&key).to_owned();
    ManifestObject {
        key,
        sha256: result.sha256.clone(),
        bytes: result.bytes,
        rows: result.rows,
        outcomes: result.outcomes,
    }
}
