//! The seam: what Copymill needs of an object store, in our words.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

/// An object store. Keys are relative paths with `/`; [`validate_key`](crate::validate_key) says which.
///
/// A put is whole, durable and visible to every reader when it returns; no reader ever sees a part of one.
/// Conditions are atomic: of any number of writers that race on one condition, exactly one is told [`Put::Stored`].
/// After [`StoreError::Failed`] a put may have taken place or not: read back before trying again.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns an object whole; none where there is no such key.
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError>;

    /// Writes an object whole where the condition holds.
    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Result<Put, StoreError>;

    /// Says whether an object is there and how large it is; none where there is no such key.
    async fn head(&self, key: &str) -> Result<Option<Listed>, StoreError>;

    /// Removes an object; a missing key is success.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Returns at most one page of keys that start with `prefix` and follow `after`, ascending.
    ///
    /// An empty page is the end. Objects that are being written are not listed.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError>;

    /// Copies an object into a file, piece by piece; none where there is no such key. After an error, or where the
    /// process dies, the file may hold a part: write to a name of its own and rename.
    async fn download(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError>;

    /// Writes a file's content as an object where the condition holds, without holding it in memory.
    async fn upload(&self, key: &str, from: &Path, condition: Condition) -> Result<Put, StoreError>;

    /// Says where the store is, for messages to people.
    fn describe(&self) -> String;
}

/// The store answers within this, or it counts as one that does not.
const ANSWERS: Duration = Duration::from_secs(3);

/// Whether a store answers, and soon.
pub async fn answers(store: &dyn Store) -> bool {
    // Any key will do, whether it is there or not.
    matches!(tokio::time::timeout(ANSWERS, store.head("leader.json")).await, Ok(Ok(_)))
}

/// An object that was read.
#[derive(Debug, Clone)]
pub struct Object {
    /// The content.
    pub body: Bytes,
    /// Changes with every change of the content.
    pub etag: String,
}

/// An object that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Size of the content in bytes.
    pub bytes: u64,
}

/// When a put takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// Only where there is no such key.
    IfAbsent,
    /// Only where the object is there and still has this ETag.
    IfMatch(String),
}

/// What became of a conditional put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Written; the new ETag.
    Stored(String),
    /// The condition did not hold; nothing was written.
    Refused,
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody said which store.
    #[error(
        "store.url is not set: name a store that all programs share, s3://bucket/prefix or a folder, in COPYMILL_STORE__URL \
         or in the settings file"
    )]
    NoAddress,
    /// The key would leave the store, or not every store could hold it.
    #[error(
        "{0:?} is no key: keys are short relative paths whose parts are not empty and do not begin with a dot"
    )]
    BadKey(String),
    /// No room; nothing was written and a later try may succeed.
    #[error(
        "no space is left in {place}; nothing is lost: free some, then run the command again or resume the campaign"
    )]
    Full {
        /// The store.
        place: String,
    },
    /// The store could not be asked, or failed.
    #[error("could not {action} {key} in {place}")]
    Failed {
        /// What was tried, such as `write`.
        action: &'static str,
        /// The key.
        key: String,
        /// The store.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
