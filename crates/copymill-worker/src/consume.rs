//! Consuming chunk jobs: take only what can start now, acknowledge last, drain on stop.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use copymill_broker::{Broker, BrokerError};
use copymill_campaign::{ModelPin, VARIANTS_MAX, jobs_queue};
use copymill_service::Shutdown;
use copymill_store::{S3Settings, Store};
use copymill_suppression::Lists;
use tokio::{
    sync::{RwLock, Semaphore},
    task::JoinSet,
};

use crate::{
    campaigns::CampaignCache, chunk::Storing, hands::Hands, heartbeat, inline::InlineJobs,
    patience::Patience, settle::Generator, workbench::Workbench,
};

/// How long a broker that is away is waited for at the end: what is unacknowledged goes back with the connection.
pub(crate) const HANDS_BACK_WITHIN: Duration = Duration::from_secs(10);

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Who it is, for the leader and for people.
    pub name: String,
    /// Chunks in hand at most, however short they are. With one slot there is one: it is the mode whose texts repeat,
    /// so no chunk may overtake another.
    pub chunks_in_hand: u16,
    /// Chunks merged at once: one a core.
    pub merges_at_once: usize,
    /// How long chunks in hand may go on once the process drains.
    pub grace: Duration,
    /// How long a chunk is tried again while the store cannot be used.
    pub store_patience: Patience,
    /// How buckets are reached that campaigns name.
    pub s3: S3Settings,
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The broker failed it.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Its engine takes no requests any more. What it had in hand goes back to its queue, under suspicion.
    #[error(
        "the engine has stopped, because its device kept failing; the lines above say how. Start again, or look at the device"
    )]
    EngineStopped,
}

/// Works on the chunks of one model.
pub struct Worker {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    generator: Generator,
    model: ModelPin,
    settings: WorkerSettings,
}

impl Worker {
    /// A worker for a model that is loaded.
    pub fn new(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        generator: Generator,
        model: ModelPin,
        settings: WorkerSettings,
    ) -> Self {
        Self { store, broker, generator, model, settings }
    }

    /// Consumes until the process drains, then finishes what it holds within the grace period; the rest goes back.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), WorkerError> {
        let WorkerSettings { name, chunks_in_hand, merges_at_once, grace, store_patience, s3 } =
            self.settings;
        let slots = self.generator.engine.info().slots as usize;
        let chunks_in_hand = if slots == 1 { 1 } else { chunks_in_hand };
        let mut consumer = self.broker.consume(&jobs_queue(&self.model), chunks_in_hand).await?;
        let hands = Arc::new(Hands::default());
        let beating = heartbeat::beat(
            self.broker.clone(),
            (name.clone(), self.model.clone()),
            hands.clone(),
            self.generator.clone(),
        );
        let bench = Arc::new(Workbench {
            campaigns: CampaignCache::new(self.store.clone()),
            inline: InlineJobs {
                store: self.store.clone(),
                broker: self.broker.clone(),
                generator: self.generator.clone(),
                model: self.model,
                store_patience,
            },
            storing: Storing {
                lists: Lists::new(self.store.clone(), s3),
                store: self.store.clone(),
                patience: store_patience,
            },
            store: self.store,
            broker: self.broker,
            generator: self.generator,
            // Twice the slots keep them full over the ends of chunks. All variants of a row are generated together, so
            // there is room for as many as a campaign may have.
            messages: Semaphore::new((2 * slots).max(VARIANTS_MAX as usize)),
            merges: Semaphore::new(merges_at_once),
            turn: RwLock::new(()),
            inline_note: Mutex::default(),
            hands,
            name,
        });
        let mut in_hand = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.drain_requested() => break,
                Some(ended) = in_hand.join_next() => settled(ended)?,
                delivery = bench.next(consumer.as_mut()), if in_hand.len() < usize::from(chunks_in_hand) => {
                    let Some(delivery) = delivery? else { break };
                    let bench = bench.clone();
                    in_hand.spawn(async move { bench.take(delivery).await });
                }
            }
        }
        let (grace, stopping) = (tokio::time::sleep(grace), bench.stop(consumer.as_mut()));
        tokio::pin!(grace, stopping);
        let mut is_stopped = false;
        while !is_stopped || !in_hand.is_empty() {
            tokio::select! {
                Some(ended) = in_hand.join_next() => settled(ended)?,
                () = &mut stopping, if !is_stopped => is_stopped = true,
                () = &mut grace => break,
                () = shutdown.abort_requested() => break,
            }
        }
        // Chunks that were not finished go back with a word to the leader, who publishes them again.
        in_hand.shutdown().await;
        if tokio::time::timeout(HANDS_BACK_WITHIN, bench.hand_back()).await.is_err() {
            tracing::warn!("the broker cannot be told what comes back; it gives that to others by itself");
        }
        beating.abort();
        Ok(())
    }
}

/// A chunk's task ended: a broker that fails ends the worker, and so does an engine that stopped; a panic in one chunk
/// was a bug, and ends it too.
fn settled(ended: Result<Result<(), WorkerError>, tokio::task::JoinError>) -> Result<(), WorkerError> {
    match ended {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Ok(()),
    }
}
