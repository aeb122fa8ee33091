//! Opening a store by its address: `s3://bucket/prefix`, or a folder.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::probe::{ProbeError, probe};
use crate::{FolderStore, S3Settings, S3Store, Store, StoreError};

/// How long after a store that did not answer it is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Where objects are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `s3://bucket/prefix`, or a folder that all processes share.
    pub url: String,
    /// How the bucket is reached and written.
    pub s3: S3Settings,
    /// Allows a store that ignores conditions; see [`probe`].
    pub unconditional: bool,
}

impl StoreSettings {
    /// Opens the store, without asking anything of it.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        if self.url.is_empty() {
            return Err(StoreError::NoAddress);
        }
        match self.url.strip_prefix("s3://") {
            Some(location) => Ok(Arc::new(S3Store::open(location, self.s3.clone()).await?)),
            None => Ok(Arc::new(FolderStore::open(&self.url)?)),
        }
    }

    /// Like [`StoreSettings::open_probed`], however long a bucket does not answer: for programs that would only start again.
    /// A folder that cannot be used is an error at once.
    pub async fn wait_for(&self) -> Result<Arc<dyn Store>, ProbeError> {
        loop {
            match self.open_probed().await {
                Err(ProbeError::Store(error @ StoreError::Failed { .. }))
                    if self.url.starts_with("s3://") =>
                {
                    let cause =
                        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(
                        store.url = self.url,
                        "the store cannot be used; trying again: {error}: {cause}"
                    );
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                probed => return probed,
            }
        }
    }

    /// Opens the store and makes sure that it honours conditions, unless the settings allow one that does not.
    pub async fn open_probed(&self) -> Result<Arc<dyn Store>, ProbeError> {
        let store = self.open().await?;
        match probe(&store).await {
            Err(ProbeError::NotAtomic { header, .. }) if self.unconditional => {
                tracing::warn!(
                    store.url = self.url,
                    header,
                    "the store ignores conditions, as its settings allow"
                );
            }
            probed => probed?,
        }
        Ok(store)
    }
}
