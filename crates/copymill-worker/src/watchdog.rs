//! Ends the process where the engine stands still: a device that hangs is mended by nothing else.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use copymill_engine::Engine;

/// How often the engine is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches an engine, on a thread that nothing else shares, for as long as it is used.
///
/// An engine that has work and makes no progress for `patience` ends the process at once: destructors would wait for the
/// device that hangs. The chunks in hand go to other workers, under suspicion.
pub(crate) fn watch(engine: &Arc<dyn Engine>, patience: Duration) -> std::io::Result<()> {
    let engine = Arc::downgrade(engine);
    let watching = std::thread::Builder::new().name("watchdog".into());
    watching.spawn(move || while_used(&engine, patience)).map(drop)
}

fn while_used(engine: &Weak<dyn Engine>, patience: Duration) {
    while let Some(engine) = engine.upgrade() {
        let stats = engine.stats();
        let standing = stats.last_progress.elapsed();
        if standing > patience {
            tracing::error!(
                engine.running = stats.running,
                engine.queued = stats.queued,
                "the engine made no progress for {} s (worker.watchdog_s): the process ends, so that it is started again",
                standing.as_secs()
            );
            std::process::abort();
        }
        drop(engine);
        std::thread::sleep(LOOK_EVERY);
    }
}
