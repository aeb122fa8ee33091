//! The promises of the whole, checked on the real program with the real demo model.

mod bad_input;
mod benchmarks;
mod campaigns;
mod examples;
mod interrupted;
mod metrics_doc;
mod models;
mod operations;
mod own_kinds;
mod quality;
mod run;
mod segments;
mod structure;
mod validating;
