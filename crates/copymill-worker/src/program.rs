//! The worker program: settings, connections, the model, then chunks until it is asked to stop.

mod settings;

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use copymill_broker::{Broker, RabbitBroker};
use copymill_model::{ModelHeader, ModelPlaces, locate_model};
use copymill_service::{Shutdown, process};

use crate::{Generator, Progress, Worker, WorkerSettings, load_model};
pub use settings::{EngineSection, Settings, WorkerSection};

/// How long a chunk is tried again while the store fails; then its leader hears of it.
const STORE_PATIENCE: Duration = Duration::from_secs(600);

/// Runs the program.
pub async fn main() -> ExitCode {
    process::run("copymill-worker", work).await
}

async fn work(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = settings.store.open_probed().await.context("the store cannot be used")?;
    let broker = RabbitBroker::connect(&settings.broker).await?;
    let section = &settings.worker;
    let places = ModelPlaces { base: Path::new("").to_owned(), cache: section.cache.clone() };
    let (name, sha256) = (section.model.clone(), section.model_sha256.clone());
    let file = tokio::task::spawn_blocking(move || locate_model(&name, sha256.as_deref(), &places)).await??;
    let header = ModelHeader::read(file)?;
    let model = load_model(&header, section.engine.of_model(&header.file.path)).await?;
    tracing::info!(
        model = header.file.pin.name,
        sha256 = header.file.pin.sha256,
        "{}",
        model.engine.info().start_line
    );
    if let Some(warning) = &model.tokenizer_warning {
        tracing::warn!("{warning}");
    }
    let worker_settings = WorkerSettings {
        name: section.name.clone().unwrap_or_else(process::name),
        chunks_in_hand: section.chunks_in_hand,
        messages_under_way: 2 * model.engine.info().slots as usize,
        merges_at_once: std::thread::available_parallelism().map_or(1, usize::from),
        grace: Duration::from_secs(section.grace_s),
        store_patience: crate::Patience(STORE_PATIENCE),
    };
    let generator =
        Generator { engine: model.engine, encoder: model.encoder, progress: Arc::new(Progress::default()) };
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let worker = Worker::new(store, shared, generator, header.file.pin.clone(), worker_settings);
    tracing::info!(broker = broker.describe(), store = settings.store.url, "waiting for chunks");
    worker.run(shutdown).await?;
    broker.close().await;
    Ok(())
}
