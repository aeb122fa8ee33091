//! Leader and worker side by side, until the campaign is completed or the process is asked to stop.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use copymill_broker::{Broker, InProcessBroker};
use copymill_campaign::{Accepted, CampaignKeys, CampaignState};
use copymill_engine::EngineInfo;
use copymill_scheduler::{Ended, Leader, Lease, Notes, Signals, Source, Window};
use copymill_service::Shutdown;
use copymill_store::{S3Settings, Store};
use copymill_worker::{Generator, Patience, Worker, WorkerSettings};
use tokio::sync::watch;

/// How long chunks in hand may go on after Ctrl-C; chunks are sized to need less.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Chunks on the queue at once: more than the process holds, so that it never waits for the leader.
const WINDOW: usize = 64;
/// Chunks in hand at once, however short they are.
const CHUNKS_IN_HAND: u16 = 32;

/// What is to be done, and with what.
pub(crate) struct Work {
    /// Where everything is kept.
    pub(crate) store: Arc<dyn Store>,
    /// The campaign, accepted.
    pub(crate) campaign: Arc<Accepted>,
    /// Its audience.
    pub(crate) source: Source,
    /// Proof that nobody else works there.
    pub(crate) lease: Arc<Lease>,
    /// The model.
    pub(crate) generator: Generator,
    /// How buckets are reached that campaigns name.
    pub(crate) s3: S3Settings,
    /// Asks to stop.
    pub(crate) shutdown: Shutdown,
}

/// Works; `progress` receives the campaign's state after every change.
pub(crate) async fn execute(work: Work, progress: watch::Sender<CampaignState>) -> anyhow::Result<Ended> {
    let Work { store, campaign, source, lease, generator, s3, shutdown } = work;
    let broker = InProcessBroker::new();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let chunk_tokens = chunk_tokens(generator.engine.info());
    let settings = worker_settings(chunk_tokens, s3);
    let worker = Worker::new(store.clone(), shared.clone(), generator, campaign.model.clone(), settings);
    let (draining, drain_seen) = watch::channel(false);
    let (gone, gone_seen) = watch::channel(false);
    let working = tokio::spawn({
        let (shutdown, draining) = (shutdown.clone(), draining.clone());
        async move {
            let ended = worker.run(shutdown).await;
            // A leader whose worker is gone has nobody to wait for, whyever it went.
            draining.send_replace(true);
            gone.send_replace(true);
            ended
        }
    });
    let telling = tokio::spawn(async move {
        shutdown.drain_requested().await;
        draining.send_replace(true);
    });
    let mut notes = Notes::of_queue(shared.clone()).await?;
    let window = Window::new(WINDOW).join(1.0);
    let leader = Leader {
        store,
        broker: shared,
        keys: CampaignKeys::alone(),
        campaign,
        lease: lease.clone(),
        window,
        is_attended: false,
        chunk_tokens,
        metrics: Arc::default(),
    };
    let mut signals = Signals { draining: drain_seen, workers_gone: gone_seen, progress };
    let led = leader.lead(source, &mut notes, &mut signals).await;
    telling.abort();
    // No further jobs: the worker's consumer ends, and so does the worker.
    broker.shut_down();
    let worked =
        working.await.map_err(|_| anyhow!("the worker ended unexpectedly; the lines above say where"))?;
    let ended = led?;
    lease.release().await?;
    if ended == Ended::Stopped {
        worked.context("the worker stopped")?;
    }
    Ok(ended)
}

/// Tokens that a chunk may generate at most. At 200 tokens/s the two chunks in hand drain within 30 s where answers take
/// half of their limit.
const CHUNK_TOKENS: u64 = 6_000;
/// Parameters of the model that two cores write 200 tokens/s with: GPT-2, measured in `docs/BENCHMARKS.md`.
const MEASURED_PARAMETERS: u64 = 124_000_000;

/// Tokens that a chunk of this engine may generate. A CPU's speed falls as parameters grow, so that chunks shrink with it,
/// down to one row; a GPU is faster than any CPU with any model that it holds.
fn chunk_tokens(engine: &EngineInfo) -> u64 {
    if !engine.device.starts_with("CPU") {
        return CHUNK_TOKENS;
    }
    (CHUNK_TOKENS * MEASURED_PARAMETERS / engine.parameters.max(1)).clamp(1, CHUNK_TOKENS)
}

/// A slow model has two small chunks in hand, so that both drain in time; others have many, however short they are.
fn worker_settings(chunk_tokens: u64, s3: S3Settings) -> WorkerSettings {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    WorkerSettings {
        name: copymill_service::process::name(),
        chunks_in_hand: if chunk_tokens < CHUNK_TOKENS { 2 } else { CHUNKS_IN_HAND },
        merges_at_once: cores,
        grace: GRACE,
        store_patience: Patience(Duration::ZERO),
        s3,
    }
}

#[cfg(test)]
mod tests {
    use copymill_engine::{Engine, ScriptedEngine};

    use super::*;

    #[test]
    fn a_large_model_on_a_cpu_has_smaller_chunks() {
        let script = ScriptedEngine::new(1, |_, _| unreachable!("nothing is generated"));
        let tokens = |device: &str, parameters: u64| {
            chunk_tokens(&EngineInfo { device: device.into(), parameters, ..script.info().clone() })
        };
        assert_eq!(tokens("CPU (two cores)", 4_000_000), CHUNK_TOKENS);
        assert_eq!(tokens("CPU (two cores)", MEASURED_PARAMETERS), CHUNK_TOKENS);
        assert_eq!(tokens("CPU (two cores)", 10 * MEASURED_PARAMETERS), CHUNK_TOKENS / 10);
        assert_eq!(tokens("CPU", u64::MAX), 1);
        assert_eq!(tokens("CUDA0 (H100, 78 GiB)", 10 * MEASURED_PARAMETERS), CHUNK_TOKENS);
    }
}
