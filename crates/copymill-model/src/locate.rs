//! Finding a model file: the bundled one, a path, an object of a bucket, or a file of the Hugging Face hub; checked by
//! SHA-256.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use copymill_campaign::ModelPin;
use copymill_store::{FetchError, S3Object, S3Settings, StoreError};

use crate::{cache::ModelCache, digest::file_sha256, hub::HubFile, remote::Remote};

/// The demonstration model, a part of the program so that `model: demo` works wherever it is installed.
static DEMO: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo-model/demo.gguf"));

/// A model file that is there and has the checksum asked for.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// What the campaign calls it, and its checksum.
    pub pin: ModelPin,
    /// Keeps a fetched model from being removed by whoever fetches another one.
    pub held: Option<Arc<fs::File>>,
}

/// Why there is no model file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The path leads nowhere.
    #[error("there is no model file {path}{hint}", path = path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// What to do.
        hint: String,
    },
    /// `hf://` is followed by something else than owner, repository and file.
    #[error("`{0}` names no file of the hub; write hf://owner/repository/file.gguf")]
    BadAddress(String),
    /// The hub did not give the file.
    #[error("{address} could not be fetched: {reason}")]
    Hub {
        /// The address.
        address: String,
        /// Why.
        reason: String,
        /// The status of its answer; none where there was no answer.
        status: Option<u16>,
    },
    /// `HF_TOKEN` is set, and to no token.
    #[error(
        "the environment variable HF_TOKEN holds something else than a token: one has no spaces and no line breaks"
    )]
    BadToken,
    /// The process stops.
    #[error("the process stops")]
    Stopped,
    /// The bucket did not give the file.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is larger than what may be kept.
    #[error(
        "{address} has {bytes} bytes and {folder} may hold {limit} bytes of models{in_use}; raise the limit: \
         COPYMILL_CACHE_BYTES for the command line, worker.cache_bytes and scheduler.cache_bytes for a cluster"
    )]
    NoPlace {
        /// The address.
        address: String,
        /// Its size.
        bytes: u64,
        /// The folder.
        folder: String,
        /// Bytes of all models that may be kept.
        limit: u64,
        /// What else takes the room; may be empty.
        in_use: String,
    },
    /// The file is another one.
    #[error("{path} has the sha256 {found}, the campaign asks for {expected}", path = path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Its checksum.
        found: String,
        /// What the campaign says.
        expected: String,
    },
    /// The disk failed.
    #[error("could not {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ModelError {
    /// Whether another try may succeed although nothing is mended: nobody answered, or with a trouble of their own.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Hub { status, .. } => status.is_none_or(|status| status == 429 || status >= 500),
            Self::Fetch(FetchError::Store(StoreError::Failed { .. })) => true,
            _ => false,
        }
    }
}

/// Where models are looked for and kept.
#[derive(Debug, Clone)]
pub struct ModelPlaces {
    /// Relative paths start here: the campaign file's folder.
    pub base: PathBuf,
    /// Folder for fetched models, the unpacked demonstration model and remembered checksums.
    pub cache: PathBuf,
    /// Bytes of fetched models that may be kept there.
    pub cache_bytes: u64,
    /// How buckets are reached.
    pub s3: S3Settings,
}

/// Finds the model that a campaign names, fetching it where it is not there. Blocks while a file is hashed.
pub async fn find_model(
    name: &str,
    expected_sha256: Option<&str>,
    places: &ModelPlaces,
) -> Result<ModelFile, ModelError> {
    let remote = if S3Object::is_address(name) {
        let object = S3Object::open(name, &places.s3).await.map_err(FetchError::from)?;
        Remote::Object(object.into())
    } else if HubFile::is_address(name) {
        let file = HubFile::open(name)?;
        match file.of_other_tools().map(|path| local(name, path, expected_sha256, places)) {
            // Theirs may be an older one.
            None | Some(Err(ModelError::Checksum { .. })) => Remote::Hub(file.into()),
            Some(theirs) => return theirs,
        }
    } else {
        return locate_model(name, expected_sha256, places);
    };
    let cache = ModelCache::new(&places.cache, places.cache_bytes);
    let found = cache.take(&remote, expected_sha256).await?;
    let pin = ModelPin { name: short_name(name), sha256: found.sha256 };
    Ok(ModelFile { path: found.path, pin, held: Some(Arc::new(found.held)) })
}

