//! Campaigns on a cluster: the real programs on a real RabbitMQ and an S3 server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broker_faults;
mod campaign;
mod clocks;
mod connection_faults;
mod http;
mod inline;
mod lifecycle;
mod local;
mod object_faults;
mod poison;
mod scheduler_faults;
mod sources;
mod store_faults;
mod suppression;
mod unconditional;
mod worker_faults;
