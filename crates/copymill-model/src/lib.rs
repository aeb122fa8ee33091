//! Model files: found, checked by SHA-256, and looked at without loading them.
//!
//! [`locate_model`] finds the file that a campaign names; [`ModelHeader`] reads what planning needs of it. Nothing here
//! links llama.cpp, so that a scheduler can plan without it.

mod digest;
mod header;
mod hub;
mod locate;

pub use header::{HeaderError, ModelHeader};
pub use locate::{ModelError, ModelFile, ModelPlaces, locate_model};
