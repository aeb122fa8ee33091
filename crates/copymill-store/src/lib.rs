//! The object store seam and the folder store.
//!
//! [`Store`] is what the rest of Copymill knows. [`FolderStore`] keeps every object as a plain file, safely between
//! processes. With the feature `testing` there is also the conformance suite that every store passes, and a store
//! that fails on command.

#[cfg(feature = "testing")]
pub mod conformance;
mod folder;
mod key;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use folder::FolderStore;
pub use key::{KEY_BYTES_MAX, KEY_PART_BYTES_MAX, validate_key};
pub use store::{Condition, Listed, Object, Put, Store, StoreError};