fn locate_model(
    name: &str,
    expected_sha256: Option<&str>,
    places: &ModelPlaces,
) -> Result<ModelFile, ModelError> {
    let path = if name == "demo" { unpack_demo(&places.cache)? } else { places.base.join(name) };
    if !path.is_file() {
        let hint = if name.contains(['/', '.']) {
            String::new()
        } else {
            "; write `demo` for the bundled model, a path to a GGUF file, s3://bucket/key.gguf, or \
             hf://owner/repository/file.gguf"
                .into()
        };
        return Err(ModelError::Missing { path, hint });
    }
    local(name, path, expected_sha256, places)
}

/// A file of this machine that nobody fetches or removes.
fn local(
    name: &str,
    path: PathBuf,
    expected_sha256: Option<&str>,
    places: &ModelPlaces,
) -> Result<ModelFile, ModelError> {
    let sha256 = file_sha256(&path, &places.cache)?;
    check_sha256(&path, &sha256, expected_sha256)?;
    Ok(ModelFile { path, pin: ModelPin { name: short_name(name), sha256 }, held: None })
}

/// Fails where a file is not the one that was asked for.
pub(crate) fn check_sha256(path: &Path, found: &str, expected: Option<&str>) -> Result<(), ModelError> {
    match expected {
        Some(expected) if !expected.eq_ignore_ascii_case(found) => Err(ModelError::Checksum {
            path: path.to_owned(),
            found: found.to_owned(),
            expected: expected.to_ascii_lowercase(),
        }),
        _ => Ok(()),
    }
}

/// The name that queues and reports show: the file's stem. A plus stands between a model and its adapter alone.
fn short_name(name: &str) -> String {
    let stem = Path::new(name).file_stem();
    stem.map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned()).replace('+', "-")
}

/// llama.cpp maps a file into memory, so the bundled bytes are written to the user's cache once.
fn unpack_demo(cache: &Path) -> Result<PathBuf, ModelError> {
    let digest = copymill_campaign::sha256_hex(DEMO);
    let path = cache.join(format!("demo-{}.gguf", &digest[..12]));
    if fs::metadata(&path).is_ok_and(|found| found.len() == DEMO.len() as u64) {
        return Ok(path);
    }
    let create = |source| ModelError::Io { action: "create", path: cache.to_owned(), source };
    fs::create_dir_all(cache).map_err(create)?;
    let half = path.with_extension(format!("{}.part", std::process::id()));
    let write = fs::write(&half, DEMO).and_then(|()| fs::rename(&half, &path));
    write.map_err(|source| ModelError::Io { action: "write", path: path.clone(), source })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_model_a_bad_address_and_a_wrong_checksum_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let places = ModelPlaces {
            base: folder.path().into(),
            cache: folder.path().join("cache"),
            cache_bytes: crate::CACHE_BYTES,
            s3: S3Settings::default(),
        };
        let error = |name: &str, sha: Option<&str>| locate_model(name, sha, &places).unwrap_err().to_string();
        assert!(error("tiny", None).contains("write `demo`"));
        assert!(error("models/none.gguf", None).contains("models/none.gguf"));
        fs::write(folder.path().join("a.gguf"), b"abc").unwrap();
        assert!(error("a.gguf", Some(&"0".repeat(64))).contains("ba7816bf"));
        let sha256 = copymill_campaign::sha256_hex(b"abc");
        let found = locate_model("a.gguf", Some(&sha256), &places).unwrap();
        assert_eq!(found.pin, ModelPin { name: "a".into(), sha256 });
    }
}
