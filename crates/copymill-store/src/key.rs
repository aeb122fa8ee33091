//! Which keys there are: those that every store can hold, S3 and a folder alike.

use crate::StoreError;

/// The longest key in bytes: S3 takes 1,024 with the prefix of a store.
pub const KEY_BYTES_MAX: usize = 768;

/// The longest prefix of a store in bytes.
pub const PREFIX_BYTES_MAX: usize = 255;

/// The longest part of a key in bytes; the limit of a file name on Linux and macOS.
pub const KEY_PART_BYTES_MAX: usize = 255;

/// Checks that a key stays in the store and can be held by every kind of store.
///
/// A part that begins with a dot is refused: that covers `.` and `..`, the folder store's own `.tmp`, and what
/// file managers leave behind (`.DS_Store`). Control characters do not survive S3's listings.
pub fn validate_key(key: &str) -> Result<(), StoreError> {
    let fits = key.len() <= KEY_BYTES_MAX && !key.chars().any(char::is_control);
    if fits && key.split('/').all(is_part) { Ok(()) } else { Err(StoreError::BadKey(key.to_owned())) }
}

/// Whether a file name may be a part of a key.
pub(crate) fn is_part(part: &str) -> bool {
    !part.is_empty() && part.len() <= KEY_PART_BYTES_MAX && !part.starts_with('.')
}
