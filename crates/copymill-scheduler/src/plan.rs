//! Planning: the audience is cut into input chunks in one streamed pass.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use copymill_campaign::{
    Accepted, CampaignKeys, ChunkHeader, ChunkId, ChunkKind, InputRow, Reason, RowStatus, decode_header,
    encode_input,
};
use copymill_store::{Condition, Put, Store};
use copymill_suppression::CampaignList;
use tokio::sync::mpsc::Sender;

use crate::{
    audience::{AudienceOptions, Duplicates},
    lease::LeaseError,
    source::SourceFile,
};

/// Rows of a chunk whose copy exists already: merging them takes a fraction of a second.
const MERGED_ROWS: u64 = 2_000;
/// No chunk is longer than this, however short its answers are.
const GENERATED_ROWS: u64 = 500;

/// Bytes of values from which a chunk is closed, so that long fields do not make chunks large.
const CHUNK_BYTES: usize = 4 << 20;

/// Decides how many rows a chunk has whose answers may have so many tokens together.
pub fn rows_per_chunk(campaign: &Accepted, merged: bool, chunk_tokens: u64) -> u64 {
    let tokens_per_row = u64::from(campaign.file.sampling.max_tokens) * u64::from(campaign.file.variants);
    if merged { MERGED_ROWS } else { (chunk_tokens / tokens_per_row.max(1)).clamp(1, GENERATED_ROWS) }
}

/// A chunk that was cut and is not stored yet.
#[derive(Debug)]
pub struct CutChunk {
    /// Its header.
    pub header: ChunkHeader,
    /// The object.
    pub object: Bytes,
}

/// Where planning goes on: after the last of the contiguous input objects that are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResumePoint {
    /// Number of the next chunk.
    pub chunk: u32,
    /// Records of the source that are in earlier chunks.
    pub records: u64,
}

/// What the pass over the audience needs.
pub struct MessagePlan {
    /// The campaign.
    pub campaign: Arc<Accepted>,
    /// The audience file.
    pub source: SourceFile,
    /// How it is read.
    pub options: AudienceOptions,
    /// Rows whose id an earlier row has.
    pub duplicates: Duplicates,
    /// Who must not be written to.
    pub suppression: Option<CampaignList>,
    /// Rows of one chunk.
    pub rows_per_chunk: u64,
    /// Where to go on.
    pub from: ResumePoint,
}

/// Finds out what earlier runs cut.
pub async fn resume_point(
    store: &dyn Store,
    keys: &CampaignKeys,
    kind: ChunkKind,
) -> anyhow::Result<ResumePoint> {
    let prefix = keys.input_prefix(kind);
    let (mut stored, mut last) = (Vec::new(), None);
    loop {
        let page = store.list(&prefix, last.as_deref()).await?;
        let Some(end) = page.last() else { break };
        let index =
            |key: &str| key.strip_prefix(&prefix)?.strip_suffix(".jsonl.zst")?.parse::<ChunkId>().ok();
        stored.extend(page.iter().filter_map(|listed| index(&listed.key)).map(|chunk| chunk.index));
        last = Some(end.key.clone());
    }
    // Keys are listed as text, in which 100000 stands before 10001.
    stored.sort_unstable();
    if let Some((missing, _)) = (0..).zip(&stored).find(|(expected, index)| expected != *index) {
        let key = keys.input(kind, &ChunkId::whole(missing));
        bail!("{key} is missing although later ones are there; restore it or start again with --fresh");
    }
    let mut point = ResumePoint { chunk: stored.len() as u32, records: 0 };
    // The last one whose header can be read: what follows is cut again.
    while let Some(index) = point.chunk.checked_sub(1) {
        let key = keys.input(kind, &ChunkId::whole(index));
        let object = store.get(&key).await?.with_context(|| format!("{key} vanished while it was read"))?;
        match decode_header(&object.body) {
            Ok(header) => {
                point.records = header.records_read;
                break;
            }
            Err(error) => {
                tracing::warn!(key, %error, "an input is damaged: it is cut again");
                point.chunk = index;
            }
        }
    }
    Ok(point)
}

