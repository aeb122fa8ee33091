//! From a campaign file to an accepted campaign.
//!
//! [`check`] finds everything that is wrong before anything happens, [`prepare()`] adds the pass over the audience, and
//! [`accept()`] writes down what will be done, once.

use std::path::PathBuf;

use copymill_store::S3Settings;

mod accept;
mod check;
mod kind;
mod prepare;
mod user;

pub use accept::{Acceptance, accept, differences, load};
pub use check::{Checked, check, locate};
pub use kind::{kind_definition, unknown_kind};
pub(crate) use prepare::prepare_by;
pub use prepare::{Prepared, prepare};
pub use user::{OrUserError, user_error};

/// Where a process keeps what it fetches, and how it reaches the buckets that users name.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folder for models.
    pub cache: PathBuf,
    /// Bytes of fetched models that may be kept there.
    pub cache_bytes: u64,
    /// Folder for audiences while they are read.
    pub scratch: PathBuf,
    /// The cluster's settings for S3.
    pub s3: S3Settings,
}
