//! The audience of a campaign, looked through once before anything is accepted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use copymill_campaign::{Accepted, CampaignFile};
use copymill_store::{S3Object, Store};
use copymill_suppression::CampaignList;
use tempfile::TempPath;

use crate::{
    Places,
    audience::{
        AudienceError, AudienceOptions, AudienceReader, AudienceScan, Duplicates, Gaps, ScanColumns, scan,
    },
    plan::{MessagePlan, ResumePoint, rows_per_chunk},
};

/// Segments times variants at most. Their compiled copy is held in memory, some 10 KB each.
pub const SEGMENT_COPIES: usize = 10_000;

/// A file that an audience is read from.
#[derive(Debug, Clone)]
pub enum SourceFile {
    /// The user's own.
    Own(PathBuf),
    /// A copy of an object, removed with the last clone.
    Copy {
        /// Where it is.
        path: Arc<TempPath>,
        /// What the campaign calls it.
        name: String,
    },
}

impl SourceFile {
    /// The file that a campaign or a command names: a path below `base`, or `s3://bucket/key`, of which a copy is fetched
    /// into `places.scratch`.
    pub async fn find(named: &str, base: &Path, places: &Places) -> anyhow::Result<Self> {
        if !S3Object::is_address(named) {
            return Ok(Self::Own(base.join(named)));
        }
        let object = S3Object::open(named, &places.s3).await?;
        let path = scratch_file(&places.scratch)?;
        object.fetch(&path).await?;
        Ok(Self::Copy { path: Arc::new(path), name: named.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Copy { path, .. } => path,
        }
    }

    /// Where its content is from: an absolute path, or an address.
    pub fn location(&self) -> std::io::Result<String> {
        match self {
            Self::Own(path) => Ok(std::path::absolute(path)?.display().to_string()),
            Self::Copy { name, .. } => Ok(name.clone()),
        }
    }

    /// Begins to read it.
    pub fn open(&self, options: AudienceOptions) -> Result<AudienceReader, AudienceError> {
        let name = match self {
            Self::Own(_) => None,
            Self::Copy { name, .. } => Some(name.clone()),
        };
        AudienceReader::open(self.path(), AudienceOptions { name, ..options })
    }
}

/// A file of its own in a scratch folder.
fn scratch_file(folder: &Path) -> anyhow::Result<TempPath> {
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::NamedTempFile::new_in(folder));
    Ok(made.with_context(|| format!("no file can be made in {}", folder.display()))?.into_temp_path())
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
    /// Who must not be written to, where the campaign has a list.
    pub suppression: Option<CampaignList>,
    /// The distinct segments; none where the campaign has none or they are too many.
    pub segments: Option<Vec<Vec<String>>>,
    /// Merge fields without a default that some rows leave empty.
    pub gaps: Vec<Gaps>,
}

impl Source {
    /// Reads the audience once: counts, hashes, finds duplicate ids and segments. Blocks.
    pub fn scan(from: SourceFile, file: &CampaignFile) -> Result<Self, AudienceError> {
        let options = AudienceOptions::of(&file.audience);
        let reader = from.open(options.clone())?;
        let columns = reader.columns().to_vec();
        let limit = SEGMENT_COPIES / file.variants.max(1) as usize;
        let mut filled = file.merge_fields(&columns);
        filled.retain(|name| !file.audience.defaults.contains_key(name));
        let wanted = ScanColumns { segment_by: &file.audience.segment_by, filled: &filled };
        let AudienceScan { records, duplicates, segments, gaps, sha256, bytes } =
            scan(reader, wanted, limit)?;
        Ok(Self {
            file: from,
            options,
            columns,
            records,
            sha256,
            bytes,
            duplicates,
            suppression: None,
            segments,
            gaps,
        })
    }

    /// Fetches the audience of an accepted campaign into a scratch folder, and makes sure that it is the one. Its suppression
    /// list is read apart.
    pub async fn fetch(store: &dyn Store, campaign: &Accepted, scratch: &Path) -> anyhow::Result<Self> {
        let pin = &campaign.source;
        let key = pin.key.as_deref().context("the campaign names no object with its audience")?;
        let copy = scratch_file(scratch)?;
        if store.download(key, &copy).await?.is_none() {
            bail!("the audience {key} is missing in {}", store.describe());
        }
        let file = campaign.file.clone();
        let copy = SourceFile::Copy { path: Arc::new(copy), name: file.audience.source.clone() };
        let source = tokio::task::spawn_blocking(move || Self::scan(copy, &file)).await??;
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
            suppression: self.suppression,
            rows_per_chunk,
            from,
        }
    }
}
