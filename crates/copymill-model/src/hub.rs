//! Files of the Hugging Face hub.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use copymill_store::{FetchError, Version, free_bytes};
use hf_hub::{
    Cache,
    api::sync::{Api, ApiBuilder, ApiError},
};
use ureq::{Agent, AgentBuilder, Response};

use crate::ModelError;

/// What an address begins with.
const SCHEME: &str = "hf://";
/// How often the hub is asked, and how long the first wait between is.
const TRIES: u32 = 4;
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A hub that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirects that are followed until the file is found, such as of a repository with a new name.
const REDIRECTS: u32 = 5;

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
        let parts: Vec<&str> = address.strip_prefix(SCHEME).unwrap_or_default().split('/').collect();
        // The parts become folders of the hub's library.
        let is_plain = |part: &&str| {
            !part.is_empty() && *part != "." && *part != ".." && !part.contains(['?', '#', '\\'])
        };
        let [owner, name, file @ ..] = parts.as_slice() else {
            return Err(ModelError::BadAddress(address.to_owned()));
        };
        if file.is_empty() || !parts.iter().all(is_plain) {
            return Err(ModelError::BadAddress(address.to_owned()));
        }
        Ok(Self { address: address.to_owned(), repository: format!("{owner}/{name}"), file: file.join("/") })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where other tools of this user put the file, if they did (`HF_HOME`).
    pub(crate) fn of_other_tools(&self) -> Option<PathBuf> {
        Cache::from_env().model(self.repository.clone()).get(&self.file)
    }

    /// Which content it has now. Blocks.
    pub(crate) fn look(&self) -> Result<Version, ModelError> {
        let url = self.api(None)?.model(self.repository.clone()).url(&self.file);
        let mut wait = AGAIN_AFTER;
        for _ in 1..TRIES {
            match self.ask(&url) {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "the hub is asked again");
                    std::thread::sleep(wait);
                    wait *= 2;
                }
                answered => return answered,
            }
        }
        self.ask(&url)
    }

    /// Fetches it. The hub's library leaves it in a folder of its own first, beside the file. Nobody else may fetch there
    /// meanwhile, also where nobody waits for this any more. Blocks.
    pub(crate) fn fetch(&self, version: &Version, to: &Path, alone: File) -> Result<File, ModelError> {
        let folder = to.with_extension("hub");
        let room = free_bytes(to.parent().unwrap_or(to));
        if let Some(free) = room.filter(|free| *free < version.bytes) {
            let (address, needed) = (self.address.clone(), version.bytes);
            let above = to.parent().unwrap_or(to).display().to_string();
            return Err(FetchError::NoRoom { address, needed, folder: above, free }.into());
        }
        let moved = self.fetch_into(version, &folder, to);
        // What stays there after an error goes with the next attempt.
        let _ = std::fs::remove_dir_all(&folder);
        moved.map(|()| alone)
    }

    fn fetch_into(&self, version: &Version, folder: &Path, to: &Path) -> Result<(), ModelError> {
        let api = self.api(Some(folder.to_owned()))?;
        let fetched = api.model(self.repository.clone()).download(&self.file);
        let link = fetched.map_err(|error| self.failed(None, &error))?;
        let moving = link.canonicalize().and_then(|blob| std::fs::rename(&blob, to).map(|()| blob));
        let blob =
            moving.map_err(|source| ModelError::Io { action: "write", path: to.to_owned(), source })?;
        // The library names a blob by its tag.
        if blob.file_name().is_some_and(|tag| tag == version.etag.as_str()) {
            return Ok(());
        }
        Err(FetchError::Changed(self.address.clone()).into())
    }

    /// Asks for the first byte: the hub answers HEAD without the size of large files, which are elsewhere.
    fn ask(&self, url: &str) -> Result<Version, ModelError> {
        let (agent, token) = (agent(), token()?);
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = agent.get(&url).set("Range", "bytes=0-0");
            if let Some(token) = &token {
                request = request.set("Authorization", &format!("Bearer {token}"));
            }
            let found = request.call().map_err(|error| self.unanswered(&error))?;
            let number =
                |name: &str| found.header(name).and_then(|text| text.rsplit('/').next()?.parse().ok());
            let etag = found.header("x-linked-etag").or(found.header("etag")).map(plain_tag);
            let bytes: Option<u64> = number("x-linked-size").or_else(|| number("content-range"));
            match (etag, bytes, next(&url, &found)) {
                (Some(etag), Some(bytes), _) => return Ok(Version { etag, bytes }),
                (_, _, Some(moved)) => url = moved,
                _ => return Err(self.failed(None, &"the hub does not say which content the file has")),
            }
        }
        Err(self.failed(None, &"the hub redirects without end"))
    }

    fn unanswered(&self, error: &ureq::Error) -> ModelError {
        match error {
            ureq::Error::Status(status, _) => {
                self.failed(Some(*status), &format!("the hub answers {status}"))
            }
            // Its text may show a header.
            ureq::Error::Transport(error) => {
                self.failed(None, &error.message().unwrap_or("the hub cannot be reached"))
            }
        }
    }

    fn failed(&self, status: Option<u16>, reason: &impl ToString) -> ModelError {
        let mut reason = reason.to_string();
        if matches!(status, Some(401 | 403)) {
            reason.push_str("; a gated model needs the environment variable HF_TOKEN");
        }
        ModelError::Hub { address: self.address.clone(), reason, status }
    }

    /// The hub, with the user's own token and endpoint (`HF_TOKEN`, `HF_ENDPOINT`).
    fn api(&self, cache: Option<PathBuf>) -> Result<Api, ModelError> {
        let mut builder = ApiBuilder::from_env().with_progress(false).with_retries(TRIES as usize);
        builder = builder.with_token(token()?);
        if let Some(cache) = cache {
            builder = builder.with_cache_dir(cache);
        }
        builder.build().map_err(|error: ApiError| self.failed(None, &error))
    }
}

