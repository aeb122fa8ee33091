//! The audience of a campaign, looked through once before anything is accepted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, CampaignFile};
use copymill_store::Store;
use tempfile::TempPath;

use crate::{
    audience::{AudienceError, AudienceOptions, AudienceReader, AudienceScan, Duplicates, scan},
    plan::{MessagePlan, ResumePoint, rows_per_chunk},
};

/// Segments times variants at most. Their compiled copy is held in memory, some 10 KB each.
pub const SEGMENT_COPIES: usize = 10_000;

/// A file that an audience is read from.
#[derive(Debug)]
pub enum SourceFile {
    /// The user's own.
    Own(PathBuf),
    /// A copy of an object, removed when dropped.
    Copy(TempPath),
}

impl SourceFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Copy(path) => path,
        }
    }
}

/// An audience that was scanned.
pub struct Source {
    /// The file.
    pub file: SourceFile,
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
    pub fn scan(from: SourceFile, file: &CampaignFile) -> Result<Self, AudienceError> {
        let options = AudienceOptions::of(&file.audience);
        let reader = AudienceReader::open(from.path(), options.clone())?;
        let columns = reader.columns().to_vec();
        let limit = SEGMENT_COPIES / file.variants.max(1) as usize;
        let AudienceScan { records, duplicates, segments, sha256, bytes } =
            scan(reader, &file.audience.segment_by, limit)?;
        Ok(Self { file: from, options, columns, records, sha256, bytes, duplicates, segments })
    }

    /// Fetches the audience of an accepted campaign into a scratch folder, and makes sure that it is the one.
    pub async fn fetch(store: &dyn Store, campaign: &Accepted, scratch: &Path) -> anyhow::Result<Self> {
        let pin = &campaign.source;
        let key = pin.key.as_deref().context("the campaign names no object with its audience")?;
        let copy = tempfile::NamedTempFile::new_in(scratch)
            .with_context(|| format!("no file can be made in {}", scratch.display()))?
            .into_temp_path();
        if store.download(key, &copy).await?.is_none() {
            bail!("the audience {key} is missing in {}", store.describe());
        }
        let file = campaign.file.clone();
        let source = tokio::task::spawn_blocking(move || Self::scan(SourceFile::Copy(copy), &file)).await??;
        if source.sha256 != pin.sha256 {
            bail!("the audience {key} in {} changed since the campaign was accepted", store.describe());
        }
        Ok(source)
    }

    pub(crate) fn message_plan(
        self,
        campaign: Arc<Accepted>,
        from: ResumePoint,
        chunk_tokens: u64,
    ) -> MessagePlan {
        let rows_per_chunk = rows_per_chunk(&campaign, self.segments.is_some(), chunk_tokens);
        MessagePlan {
            campaign,
            source: self.file,
            options: self.options,
            duplicates: self.duplicates,
            rows_per_chunk,
            from,
        }
    }
}
