//! Consuming chunk jobs: take only what can start now, acknowledge last, drain on stop.

use std::{sync::Arc, time::Duration};

use copymill_broker::{Broker, BrokerError, Delivery};
use copymill_campaign::{ChunkJob, ChunkResult, EVENTS_QUEUE, Event, ModelPin, VARIANTS_MAX, jobs_queue};
use copymill_service::Shutdown;
use copymill_store::{Store, StoreError};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{campaigns::CampaignCache, chunk, settle::Generator};

/// Chunks in hand at most, however short they are.
const CHUNKS_IN_HAND: u16 = 32;

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Messages under way at most: twice the engine's slots keep them full over the ends of chunks.
    pub messages_under_way: usize,
    /// Chunks merged at once: one a core.
    pub merges_at_once: usize,
    /// How long chunks in hand may go on once the process drains.
    pub grace: Duration,
}

/// Works on the chunks of one model.
pub struct Worker {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    generator: Generator,
    model: ModelPin,
    settings: WorkerSettings,
}

/// What all chunks in hand share.
struct Shared {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    generator: Generator,
    campaigns: CampaignCache,
    messages: Semaphore,
    merges: Semaphore,
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
    pub async fn run(self, shutdown: Shutdown) -> Result<(), BrokerError> {
        let mut consumer = self.broker.consume(&jobs_queue(&self.model), CHUNKS_IN_HAND).await?;
        let shared = Arc::new(Shared {
            campaigns: CampaignCache::new(self.store.clone()),
            store: self.store,
            broker: self.broker,
            generator: self.generator,
            // All variants of a row are generated together, so there is room for as many as a campaign may have.
            messages: Semaphore::new(self.settings.messages_under_way.max(VARIANTS_MAX as usize)),
            merges: Semaphore::new(self.settings.merges_at_once),
        });
        let mut in_hand = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.drain_requested() => break,
                Some(ended) = in_hand.join_next() => settled(ended)?,
                delivery = shared.next(consumer.as_mut()), if in_hand.len() < usize::from(CHUNKS_IN_HAND) => {
                    let Some(delivery) = delivery? else { break };
                    let shared = shared.clone();
                    in_hand.spawn(async move { shared.take(delivery).await });
                }
            }
        }
        let grace = tokio::time::sleep(self.settings.grace);
        tokio::pin!(grace);
        while !in_hand.is_empty() {
            tokio::select! {
                Some(ended) = in_hand.join_next() => settled(ended)?,
                () = &mut grace => break,
                () = shutdown.abort_requested() => break,
            }
        }
        // Dropping a delivery hands its chunk back.
        in_hand.shutdown().await;
        Ok(())
    }
}

impl Shared {
    /// Waits until a message could start and a chunk is there. Permits are given in order: once this gets one, all
    /// rows in hand have started.
    async fn next(
        &self,
        consumer: &mut dyn copymill_broker::Consumer,
    ) -> Result<Option<Delivery>, BrokerError> {
        drop(self.messages.acquire().await);
        drop(self.merges.acquire().await);
        consumer.next().await
    }

    async fn take(&self, delivery: Delivery) -> Result<(), BrokerError> {
        let job: ChunkJob = match serde_json::from_slice(&delivery.body) {
            Ok(job) => job,
            Err(error) => return delivery.dead_letter(&format!("no chunk job: {error}")).await,
        };
        self.tell(&Event::Started { job: job.clone() }).await?;
        let event = match self.work(job.clone()).await {
            Ok(result) => Event::Done { job, result },
            Err(error) => {
                let is_final = matches!(error.downcast_ref(), Some(StoreError::Full { .. }));
                Event::Failed { job, reason: format!("{error:#}"), is_final }
            }
        };
        self.tell(&event).await?;
        delivery.ack().await
    }

    async fn work(&self, job: ChunkJob) -> anyhow::Result<ChunkResult> {
        let campaign = self.campaigns.get(&job.root).await?;
        if let Some(result) = chunk::stored(self.store.as_ref(), &job, &campaign).await? {
            return Ok(result);
        }
        let merges = campaign.accepted.segmented && job.kind == copymill_campaign::ChunkKind::Messages;
        let chunk = chunk::load(self.store.as_ref(), job, campaign).await?;
        let room = if merges { &self.merges } else { &self.messages };
        chunk.work(self.store.clone(), &self.generator, room).await
    }

    async fn tell(&self, event: &Event) -> Result<(), BrokerError> {
        let body = serde_json::to_vec(event).expect("an event serialises");
        self.broker.publish(EVENTS_QUEUE, body.into()).await
    }
}

/// A chunk's task ended: a broker that fails ends the worker; a panic in one chunk was a bug, and ends it too.
fn settled(ended: Result<Result<(), BrokerError>, tokio::task::JoinError>) -> Result<(), BrokerError> {
    match ended {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Ok(()),
    }
}
