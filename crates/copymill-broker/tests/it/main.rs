//! The in-process broker keeps the seam's promises, and its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
mod in_process;
