//! The scheduler program: stands by until it may lead, leads until it may not.

mod settings;
mod vitals;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use copymill_broker::{Broker, RabbitBroker};
use copymill_service::{
    Shutdown,
    process::{self, Program},
};
use copymill_store::S3Settings;
use copymill_suppression::Lists;

use crate::{Places, demand::Assumptions, desk::Desk, http::Port, lease::Lease, office::Office};
pub use settings::{SchedulerSection, Settings};
use vitals::Vitals;

/// The address that says not to serve HTTP.
const NO_PORT: &str = "none";

/// Runs the program.
pub fn main() -> ExitCode {
    let program = Program {
        name: "copymill-scheduler",
        about: "Leads campaigns: cuts them into chunks, hands these to workers, finishes with a manifest",
        version: env!("CARGO_PKG_VERSION"),
        settings: "  COPYMILL_SCHEDULER__SCRATCH folder for audiences while they are read\n  \
                   COPYMILL_SCHEDULER__WINDOW  chunks of one model that are published at once\n  \
                   COPYMILL_SCHEDULER__CHUNK_TOKENS  tokens of one chunk: what a worker writes in about a minute\n  \
                   COPYMILL_SCHEDULER__WORKER_START_S  seconds from when a worker is asked for to its first chunk: for predictions\n  \
                   COPYMILL_SCHEDULER__HORIZON_S  seconds within which a campaign without a deadline shall be done\n  \
                   COPYMILL_SCHEDULER__ASSUMED_TOKENS_PER_S  tokens a second of a worker, until one was measured\n  \
                   COPYMILL_SCHEDULER__HTTP    address of the HTTP port, 127.0.0.1:8080 where it is not set; none for no port\n  \
                   COPYMILL_SCHEDULER__HTTP_MODELS   models that campaigns over HTTP may name: [demo] where it is not set\n  \
                   COPYMILL_SCHEDULER__CACHE   folder for these models",
    };
    process::run(program, work)
}

async fn work(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let vitals = Vitals::tell(&settings.admin, env!("CARGO_PKG_VERSION")).await?;
    let Some(store) = shutdown.unless_draining(settings.store.wait_for()).await else { return Ok(()) };
    let store = vitals.store(store.context("the store cannot be used")?);
    let Some(broker) = shutdown.unless_draining(RabbitBroker::wait_for(&settings.broker)).await else {
        return Ok(());
    };
    let broker = broker?;
    let shared = vitals.broker(&broker);
    let section = settings.scheduler;
    let scratch = section.scratch.clone();
    std::fs::create_dir_all(&scratch).with_context(|| format!("{} cannot be made", scratch.display()))?;
    let (window, chunk_tokens) = (section.window, section.chunk_tokens);
    let lists = Arc::new(Lists::new(store.clone(), settings.store.s3.clone()));
    let assumptions =
        Assumptions { worker_start_s: section.worker_start_s.into(), horizon_s: section.horizon_s.into() };
    let desk = Desk {
        store: store.clone(),
        broker: shared.clone(),
        scratch,
        lists,
        window,
        chunk_tokens,
        metrics: vitals.metrics(),
        assumed_tokens_per_s: section.assumed_tokens_per_s,
        assumptions,
    };
    let office = Office { store, broker: Some(shared) };
    tracing::info!(store = settings.store.url, broker = broker.describe(), "connected");
    tokio::try_join!(
        take_turns(&desk, shutdown.clone()),
        serve((section, vitals), office, settings.store.s3, shutdown)
    )?;
    broker.close().await;
    Ok(())
}

/// Serves HTTP, where the settings name an address.
async fn serve(
    (section, vitals): (SchedulerSection, Vitals),
    office: Office,
    s3: S3Settings,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let SchedulerSection { scratch, cache, cache_bytes, http, http_models, .. } = section;
    if http == NO_PORT {
        return Ok(());
    }
    let places = Places { cache, cache_bytes, scratch, s3 };
    Port::new(office, places, http_models, (vitals.metrics(), vitals.answers())).serve(&http, shutdown).await
}

/// Stands by until it may lead, leads until it may not, and so on.
async fn take_turns(desk: &Desk, shutdown: Shutdown) -> anyhow::Result<()> {
    while !shutdown.is_draining() {
        tracing::info!("standing by");
        let lease = tokio::select! {
            lease = Lease::stand_by(desk.store.clone()) => Arc::new(lease),
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
    Ok(())
}
