//! Consumes chunks: generate, check, render, write, acknowledge.
//!
//! A [`Worker`] takes only what it can start. A delivery is acknowledged last: first the output object is durable,
//! then the leader is told.

mod campaigns;
mod chunk;
mod consume;
mod hands;
mod heartbeat;
mod inline;
mod merge;
pub mod metrics;
mod model;
mod output;
mod patience;
pub mod program;
mod progress;
mod rework;
mod settle;
mod suspects;
mod watchdog;
mod workbench;

pub use campaigns::{CampaignCache, LoadedCampaign};
pub use consume::{Worker, WorkerError, WorkerSettings};
pub use model::{LoadedModel, load_model};
pub use patience::Patience;
pub use progress::{Progress, ProgressSnapshot};
pub use settle::{Generator, Rules, Settled, Subject, fill_in};
