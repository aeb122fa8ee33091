//! Campaigns on a cluster: the real programs on a real RabbitMQ and an S3 server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod campaign;
mod lifecycle;
