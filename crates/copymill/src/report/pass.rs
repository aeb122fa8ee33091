//! The one pass over output objects: figures and samples.

use std::collections::BTreeMap;

use anyhow::Context;
use copymill_campaign::{CampaignKeys, LineReader, ManifestObject, OutcomeCounts, OutputLine, SegmentLine};
use copymill_store::Store;
use serde_json::value::RawValue;

use super::Subject;
use super::copy_text::{Content, texts};
use super::figures::Figures;
use super::gallery::Gallery;

/// Messages that are read at most; of a larger campaign, so many evenly spread ones: a few seconds of work.
const MESSAGES_READ: u64 = 100_000;
/// Segments that are kept apart; the table shows fewer.
const SEGMENTS_MAX: usize = 5_000;

/// What the pass found.
pub(super) struct Findings {
    /// Figures about the copy.
    pub(super) figures: Figures,
    /// Samples of rendered messages.
    pub(super) gallery: Gallery,
    /// Messages that were read.
    pub(super) messages_read: u64,
    /// Segments by key; empty where the campaign has none.
    pub(super) segments: BTreeMap<String, SegmentFigures>,
}

/// Figures about one segment.
#[derive(Default)]
pub(super) struct SegmentFigures {
    /// Messages read that were merged from it.
    pub(super) messages: OutcomeCounts,
    /// Its copies, and the attempts that they took together.
    pub(super) copies: u64,
    /// Attempts of all its copies.
    pub(super) attempts: u64,
    /// The first text of its first copy.
    pub(super) example: String,
}

/// Reads what a report needs.
pub(super) async fn read(
    store: &dyn Store,
    keys: &CampaignKeys,
    subject: &Subject,
) -> anyhow::Result<Findings> {
    let manifest = &subject.manifest;
    let mut findings = Findings {
        figures: Figures::new(&subject.campaign),
        gallery: Gallery::new(manifest.rows, manifest.variants),
        messages_read: 0,
        segments: BTreeMap::new(),
    };
    for object in sampled(&manifest.segments) {
        let body = body(store, keys, object).await?;
        for line in LineReader::<SegmentLine>::new(&body)? {
            findings.segment(line.with_context(|| object.key.clone())?);
        }
    }
    let has_segments = !manifest.segments.is_empty();
    for object in sampled(&manifest.objects) {
        let body = body(store, keys, object).await?;
        for line in LineReader::<OutputLine>::new(&body)? {
            findings.message(line.with_context(|| object.key.clone())?, has_segments);
        }
    }
    Ok(findings)
}

/// All objects, or evenly spread ones that together hold about as many lines as are read.
fn sampled(objects: &[ManifestObject]) -> Vec<&ManifestObject> {
    let lines: u64 = objects.iter().map(|object| object.outcomes.total()).sum();
    if lines <= MESSAGES_READ {
        return objects.iter().collect();
    }
    let wanted = (objects.len() as u64 * MESSAGES_READ / lines).max(1) as usize;
    (0..wanted).filter_map(|at| objects.get(at * objects.len() / wanted)).collect()
}

async fn body(
    store: &dyn Store,
    keys: &CampaignKeys,
    object: &ManifestObject,
) -> anyhow::Result<bytes::Bytes> {
    let key = format!("{}{}", keys.root(), object.key);
    let object =
        store.get(&key).await?.with_context(|| format!("{key} is missing; `copymill verify` says more"))?;
    Ok(object.body)
}

impl Findings {
    fn segment(&mut self, line: SegmentLine) {
        self.figures.ended(line.outcome, line.attempt, &line.reasons);
        let content = parsed(line.content.as_deref());
        if let Some(content) = &content {
            self.figures.copy(line.outcome, content);
        }
        if self.segments.len() < SEGMENTS_MAX || self.segments.contains_key(&line.segment) {
            let segment = self.segments.entry(line.segment).or_default();
            segment.copies += 1;
            segment.attempts += u64::from(line.attempt);
            if segment.example.is_empty() {
                let text = content.iter().flat_map(Content::values).flat_map(texts).next();
                segment.example = text.unwrap_or_default().to_owned();
            }
        }
    }

    fn message(&mut self, line: OutputLine, has_segments: bool) {
        self.messages_read += 1;
        // Messages of a segment share their copy: it was looked at once already.
        if !has_segments {
            self.figures.ended(line.outcome, line.attempt, &line.reasons);
            if let Some(content) = parsed(line.content.as_deref()) {
                self.figures.copy(line.outcome, &content);
            }
        }
        if let Some(segment) = line.segment.as_ref().and_then(|key| self.segments.get_mut(key)) {
            segment.messages.add(line.outcome, 1);
        }
        self.gallery.offer(line);
    }
}

/// What the model wrote; anything but an object is not worth a report's failure.
pub(super) fn parsed(content: Option<&RawValue>) -> Option<Content> {
    content.and_then(|content| serde_json::from_str(content.get()).ok())
}
