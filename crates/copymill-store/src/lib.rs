//! The object store seam, the folder store and the S3 store.
//!
//! [`Store`] is what the rest of Copymill knows. [`FolderStore`] keeps every object as a plain file, safely between
//! processes; [`S3Store`] keeps them in a bucket. [`StoreSettings`] opens either by its address, and [`probe`] finds
//! out whether a store honours conditions. With the feature `testing` there is also the conformance suite that every store passes, and a store
//! that fails on command.

#[cfg(feature = "testing")]
pub mod conformance;
mod folder;
mod key;
mod open;
mod probe;
mod s3;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use folder::FolderStore;
pub use key::{KEY_BYTES_MAX, KEY_PART_BYTES_MAX, PREFIX_BYTES_MAX, validate_key};
pub use open::StoreSettings;
pub use probe::{ProbeError, probe};
pub use s3::{S3Settings, S3Store};
pub use store::{Condition, Listed, Object, Put, Store, StoreError};
