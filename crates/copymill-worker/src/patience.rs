//! Trying again while the store fails: hours of decoding are not given up for minutes of an outage.

use std::time::{Duration, Instant};

use copymill_store::StoreError;

/// Pause before the second try; doubled each time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(15);

/// How long a worker tries again while the store cannot be used.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

impl Patience {
    /// Does something until it succeeds, fails for another reason than the store's state, or patience ends.
    pub(crate) async fn with<T, F>(self, mut act: impl FnMut() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let (began, mut pause) = (Instant::now(), AGAIN_AFTER);
        loop {
            match act().await {
                Err(error) if is_of_store(&error) && began.elapsed() + pause < self.0 => {
                    tracing::warn!(error = format!("{error:#}"), "the store failed; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (2 * pause).min(AGAIN_MAX);
                }
                acted => return acted,
            }
        }
    }
}

fn is_of_store(error: &anyhow::Error) -> bool {
    let is_passing =
        |error: &StoreError| matches!(error, StoreError::Failed { .. } | StoreError::Full { .. });
    error.chain().filter_map(|cause| cause.downcast_ref()).any(is_passing)
}