/// Asks through the user's proxy, as the hub's library does. Redirects are followed by hand: the first answer has the tag
/// of the content, and the token is for the hub alone.
fn agent() -> Agent {
    let agent = AgentBuilder::new().try_proxy_from_env(true).redirects(0);
    agent.timeout_connect(PATIENCE).timeout_read(PATIENCE).build()
}

/// Where a redirect leads on the same host.
fn next(url: &str, answer: &Response) -> Option<String> {
    let path = answer.header("location").filter(|location| location.starts_with('/'))?;
    let host = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    Some(host + path)
}

fn plain_tag(tag: &str) -> String {
    tag.trim_start_matches("W/").replace('"', "")
}

/// What shows who the user is; the library itself reads its file only.
fn token() -> Result<Option<String>, ModelError> {
    let given = std::env::var("HF_TOKEN").map(|token| token.trim().to_owned()).unwrap_or_default();
    if given.is_empty() {
        return Ok(Cache::from_env().token());
    }
    let is_token = given.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(Some(given)) } else { Err(ModelError::BadToken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_owner_repository_and_file_and_leaves_no_folder() {
        let file = HubFile::open("hf://owner/repository/folder/file.gguf").unwrap();
        assert_eq!((file.repository.as_str(), file.file.as_str()), ("owner/repository", "folder/file.gguf"));
        for address in [
            "hf://",
            "hf://owner",
            "hf://owner/repository",
            "hf://owner/repository/",
            "hf:///x/y.gguf",
            "hf://owner/repository//etc/passwd",
            "hf://owner/repository/../../x.gguf",
            "hf://../repository/x.gguf",
            "hf://owner/repository/x.gguf?download=true",
        ] {
            let error = HubFile::open(address).unwrap_err().to_string();
            assert!(error.contains("hf://owner/repository/file.gguf"), "{error}");
        }
    }
}