/// Cuts the audience; blocks, and ends early where the receiver is gone.
pub fn cut_messages(plan: MessagePlan, chunks: &Sender<CutChunk>) -> anyhow::Result<()> {
    let MessagePlan { campaign, source, options, mut duplicates, suppression, rows_per_chunk, from } = plan;
    let pilot = campaign.file.pilot.unwrap_or_default();
    let mut reader = source.open(options)?;
    let columns = reader.columns().to_vec();
    if columns != campaign.columns {
        bail!(
            "the columns of {} changed since the campaign was accepted; use --fresh",
            reader.name().display()
        );
    }
    let id_column = columns.iter().position(|column| *column == campaign.file.audience.id).unwrap_or(0);
    reader.skip(from.records)?;
    let mut index = from.chunk;
    let mut rows: Vec<InputRow> = Vec::new();
    let mut bytes = 0;
    let mut send = |rows: &mut Vec<InputRow>| {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return true };
        let span = (first.row, last.row + 1);
        let header = ChunkHeader {
            v: 1,
            chunk: ChunkId::whole(index),
            rows: span,
            columns: columns.clone(),
            records_read: span.1,
        };
        let object = encode_input(&header, rows).into();
        index += 1;
        rows.clear();
        chunks.blocking_send(CutChunk { header, object }).is_ok()
    };
    while let Some(record) = reader.next_record()? {
        let (values, status) = match record.values {
            Ok(values) if duplicates.is_duplicate(record.ordinal)? => (
                values,
                invalid("duplicate_id", "an earlier row has the same id; the first one is written to"),
            ),
            Ok(values) => {
                let status = status_of(suppression.as_ref(), &values);
                (values, status)
            }
            Err(error) => (Vec::new(), invalid(error.code, &error.message)),
        };
        let recipient_id = values.get(id_column).cloned();
        bytes += values.iter().map(String::len).sum::<usize>();
        let ends_pilot = record.ordinal + 1 == pilot;
        rows.push(InputRow { row: record.ordinal, recipient_id, values, status });
        if rows.len() as u64 >= rows_per_chunk || bytes >= CHUNK_BYTES || ends_pilot {
            bytes = 0;
            if !send(&mut rows) {
                return Ok(());
            }
        }
    }
    let name = reader.name().to_owned();
    let (sha256, _) = reader.into_digest()?;
    if sha256 != campaign.source.sha256 {
        bail!("{} changed while it was read; put the old file back, or use --fresh", name.display());
    }
    send(&mut rows);
    Ok(())
}

/// Cuts the segments: their values are the rows, and what makes them one is the columns.
pub fn cut_segments(
    campaign: &Accepted,
    segments: &[Vec<String>],
    (from, chunk_tokens): (ResumePoint, u64),
) -> Vec<CutChunk> {
    let per_chunk = rows_per_chunk(campaign, false, chunk_tokens) as usize;
    let left = segments.get(from.records as usize..).unwrap_or_default();
    (from.chunk..)
        .zip((from.records..).step_by(per_chunk))
        .zip(left.chunks(per_chunk))
        .map(|((index, first), segments)| {
            let span = (first, first + segments.len() as u64);
            let columns = campaign.file.audience.segment_by.clone();
            let header =
                ChunkHeader { v: 1, chunk: ChunkId::whole(index), rows: span, columns, records_read: span.1 };
            let rows: Vec<InputRow> = (first..)
                .zip(segments)
                .map(|(row, values)| InputRow {
                    row,
                    recipient_id: None,
                    values: values.clone(),
                    status: RowStatus::Ready,
                })
                .collect();
            CutChunk { object: encode_input(&header, &rows).into(), header }
        })
        .collect()
}

/// Stores a chunk that was cut; one that is there already must be the same, unless it is damaged.
pub async fn store_cut(store: &dyn Store, key: &str, cut: CutChunk) -> anyhow::Result<()> {
    if store.put(key, cut.object.clone(), Condition::IfAbsent).await? != Put::Refused {
        return Ok(());
    }
    let stored = store.get(key).await?.with_context(|| format!("{key} vanished while it was read"))?;
    let Ok(header) = decode_header(&stored.body) else {
        return match store.put(key, cut.object, Condition::IfMatch(stored.etag)).await? {
            Put::Stored(_) => Ok(()),
            Put::Refused => Err(LeaseError::Overtaken { key: key.to_owned() }.into()),
        };
    };
    if header != cut.header {
        bail!("{key} was cut from another audience; use --output for another folder, or --fresh");
    }
    Ok(())
}

/// What is decided about a row that can be used.
fn status_of(suppression: Option<&CampaignList>, values: &[String]) -> RowStatus {
    match suppression {
        Some(list) if list.holds(values) => RowStatus::Suppressed(list.reason()),
        _ => RowStatus::Ready,
    }
}

fn invalid(code: &str, message: &str) -> RowStatus {
    RowStatus::Invalid(Reason { code: code.into(), field: None, message: message.into(), attempt: 0 })
}
