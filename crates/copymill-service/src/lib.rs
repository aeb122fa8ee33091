//! What every process needs: logging, metrics, shutdown. Knows no campaign.

pub mod logging;
pub mod metrics;
mod shutdown;

pub use shutdown::Shutdown;
