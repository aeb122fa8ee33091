//! What can be wrong with an audience, as a whole and with one record.

use std::{
    io,
    path::{Path, PathBuf},
};

use copymill_campaign::nearest;
use copymill_store::PackedError;

/// Files of a folder that are looked at for a near miss.
const NEIGHBOURS_MAX: usize = 1_000;

/// Why an audience cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum AudienceError {
    /// There is no such file.
    #[error("the audience {} does not exist{hint}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// A near miss in the same folder, as the end of a sentence; may be empty.
        hint: String,
    },
    /// The operating system refuses to read it, or stopped to.
    #[error("the audience {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can be read and is no audience.
    #[error("the audience {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, where, and what to do.
        reason: String,
    },
    /// Scratch files for finding duplicate ids cannot be written or read back.
    #[error(
        "a scratch file for finding duplicate ids failed; is there space in the temporary folder (TMPDIR)?"
    )]
    Scratch(#[source] io::Error),
}

impl AudienceError {
    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.into() }
    }

    /// A file with a header and nothing else.
    pub(crate) fn without_recipients(path: &Path) -> Self {
        Self::unusable(path, "it has a header and no recipients")
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned(), hint: near_miss(path) },
            io::ErrorKind::IsADirectory => {
                Self::unusable(path, "it is a folder; name a CSV, JSONL or Parquet file")
            }
            _ => match source.get_ref().and_then(|inner| inner.downcast_ref::<PackedError>()) {
                Some(packed) => Self::unusable(path, packed.to_string()),
                None => Self::Unreadable { path: path.to_owned(), source },
            },
        }
    }
}

/// Why one record cannot be used. The message names lines and columns, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// A stable code, such as `too_few_columns`.
    pub code: &'static str,
    /// What is wrong and where.
    pub message: String,
}

impl RecordError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

fn near_miss(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!("; the folder {} does not exist either", folder.display());
    };
    let names: Vec<String> =
        entries.take(NEIGHBOURS_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let wanted = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    nearest(wanted, names.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean {}?", folder.join(near).display()))
}
