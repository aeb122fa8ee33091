//! Campaigns on a cluster: the real programs on a real RabbitMQ and an S3 server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adapters;
mod broker_faults;
mod campaign;
mod chart;
mod clocks;
mod connection_faults;
mod credentials;
mod health;
mod http;
mod inline;
mod lifecycle;
mod local;
mod metrics;
mod object_faults;
mod poison;
mod privacy;
mod rolling;
mod scheduler_faults;
mod sharing;
mod sources;
mod store_faults;
mod suppression;
mod traces;
mod unconditional;
mod worker_faults;
