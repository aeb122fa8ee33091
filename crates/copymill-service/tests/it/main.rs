//! What processes rely on: real signals shut them down in steps, the admin port says how they are, and metrics are all
//! there from the start.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod metrics;
mod shutdown;
