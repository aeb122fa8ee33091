//! Where models are fetched from.

use std::{fs::File, path::Path, sync::Arc};

use copymill_store::{FetchError, S3Object, Version};

use crate::{ModelError, hub::HubFile};

/// A model file on another machine.
pub(crate) enum Remote {
    /// An object of a bucket.
    Object(Box<S3Object>),
    /// A file of the hub.
    Hub(Arc<HubFile>),
}

impl Remote {
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Object(object) => object.address(),
            Self::Hub(file) => file.address(),
        }
    }

    /// Which content it has now.
    pub(crate) async fn look(&self) -> Result<Version, ModelError> {
        match self {
            Self::Object(object) => Ok(object.look().await?),
            Self::Hub(file) => {
                let file = file.clone();
                blocking(move || file.look()).await
            }
        }
    }

    /// Copies the content that was seen into a file. After an error the file may hold a part. `alone` is the proof that
    /// nobody else fetches there.
    pub(crate) async fn fetch(&self, version: &Version, to: &Path, alone: File) -> Result<File, ModelError> {
        match self {
            Self::Object(object) if object.fetch(to).await? == *version => Ok(alone),
            Self::Object(object) => Err(FetchError::Changed(object.address().to_owned()).into()),
            Self::Hub(file) => {
                let (file, version, to) = (file.clone(), version.clone(), to.to_owned());
                blocking(move || file.fetch(&version, &to, alone)).await
            }
        }
    }
}

/// The hub's library blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, ModelError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ModelError::Stopped)?
}
