//! Measures the engine: against a bare llama.cpp loop on the same tokens, and against itself without prefix sharing.
//!
//! Times depend on the machine and its load, so the systems take turns within one run and ratios are reported.

pub mod bare;
mod comparison;
pub mod random_model;
mod workload;

pub use comparison::{Comparison, Round, compare};
pub use workload::{EngineRun, Workload, run_engine};
