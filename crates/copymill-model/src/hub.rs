//! Files of the Hugging Face hub.

use std::path::{Path, PathBuf};

use copymill_store::Version;
use hf_hub::{
    Cache,
    api::sync::{Api, ApiBuilder, ApiError},
};

use crate::ModelError;

/// What an address begins with.
const SCHEME: &str = "hf://";

/// A file of a repository of the hub.
#[derive(Debug, Clone)]
pub(crate) struct HubFile {
    address: String,
    repository: String,
    file: String,
}

impl HubFile {
    /// Whether a name is the address of a file of the hub.
    pub(crate) fn is_address(name: &str) -> bool {
        name.starts_with(SCHEME)
    }

    /// The file of an address; nothing is asked of the hub yet.
    pub(crate) fn open(address: &str) -> Result<Self, ModelError> {
        let bad = || ModelError::BadAddress(address.to_owned());
        let parts: Vec<&str> = address.strip_prefix(SCHEME).ok_or_else(bad)?.splitn(3, '/').collect();
        let [owner, name, file] = parts[..] else { return Err(bad()) };
        if [owner, name, file].iter().any(|part| part.is_empty()) {
            return Err(bad());
        }
        Ok(Self { address: address.to_owned(), repository: format!("{owner}/{name}"), file: file.to_owned() })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where other tools of this user put the file, if they did (`HF_HOME`).
    pub(crate) fn of_other_tools(&self) -> Option<PathBuf> {
        Cache::from_env().model(self.repository.clone()).get(&self.file)
    }

    /// Which content it has now.
    pub(crate) async fn look(&self) -> Result<Version, ModelError> {
        let hub = self.clone();
        let looking = move || {
            let api = api(None).map_err(|error| hub.failed(&error))?;
            let url = api.model(hub.repository.clone()).url(&hub.file);
            // A range: the hub answers HEAD without the size of large files.
            let mut request = ureq::get(&url).set("Range", "bytes=0-0");
            if let Some(token) = token() {
                request = request.set("Authorization", &format!("Bearer {token}"));
            }
            let found = request.call().map_err(|error| hub.failed(&error))?;
            let etag = found.header("x-linked-etag").or(found.header("etag")).unwrap_or_default().to_owned();
            let bytes =
                found.header("content-range").and_then(|range| range.rsplit('/').next()?.parse().ok());
            let bytes = bytes.ok_or_else(|| hub.failed(&"the hub does not say how large the file is"))?;
            Ok(Version { etag, bytes })
        };
        blocking(looking).await
    }

    /// Fetches it; the hub's library leaves it in a folder of its own first, beside the file.
    pub(crate) async fn fetch(&self, to: &Path) -> Result<(), ModelError> {
        let (hub, to) = (self.clone(), to.to_owned());
        let fetching = move || {
            let folder = to.with_extension("hub");
            let api = api(Some(folder.clone())).map_err(|error| hub.failed(&error))?;
            let fetched = api.model(hub.repository.clone()).download(&hub.file);
            let moved = fetched.map_err(|error| hub.failed(&error)).and_then(|link| {
                let moving = link.canonicalize().and_then(|blob| std::fs::rename(blob, &to));
                moving.map_err(|source| ModelError::Io { action: "write", path: to.clone(), source })
            });
            // What stays there after an error goes with the next attempt.
            let _ = std::fs::remove_dir_all(&folder);
            moved
        };
        blocking(fetching).await
    }

    fn failed(&self, reason: &impl ToString) -> ModelError {
        ModelError::Hub { address: self.address.clone(), reason: reason.to_string() }
    }
}

/// The hub, with the user's own token and endpoint (`HF_TOKEN`, `HF_ENDPOINT`).
fn api(cache: Option<PathBuf>) -> Result<Api, ApiError> {
    let mut builder = ApiBuilder::from_env().with_progress(false).with_retries(4).with_token(token());
    if let Some(cache) = cache {
        builder = builder.with_cache_dir(cache);
    }
    builder.build()
}

/// What shows who the user is; the library itself reads its file only.
fn token() -> Option<String> {
    let given = std::env::var("HF_TOKEN").ok().filter(|token| !token.is_empty());
    given.or_else(|| Cache::from_env().token())
}

/// The hub's library blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, ModelError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ModelError::Hub { address: SCHEME.to_owned(), reason: error.to_string() })?
}
