//! The object store seam, the folder store and the S3 store.
//!
//! [`Store`] is what the rest of Copymill knows. [`FolderStore`] keeps every object as a plain file, safely between
//! processes; [`S3Store`] keeps them in a bucket. [`StoreSettings`] opens either by its address, and [`probe`] finds
//! out whether a store honours conditions. [`S3Object`] is one object that a user names, [`PackedFile`] a file that may be
//! packed with gzip or zstd. With the feature `testing` there is also the conformance suite that every store passes, and a
//! store that fails on command.

#[cfg(feature = "testing")]
pub mod conformance;
mod folder;
mod key;
mod observed;
mod open;
mod packed;
mod probe;
mod s3;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use folder::FolderStore;
pub use key::{KEY_BYTES_MAX, KEY_PART_BYTES_MAX, PREFIX_BYTES_MAX, validate_key};
pub use observed::{ObservedStore, STORE_OPERATIONS, STORE_RESULTS, StoreObserver};
pub use open::StoreSettings;
pub use packed::{
    Digested, PackedError, PackedFile, Packing, UNPACKED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX, read_full,
};
pub use probe::{ProbeError, probe};
pub use s3::{FetchError, S3Object, S3Settings, S3Store, Version, free_bytes};
pub use store::{Condition, Listed, Object, Put, Store, StoreError, answers};
