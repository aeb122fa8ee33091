//! One object that a user names by its address, in whatever bucket: an audience, a list, a model.

use std::{io::ErrorKind, path::Path, time::Duration};

use tokio::{fs::File, io::AsyncWriteExt};

use super::{S3Settings, S3Store, bytes, failure::is_missing};
use crate::store::StoreError;

/// What an address begins with.
const SCHEME: &str = "s3://";
/// Times that an object is fetched again from its beginning where the connection broke in the middle of it.
const TRIES: u32 = 4;
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// An object in a bucket, reached with the settings of the cluster.
#[derive(Debug, Clone)]
pub struct S3Object {
    store: S3Store,
    key: String,
    address: String,
}

/// Which content an object had when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Changes with every change of the content.
    pub etag: String,
    /// Its size.
    pub bytes: u64,
}

/// Why an object could not be fetched into a file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is none.
    #[error(
        "there is no object {0}; check bucket and key, and COPYMILL_STORE__S3__ENDPOINT if it is not on AWS"
    )]
    Missing(String),
    /// The disk has no room for it.
    #[error(
        "{address} has {needed} bytes and {folder} has {free} bytes free; free some, or name another folder"
    )]
    NoRoom {
        /// The object.
        address: String,
        /// Bytes of the object.
        needed: u64,
        /// Where it was to go.
        folder: String,
        /// Bytes that are free there.
        free: u64,
    },
    /// It was replaced again and again while it was read.
    #[error("{0} was changed while it was read; try again once nobody writes it")]
    Changed(String),
    /// The file could not be written.
    #[error("{file} could not be written")]
    Disk {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store could not be asked, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl S3Object {
    /// Whether a text is the address of an object rather than a path.
    pub fn is_address(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The object of an address; nothing is asked of the server yet.
    pub async fn open(address: &str, settings: &S3Settings) -> Result<Self, StoreError> {
        let bad = || StoreError::BadKey(address.to_owned());
        let (bucket, key) =
            address.strip_prefix(SCHEME).and_then(|path| path.split_once('/')).ok_or_else(bad)?;
        if bucket.is_empty() || crate::validate_key(key).is_err() {
            return Err(bad());
        }
        let store = S3Store::open(bucket, settings.clone()).await?;
        Ok(Self { store, key: key.to_owned(), address: address.to_owned() })
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Which content it has now.
    pub async fn look(&self) -> Result<Version, FetchError> {
        let request = self.store.client.head_object().bucket(&self.store.bucket);
        match request.key(self.store.object_key(&self.key)?).send().await {
            Ok(found) => {
                Ok(Version { etag: found.e_tag.unwrap_or_default(), bytes: bytes(found.content_length) })
            }
            Err(error) if is_missing(&error) => Err(FetchError::Missing(self.address.clone())),
            Err(error) => Err(self.store.failing("look at", &self.key).with(error).into()),
        }
    }

    /// Copies it into a file, piece by piece, and says which content that is. After an error the file may hold a part.
    pub async fn fetch(&self, to: &Path) -> Result<Version, FetchError> {
        let mut tries = 1;
        loop {
            let version = self.look().await?;
            let free = free_bytes(folder_of(to));
            if free.is_some_and(|free| free < version.bytes) {
                return Err(self.no_room(version.bytes, to));
            }
            match self.copy(&version, to).await {
                Err(FetchError::Store(StoreError::Failed { .. }) | FetchError::Changed(_))
                    if tries < TRIES =>
                {
                    tokio::time::sleep(AGAIN_AFTER * tries).await;
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(version),
            }
        }
    }

    async fn copy(&self, version: &Version, to: &Path) -> Result<(), FetchError> {
        let failing = self.store.failing("read", &self.key);
        let found = self.store.get_object(&self.key).await?;
        let mut found = found.ok_or_else(|| FetchError::Missing(self.address.clone()))?;
        if found.e_tag.as_deref().unwrap_or_default() != version.etag {
            return Err(FetchError::Changed(self.address.clone()));
        }
        let full = |source: std::io::Error| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                self.no_room(version.bytes, to)
            }
            _ => FetchError::Disk { file: to.display().to_string(), source },
        };
        let mut file = File::create(to).await.map_err(full)?;
        let mut copied = 0;
        while let Some(piece) = found.body.try_next().await.map_err(|error| failing.because(error))? {
            copied += piece.len() as u64;
            file.write_all(&piece).await.map_err(full)?;
        }
        file.flush().await.map_err(full)?;
        if copied != version.bytes {
            let why = format!("{copied} of {} bytes arrived", version.bytes);
            return Err(failing.because(why).into());
        }
        Ok(())
    }

    fn no_room(&self, needed: u64, to: &Path) -> FetchError {
        FetchError::NoRoom {
            address: self.address.clone(),
            needed,
            folder: folder_of(to).display().to_string(),
            free: free_bytes(folder_of(to)).unwrap_or(0),
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Bytes that are free for files in a folder; none where the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_names_a_bucket_and_a_key() {
        assert!(S3Object::is_address("s3://lists/people.csv") && !S3Object::is_address("lists/people.csv"));
        for bad in ["s3://", "s3://lists", "s3://lists/", "s3:///people.csv", "s3://lists/../people.csv"] {
            let error = S3Object::open(bad, &S3Settings::default()).await.unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
