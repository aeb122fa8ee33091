//! Model files: found, checked by SHA-256, and looked at without loading them.
//!
//! [`find_model`] finds the file that a campaign names, or fetches it; [`ModelHeader`] reads what planning needs of it.
//! Nothing here links llama.cpp, so that a scheduler can plan without it.

mod adapter;
mod cache;
mod digest;
mod header;
mod hub;
mod locate;
mod remote;

pub use cache::CACHE_BYTES;
pub use header::{HeaderError, ModelHeader};
pub use locate::{ModelError, ModelFile, ModelPlaces, find_model};
