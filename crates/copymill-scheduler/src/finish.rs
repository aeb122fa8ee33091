//! Finishing: manifest, then `_SUCCESS`, then the last state. Each step may find that it was done before.

use std::collections::BTreeMap;

use anyhow::bail;
use bytes::Bytes;
use copymill_campaign::{
    CampaignPhase, ChunkId, ChunkKind, ChunkResult, Manifest, ManifestObject, OutcomeCounts, Totals,
    sha256_hex,
};
use copymill_store::{Condition, Put};

use crate::{lead::Leader, state_file::StateFile};

/// What all chunks produced.
pub struct Results<'a> {
    /// Chunks of messages.
    pub messages: &'a BTreeMap<ChunkId, ChunkResult>,
    /// Chunks of segments; empty where the campaign has none.
    pub segments: &'a BTreeMap<ChunkId, ChunkResult>,
}

/// Writes manifest and `_SUCCESS` and ends the campaign.
pub async fn complete(leader: &Leader, state: &mut StateFile, results: Results<'_>) -> anyhow::Result<()> {
    if state.state.phase != CampaignPhase::Finishing {
        state.state.advance(CampaignPhase::Finishing)?;
        state.save(&leader.lease).await?;
    }
    let manifest = write_manifest(leader, state, results, (CampaignPhase::Completed, None)).await?;
    let success = Bytes::from(format!("{}\n", sha256_hex(&manifest)));
    leader.store.put(&leader.keys.success(), success, Condition::IfAbsent).await?;
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
    leader.lease.check()?;
    let body = Bytes::from(serde_json::to_vec_pretty(&manifest(leader, state, results, ended).await?)?);
    if leader.store.put(&key, body.clone(), Condition::IfAbsent).await? == Put::Refused {
        bail!("{key} was written by another process; run the same command again");
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
    let objects: Vec<_> =
        results.messages.iter().map(|(id, r)| object(leader, ChunkKind::Messages, id, r)).collect();
    let segments =
        results.segments.iter().map(|(id, r)| object(leader, ChunkKind::Segments, id, r)).collect();
    let rows = rows.unwrap_or_else(|| objects.last().map_or(0, |object| object.rows.1));
    let outcomes = objects.iter().fold(OutcomeCounts::default(), |mut sum, object| {
        sum += object.outcomes;
        sum
    });
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
    })
}

fn object(leader: &Leader, kind: ChunkKind, chunk: &ChunkId, result: &ChunkResult) -> ManifestObject {
    let key = leader.keys.output(kind, chunk);
    let key = key.strip_prefix(leader.keys.root()).unwrap_or(&key).to_owned();
    ManifestObject {
        key,
        sha256: result.sha256.clone(),
        bytes: result.bytes,
        rows: result.rows,
        outcomes: result.outcomes,
    }
}
