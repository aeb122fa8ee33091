//! What the folder store promises beyond the seam's documentation, and that it keeps the seam's promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
mod faults;
mod folder;
mod full_disk;
mod processes;
