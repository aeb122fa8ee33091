//! Where models are fetched from.

use std::path::Path;

use copymill_store::{FetchError, S3Object, Version};

use crate::{ModelError, hub::HubFile};

/// A model file on another machine.
pub(crate) enum Remote {
    /// An object of a bucket.
    Object(S3Object),
    /// A file of the hub.
    Hub(HubFile),
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
            Self::Hub(file) => file.look().await,
        }
    }

    /// Copies the content that was seen into a file. After an error the file may hold a part.
    pub(crate) async fn fetch(&self, version: &Version, to: &Path) -> Result<(), ModelError> {
        let fetched = match self {
            Self::Object(object) => object.fetch(to).await?,
            Self::Hub(file) => {
                file.fetch(to).await?;
                file.look().await?
            }
        };
        if fetched == *version { Ok(()) } else { Err(FetchError::Changed(self.address().to_owned()).into()) }
    }
}
