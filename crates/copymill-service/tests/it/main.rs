//! What processes rely on: real signals shut them down in steps, and metrics are all there from the start.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod metrics;
mod shutdown;
