//! What every process needs: logging, metrics, shutdown. Knows no campaign.

pub mod logging;
pub mod metrics;
pub mod process;
pub mod settings;
mod shutdown;

pub use shutdown::Shutdown;
