//! What the environment says, read once when the program starts.

use std::{env, path::PathBuf};

use copymill_model::CACHE_BYTES;
use copymill_service::logging::{self, LogOutput};

use crate::exit::{OrUserError, usage};

/// Environment variables and what they do, for `copymill --help`.
pub(crate) const ENVIRONMENT: [(&str, &str); 8] = [
    ("COPYMILL_LOG", "error, warn (default), info or debug"),
    ("COPYMILL_LOG_FORMAT", "human (default) or json"),
    ("COPYMILL_CACHE", "folder for fetched models, the demo model and checksums (~/.cache/copymill)"),
    ("COPYMILL_CACHE_BYTES", "bytes of fetched models that are kept there (68719476736)"),
    ("HF_TOKEN, HF_ENDPOINT", "token and address of the hub, for models from hf://"),
    ("COPYMILL_CONFIG", "settings file of the cluster: store, broker"),
    ("COPYMILL_STORE__URL, COPYMILL_BROKER__URL", "the cluster, in place of the file"),
    ("NO_COLOR", "no colours, even on a terminal"),
];

/// llama.cpp warns about contexts that the engine sizes on purpose; its errors are enough. Fetching a model takes time
/// and is worth a word.
const DEFAULT_LOG: &str = "warn,copymill_model=info,llama-cpp-2=error";

/// Settings of the process.
pub(crate) struct Settings {
    /// Folder for what can be made again: the unpacked demonstration model, checksums of model files.
    pub(crate) cache: PathBuf,
    /// Bytes of fetched models that may be kept there.
    pub(crate) cache_bytes: u64,
    /// Where log lines go.
    pub(crate) log: LogOutput,
}

impl Settings {
    /// Reads the environment and begins to log.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let filter = variable("COPYMILL_LOG")?.unwrap_or_else(|| DEFAULT_LOG.into());
        let format = variable("COPYMILL_LOG_FORMAT")?.map(|format| format.parse::<logging::Format>());
        let format = format.transpose().map_err(|error| usage(format!("COPYMILL_LOG_FORMAT: {error}")))?;
        let log = logging::init("copymill", format.unwrap_or_default(), &filter)
            .map_err(|error| usage(format!("COPYMILL_LOG: {error}")))?;
        Ok(Self { cache: cache_folder()?, cache_bytes: cache_bytes()?, log })
    }
}

fn cache_bytes() -> anyhow::Result<u64> {
    let Some(text) = variable("COPYMILL_CACHE_BYTES")? else { return Ok(CACHE_BYTES) };
    text.parse().map_err(|_| usage(format!("COPYMILL_CACHE_BYTES is a number of bytes, and not `{text}`")))
}

fn cache_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = variable("COPYMILL_CACHE")? {
        return Ok(folder.into());
    }
    // The specification says that relative paths are to be ignored.
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(folder) = variable("XDG_CACHE_HOME")?.map(PathBuf::from).filter(absolute) {
        return Ok(folder.join("copymill"));
    }
    if let Some(home) = variable("HOME")?.map(PathBuf::from).filter(absolute) {
        return Ok(home.join(".cache/copymill"));
    }
    Ok(env::temp_dir().join("copymill-cache"))
}

/// The value of a variable; none where it is unset or empty.
fn variable(name: &str) -> anyhow::Result<Option<String>> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => {
            Err(error).or_user_error().map_err(|error| error.context(format!("{name} cannot be read")))
        }
    }
}
