//! What the end-to-end tests share: a folder with a campaign, the real program run on it, and real servers.

pub mod adapter;
mod admin;
pub mod bench;
mod cluster;
mod hub;
pub mod local_cluster;
mod output;
pub mod s3;
pub mod servers;
mod workplace;

pub use admin::Admin;
pub use cluster::{Cluster, Program};
pub use hub::Hub;
pub use output::{Message, messages, segment_lines};
pub use workplace::{Finished, Running, Workplace, program, repository};
