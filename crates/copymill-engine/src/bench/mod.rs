//! What the engine is measured against: a bare llama.cpp loop, on a model of random weights.
//!
//! Times depend on the machine and its load, so whoever measures lets the systems take turns and states ratios.

mod bare;
pub mod random_model;

pub use bare::{Replay, ReplayRow, replay};
