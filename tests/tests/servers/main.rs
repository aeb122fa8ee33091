//! The seams against real servers: RabbitMQ, an S3 server of our own, and one that others wrote.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod model_cache;
mod rabbitmq;
mod s3;
mod tls;
