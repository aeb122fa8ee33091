//! Chunks that may have killed a worker: they run alone, and what was begun is written down before.
//!
//! Two beginnings of a whole chunk without an end mean that it is split, one beginning of a part that the part is; a part
//! of one row is that row's end. Nothing depends on what the broker counts.

use bytes::Bytes;
use copymill_campaign::{
    CampaignKeys, ChunkJob, Reason, RowStatus, encode_split, inline_attempts_prefix, inline_key,
};
use copymill_store::{Condition, Put, Store};
use serde_json::json;

use crate::chunk::Chunk;

/// Beginnings without an end after which a whole chunk is split. One may be a machine that failed.
const BEGINNINGS: usize = 2;
/// The same for a part of a chunk, which is under suspicion already.
const BEGINNINGS_OF_A_PART: usize = 1;

/// What is to be done with a chunk or an inline job that is under suspicion.
pub(crate) enum Verdict {
    /// It is tried; the key of the note that says so.
    Try(String),
    /// Its output object is there: it was split, now or before, or a worker that was late has finished it.
    Stored,
    /// It is one row, or an inline job, which is given up.
    GiveUp,
}

/// Whether a chunk may have killed the worker that had it before: it came back by itself, it is a part of one that did,
/// or the leader heard nothing of its worker any more.
pub(crate) fn is_suspect(job: &ChunkJob, redelivered: bool) -> bool {
    redelivered || job.suspect || !job.chunk.parts.is_empty()
}

/// Looks at what was begun before, and writes down that it begins again.
pub(crate) async fn examine(store: &dyn Store, chunk: &Chunk) -> anyhow::Result<Verdict> {
    let (job, keys) = (&chunk.job, &chunk.campaign.keys);
    let begun = begun(store, keys, job).await?;
    let limit = if job.chunk.parts.is_empty() { BEGINNINGS } else { BEGINNINGS_OF_A_PART };
    if begun < limit {
        let key = keys.attempt(job.kind, &job.chunk, begun + 1);
        // Another worker that begins at this moment has written the same.
        store.put(&key, note(), Condition::IfAbsent).await?;
        return Ok(Verdict::Try(key));
    }
    if chunk.rows.len() <= 1 {
        return Ok(Verdict::GiveUp);
    }
    let key = keys.output_of(job.kind, &job.chunk, job.generation);
    if store.put(&key, encode_split(&job.chunk).into(), Condition::IfAbsent).await? != Put::Refused {
        tracing::warn!(
            campaign.id = %job.campaign,
            chunk.id = %job.chunk,
            rows = chunk.rows.len(),
            "a chunk is split: workers that had it ended"
        );
    }
    Ok(Verdict::Stored)
}

/// The same for an inline job, which is whole or nothing.
pub(crate) async fn examine_inline(store: &dyn Store, message_id: &str) -> anyhow::Result<Verdict> {
    if store.head(&inline_key(message_id)).await?.is_some() {
        return Ok(Verdict::Stored);
    }
    let prefix = inline_attempts_prefix(message_id);
    let begun = store.list(&prefix, None).await?.len();
    if begun >= BEGINNINGS {
        return Ok(Verdict::GiveUp);
    }
    let key = format!("{prefix}{}", begun + 1);
    store.put(&key, note(), Condition::IfAbsent).await?;
    Ok(Verdict::Try(key))
}

/// Removes the note of a beginning that had an end, good or bad. Where it stays, the worst is an early split.
pub(crate) async fn forget(store: &dyn Store, key: &str) {
    if let Err(error) = store.delete(key).await {
        tracing::info!(key, error = %error, "the note about a chunk that was begun stays");
    }
}

/// The row that is left of a chunk that killed every worker: it is not tried again.
pub(crate) fn give_up(chunk: &mut Chunk) {
    tracing::warn!(
        campaign.id = %chunk.job.campaign,
        chunk.id = %chunk.job.chunk,
        row = chunk.header.rows.0,
        "a row is given up: workers that had it ended"
    );
    for row in chunk.rows.iter_mut().filter(|row| row.status.is_ready()) {
        row.status = RowStatus::Invalid(Reason {
            code: "kills_workers".into(),
            field: None,
            message: "every worker that began with this row ended before it was done".into(),
            attempt: 0,
        });
    }
}

/// What a note says.
fn note() -> Bytes {
    Bytes::from(json!({ "v": 1, "begun_at": jiff::Timestamp::now() }).to_string())
}

async fn begun(store: &dyn Store, keys: &CampaignKeys, job: &ChunkJob) -> anyhow::Result<usize> {
    // A page is far more than the limit.
    Ok(store.list(&keys.attempts_prefix(job.kind, &job.chunk), None).await?.len())
}
