//! Why a GGUF file could not be read.

use std::io;
use std::path::PathBuf;

/// What is wrong with a model file; every message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// There is no such file.
    #[error("no model file at {}: check the path, or download the model first", path.display())]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The operating system refused to open or read the file.
    #[error("cannot read the model file {}: {source}", path.display())]
    Unreadable {
        /// The path that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file does not begin with the four bytes `GGUF`.
    #[error(
        "{} is not a GGUF file: convert the model to GGUF, or check that the download is not an error page or a \
         Git LFS pointer",
        path.display()
    )]
    NotGguf {
        /// The file.
        path: PathBuf,
    },
    /// The file is GGUF, but of a version or byte order that is not read here.
    #[error(
        "{} is GGUF version {version}, but only little-endian versions 2 and 3 are read: convert the model again with \
         a current llama.cpp",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it states; a huge number means big-endian.
        version: u32,
    },
    /// The file ends inside its header.
    #[error("{} ends inside its header, after {length} bytes: download or copy it again", path.display())]
    TruncatedHeader {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// The header is whole, but tensor data is missing at the end.
    #[error(
        "{} is incomplete, {length} of at least {expected} bytes: download or copy it again",
        path.display()
    )]
    TruncatedTensors {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
        /// The length that its tensor table asks for, in bytes.
        expected: u64,
    },
    /// The header contradicts the format or one of the limits of this reader.
    #[error("{} has a damaged header: {problem}; download it again, or convert the model again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
}
