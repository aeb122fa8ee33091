//! The audience of a campaign, looked through once before anything is accepted.

use std::{path::PathBuf, sync::Arc};

use copymill_campaign::{Accepted, CampaignFile};

use crate::{
    audience::{AudienceError, AudienceOptions, AudienceReader, AudienceScan, Duplicates, scan},
    plan::{MessagePlan, ResumePoint, rows_per_chunk},
};

/// Segments times variants at most. Their compiled copy is held in memory, some 10 KB each.
pub const SEGMENT_COPIES: usize = 10_000;

/// An audience that was scanned.
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// How it is read.
    pub options: AudienceOptions,
    /// Its columns.
    pub columns: Vec<String>,
    /// Records, unusable ones included.
    pub records: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Rows whose id an earlier row has.
    pub duplicates: Duplicates,
    /// The distinct segments; none where the campaign has none or they are too many.
    pub segments: Option<Vec<Vec<String>>>,
}

impl Source {
    /// Reads the audience once: counts, hashes, finds duplicate ids and segments. Blocks.
    pub fn scan(path: PathBuf, file: &CampaignFile) -> Result<Self, AudienceError> {
        let options = AudienceOptions::of(&file.audience);
        let reader = AudienceReader::open(&path, options.clone())?;
        let columns = reader.columns().to_vec();
        let limit = SEGMENT_COPIES / file.variants.max(1) as usize;
        let AudienceScan { records, duplicates, segments, sha256, bytes } =
            scan(reader, &file.audience.segment_by, limit)?;
        Ok(Self { path, options, columns, records, sha256, bytes, duplicates, segments })
    }

    pub(crate) fn message_plan(self, campaign: Arc<Accepted>, from: ResumePoint) -> MessagePlan {
        let rows_per_chunk = rows_per_chunk(&campaign, self.segments.is_some());
        MessagePlan {
            campaign,
            source: self.path,
            options: self.options,
            duplicates: self.duplicates,
            rows_per_chunk,
            from,
        }
    }
}
