//! The folder store: an object is a plain file, its key the path beneath the root, so that people can look at it.
//!
//! Safe between any number of processes on one machine: bodies are written to `.tmp` on the same file system, then
//! renamed into place under a lock. What blocks runs on the runtime's threads for blocking work.

mod list;
mod put;
mod scratch;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::key::validate_key;
use crate::store::{Condition, Listed, Object, Put, Store, StoreError};

/// A store of plain files in a folder; clones share it. An object's ETag is the SHA-256 of its content in hex.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: Arc<Path>,
}

impl FolderStore {
    /// Opens a folder, which need not exist, and removes what writers that died left in its `.tmp`.
    ///
    /// Writes nothing, so that a folder which may only be read can be read; the first put makes what is missing.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root: PathBuf = root.into();
        let store = Self { root: root.into() };
        match std::fs::metadata(&store.root) {
            Ok(found) if found.is_dir() => scratch::remove_stale(&store.root),
            Ok(_) => return Err(store.error("open", "", ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(store.error("open", "", error)),
        }
        Ok(store)
    }

    /// Runs blocking work on the folder where it does not hold up the runtime.
    async fn blocking<T, F>(&self, action: &'static str, key: &str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Path) -> io::Result<T> + Send + 'static,
    {
        let root = Arc::clone(&self.root);
        let result = match tokio::task::spawn_blocking(move || work(&root)).await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(stopped) => Err(io::Error::other(stopped)),
            },
        };
        result.map_err(|error| self.error(action, key, error))
    }

    fn error(&self, action: &'static str, key: &str, source: io::Error) -> StoreError {
        let place = self.describe();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreError::Full { place }
            }
            _ => StoreError::Failed { action, key: key.to_owned(), place, source: source.into() },
        }
    }
}

#[async_trait]
impl Store for FolderStore {
    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        validate_key(key)?;
        let path = PathBuf::from(key);
        self.blocking("read", key, move |root| {
            let body = absent_as_none(std::fs::read(root.join(path)))?;
            Ok(body.map(|body| Object { etag: hex(&Sha256::digest(&body)), body: body.into() }))
        })
        .await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> Result<Put, StoreError> {
        validate_key(key)?;
        let path = PathBuf::from(key);
        self.blocking("write", key, move |root| put::put(root, &path, body.as_ref(), &condition)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Listed>, StoreError> {
        validate_key(key)?;
        let owned = key.to_owned();
        self.blocking("look at", key, move |root| {
            let found = absent_as_none(std::fs::metadata(root.join(&owned)))?;
            Ok(found.filter(|found| !found.is_dir()).map(|found| Listed { key: owned, bytes: found.len() }))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        validate_key(key)?;
        let path = PathBuf::from(key);
        self.blocking("delete", key, move |root| put::delete(root, &path)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, StoreError> {
        let (owned, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.blocking("list", prefix, move |root| list::page(root, &owned, after.as_deref())).await
    }

    async fn download(&self, key: &str, to: &Path) -> Result<Option<Listed>, StoreError> {
        validate_key(key)?;
        let (owned, to) = (key.to_owned(), to.to_owned());
        self.blocking("read", key, move |root| {
            let copied = absent_as_none(std::fs::copy(root.join(&owned), to))?;
            Ok(copied.map(|bytes| Listed { key: owned, bytes }))
        })
        .await
    }

    async fn upload(&self, key: &str, from: &Path, condition: Condition) -> Result<Put, StoreError> {
        validate_key(key)?;
        let (path, from) = (PathBuf::from(key), from.to_owned());
        self.blocking("write", key, move |root| put::put(root, &path, std::fs::File::open(from)?, &condition))
            .await
    }

    fn describe(&self) -> String {
        format!("the folder {}", self.root.display())
    }
}

/// Bytes as ETags show them.
fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is not there, or is only a folder, is no object rather than an error.
fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => Ok(None),
            _ => Err(error),
        },
    }
}
