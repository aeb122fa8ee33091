//! The worker program: settings, connections, the model, then chunks until it is asked to stop.

mod settings;
mod vitals;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use copymill_broker::{Broker, RabbitBroker};
use copymill_campaign::{ModelPin, model_label};
use copymill_model::{ModelHeader, ModelPlaces, find_model};
use copymill_service::{
    Shutdown,
    process::{self, Program},
};

use crate::{Generator, Worker, WorkerSettings, load_model};
pub use settings::{EngineSection, Settings, WorkerSection};
pub use vitals::Vitals;

/// Runs the program.
pub fn main() -> ExitCode {
    let program = Program {
        name: "copymill-worker",
        about: "Generates the messages of campaigns: takes chunks from the broker, puts outputs into the store",
        version: env!("CARGO_PKG_VERSION"),
        settings: "  COPYMILL_WORKER__MODEL      demo, a path, s3://bucket/key.gguf, or hf://owner/repository/file.gguf\n  \
                   COPYMILL_WORKER__ADAPTER    a LoRA adapter on it, named in the same ways\n  \
                   COPYMILL_WORKER__CACHE      folder for models\n  \
                   COPYMILL_WORKER__CACHE_BYTES  bytes of fetched models that are kept in it (64 GiB)\n  \
                   COPYMILL_WORKER__GRACE_S    seconds that chunks in hand may go on after SIGTERM\n  \
                   COPYMILL_WORKER__WATCHDOG_S seconds without progress after which the process ends\n  \
                   COPYMILL_WORKER__ENGINE__SLOTS, __THREADS, __GPU_LAYERS   chosen from the machine where not set",
    };
    process::run(program, work)
}

async fn work(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let vitals = Vitals::tell(&settings.admin, env!("CARGO_PKG_VERSION")).await?;
    let begun = Instant::now();
    let section = &settings.worker;
    let places = settings.model_places();
    let Some(header) = shutdown.unless_draining(find(section, &places)).await else { return Ok(()) };
    let header = header?;
    let model = load_model(&header, section.engine.of_model(&header.file.path)).await?;
    tracing::info!(model = header.pin.name, sha256 = header.pin.sha256, "{}", model.engine.info().start_line);
    if let Some(warning) = &model.tokenizer_warning {
        tracing::warn!("{warning}");
    }
    let generator = Generator { engine: model.engine, encoder: model.encoder, progress: vitals.progress() };
    serve(&settings, &vitals, (generator, header.pin, begun.elapsed()), shutdown).await
}

/// Finds the model and the adapter on it, or fetches them.
async fn find(section: &WorkerSection, places: &ModelPlaces) -> anyhow::Result<ModelHeader> {
    let model = find_model(&section.model, section.model_sha256.as_deref(), places).await?;
    let header = ModelHeader::read(model)?;
    let Some(adapter) = &section.adapter else {
        let alone = section.adapter_sha256.is_some();
        anyhow::ensure!(
            !alone,
            "worker.adapter_sha256 is set and worker.adapter is not: name the adapter, too"
        );
        return Ok(header);
    };
    let adapter = find_model(adapter, section.adapter_sha256.as_deref(), places).await?;
    Ok(header.with_adapter(adapter)?)
}

/// Works on the chunks of a model that was loaded within some time, until the process is asked to stop.
pub async fn serve(
    settings: &Settings,
    vitals: &Vitals,
    (generator, model, loaded_in): (Generator, ModelPin, Duration),
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let patience = Duration::from_secs(settings.worker.watchdog_s);
    vitals.engine(&generator.engine, patience);
    let name = (model_label(&model), model.sha256.as_str());
    generator.progress.metrics.loaded((&name.0, name.1), generator.engine.info(), loaded_in);
    crate::watchdog::watch(&generator.engine, patience).context("the watchdog cannot be started")?;
    // A model that took minutes to load is not loaded again because store or broker are away.
    let Some(store) = shutdown.unless_draining(settings.store.wait_for()).await else { return Ok(()) };
    let store = vitals.store(store.context("the store cannot be used")?);
    let Some(broker) = shutdown.unless_draining(RabbitBroker::wait_for(&settings.broker)).await else {
        return Ok(());
    };
    let broker = broker?;
    let section = &settings.worker;
    let worker_settings = WorkerSettings {
        name: section.name.clone().unwrap_or_else(process::name),
        chunks_in_hand: section.chunks_in_hand,
        merges_at_once: std::thread::available_parallelism().map_or(1, usize::from),
        grace: Duration::from_secs(section.grace_s),
        store_patience: crate::Patience(Duration::from_secs(section.store_patience_s)),
        s3: settings.store.s3.clone(),
    };
    let shared = vitals.broker(&broker);
    let worker = Worker::new(store, shared, generator, model, worker_settings);
    tracing::info!(broker = broker.describe(), store = settings.store.url, "waiting for chunks");
    worker.run(shutdown).await?;
    broker.close().await;
    Ok(())
}
