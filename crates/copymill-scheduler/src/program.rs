//! The scheduler program: stands by until it may lead, leads until it may not.

mod settings;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use copymill_broker::{Broker, RabbitBroker};
use copymill_service::{
    Shutdown,
    process::{self, Program},
};

use crate::{desk::Desk, lease::Lease};
pub use settings::{SchedulerSection, Settings};

/// Runs the program.
pub async fn main() -> ExitCode {
    let program = Program {
        name: "copymill-scheduler",
        about: "Leads campaigns: cuts them into chunks, hands these to workers, finishes with a manifest",
        version: env!("CARGO_PKG_VERSION"),
        settings: "  COPYMILL_SCHEDULER__SCRATCH folder for audiences while they are read\n  \
                   COPYMILL_SCHEDULER__WINDOW  chunks of one model that are published at once\n  \
                   COPYMILL_SCHEDULER__CHUNK_TOKENS  tokens of one chunk: what a worker writes in about a minute",
    };
    process::run(program, work).await
}

async fn work(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = settings.store.open_probed().await.context("the store cannot be used")?;
    let Some(broker) = shutdown.unless_draining(RabbitBroker::connect(&settings.broker)).await else {
        return Ok(());
    };
    let broker = broker?;
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let scratch = settings.scheduler.scratch.clone();
    std::fs::create_dir_all(&scratch).with_context(|| format!("{} cannot be made", scratch.display()))?;
    let (window, chunk_tokens) = (settings.scheduler.window, settings.scheduler.chunk_tokens);
    let desk = Desk { store: store.clone(), broker: shared, scratch, window, chunk_tokens };
    while !shutdown.is_draining() {
        tracing::info!(store = settings.store.url, "standing by");
        let lease = tokio::select! {
            lease = Lease::stand_by(store.clone()) => Arc::new(lease),
            () = shutdown.drain_requested() => break,
        };
        tracing::info!(epoch = lease.epoch(), "leading");
        let led = desk.lead(lease.clone(), shutdown.clone()).await;
        match lease.release().await {
            Ok(()) => tracing::info!("no longer leading"),
            Err(error) => tracing::warn!(%error, "the lease was lost"),
        }
        led?;
    }
    broker.close().await;
    Ok(())
}
