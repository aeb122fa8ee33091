//! What every process needs: settings, logging, metrics, an admin port, shutdown. Knows no campaign.

pub mod admin;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod settings;
mod shutdown;
pub mod traces;

pub use shutdown::Shutdown;
