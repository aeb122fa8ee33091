//! Consuming chunk jobs: take only what can start now, acknowledge last, drain on stop.

use std::{sync::Arc, time::Duration};

use copymill_broker::{Broker, BrokerError, Delivery};
use copymill_campaign::{
    CampaignState, ChunkJob, ChunkResult, EVENTS_QUEUE, Event, ModelPin, VARIANTS_MAX, jobs_queue,
};
use copymill_service::Shutdown;
use copymill_store::{Store, StoreError};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    campaigns::CampaignCache,
    chunk::{self, Chunk, Storing},
    hands::{Hands, Held},
    heartbeat,
    patience::Patience,
    settle::Generator,
};

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
    hands: Arc<Hands>,
    name: String,
    store_patience: Patience,
}

/// What became of a chunk.
enum Worked {
    Done(ChunkResult),
    /// It is not to be worked on now; the leader decides what follows.
    Returned,
}

/// What a chunk's keys hold.
enum Found {
    Done(ChunkResult),
    ToDo(Box<Chunk>),
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
        let WorkerSettings { name, chunks_in_hand, merges_at_once, grace, store_patience } = self.settings;
        let slots = self.generator.engine.info().slots as usize;
        let chunks_in_hand = if slots == 1 { 1 } else { chunks_in_hand };
        let mut consumer = self.broker.consume(&jobs_queue(&self.model), chunks_in_hand).await?;
        let hands = Arc::new(Hands::default());
        let beating = heartbeat::beat(
            self.broker.clone(),
            (name.clone(), self.model.clone()),
            hands.clone(),
            self.generator.progress.clone(),
        );
        let shared = Arc::new(Shared {
            campaigns: CampaignCache::new(self.store.clone()),
            store: self.store,
            broker: self.broker,
            generator: self.generator,
            // Twice the slots keep them full over the ends of chunks. All variants of a row are generated together, so
            // there is room for as many as a campaign may have.
            messages: Semaphore::new((2 * slots).max(VARIANTS_MAX as usize)),
            merges: Semaphore::new(merges_at_once),
            hands,
            name,
            store_patience,
        });
        let mut in_hand = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.drain_requested() => break,
                Some(ended) = in_hand.join_next() => settled(ended)?,
                delivery = shared.next(consumer.as_mut()), if in_hand.len() < usize::from(chunks_in_hand) => {
                    let Some(delivery) = delivery? else { break };
                    let shared = shared.clone();
                    in_hand.spawn(async move { shared.take(delivery).await });
                }
            }
        }
        let grace = tokio::time::sleep(grace);
        tokio::pin!(grace);
        while !in_hand.is_empty() {
            tokio::select! {
                Some(ended) = in_hand.join_next() => settled(ended)?,
                () = &mut grace => break,
                () = shutdown.abort_requested() => break,
            }
        }
        // Chunks that were not finished go back with a word to the leader, who publishes them again.
        in_hand.shutdown().await;
        shared.hand_back().await;
        beating.abort();
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
        let _waiting = self.hands.waiting();
        consumer.next().await
    }

    async fn take(&self, delivery: Delivery) -> Result<(), BrokerError> {
        let job: ChunkJob = match serde_json::from_slice(&delivery.body) {
            Ok(job) => job,
            Err(error) => return forgiving(delivery.dead_letter(&format!("no chunk job: {error}")).await),
        };
        let held = match self.hands.take(&job, delivery) {
            Ok(held) => held,
            Err(earlier) => return forgiving(earlier.ack().await),
        };
        self.tell(&Event::Started { job: job.clone(), worker: self.name.clone() }).await?;
        let event = match self.work_unless_cancelled(&job, &held).await {
            Ok(Worked::Done(result)) => Event::Done { job, result },
            Ok(Worked::Returned) => Event::Returned { job },
            Err(error) => {
                let is_final = matches!(error.downcast_ref(), Some(StoreError::Full { .. }));
                Event::Failed { job, reason: format!("{error:#}"), is_final }
            }
        };
        self.tell(&event).await?;
        match held.put_down() {
            Some(delivery) => forgiving(delivery.ack().await),
            None => Ok(()),
        }
    }

    async fn work_unless_cancelled(&self, job: &ChunkJob, held: &Held) -> anyhow::Result<Worked> {
        let state = self.store_patience.with(|| self.state(job)).await?;
        if state.paused || state.cancelling || state.phase.is_terminal() {
            return Ok(Worked::Returned);
        }
        tokio::select! {
            worked = self.work(job.clone()) => worked.map(Worked::Done),
            () = held.cancelled() => Ok(Worked::Returned),
        }
    }

    /// The campaign's state as the leader wrote it last.
    async fn state(&self, job: &ChunkJob) -> anyhow::Result<CampaignState> {
        let key = copymill_campaign::CampaignKeys::under(&job.root).state();
        match self.store.get(&key).await? {
            Some(object) => Ok(serde_json::from_slice(&object.body)?),
            None => Ok(CampaignState::accepted()),
        }
    }

    async fn work(&self, job: ChunkJob) -> anyhow::Result<ChunkResult> {
        let chunk = match self.store_patience.with(|| self.load(&job)).await? {
            Found::Done(result) => return Ok(result),
            Found::ToDo(chunk) => chunk,
        };
        let room = if chunk.merges() { &self.merges } else { &self.messages };
        chunk
            .work(
                &Storing { store: self.store.clone(), patience: self.store_patience },
                &self.generator,
                room,
            )
            .await
    }

    async fn load(&self, job: &ChunkJob) -> anyhow::Result<Found> {
        let campaign = self.campaigns.get(&job.root).await?;
        if let Some(result) = chunk::stored(self.store.as_ref(), job, &campaign).await? {
            return Ok(Found::Done(result));
        }
        let chunk = chunk::load(self.store.as_ref(), job.clone(), campaign).await?;
        chunk.fetch_segments(self.store.as_ref()).await?;
        Ok(Found::ToDo(Box::new(chunk)))
    }

    /// Gives every chunk in hand back to the leader: told first, acknowledged then. Not requeued, because a chunk that
    /// comes back by itself is under suspicion.
    async fn hand_back(&self) {
        for (job, delivery) in self.hands.empty() {
            let told = self.tell(&Event::Returned { job }).await;
            let acknowledged = match told {
                Ok(()) => delivery.ack().await,
                Err(error) => Err(error),
            };
            if let Err(error) = acknowledged {
                tracing::info!(%error, "a chunk goes back with its connection");
            }
        }
    }

    async fn tell(&self, event: &Event) -> Result<(), BrokerError> {
        let body = serde_json::to_vec(event).expect("an event serialises");
        self.broker.publish(EVENTS_QUEUE, body.into()).await
    }
}

/// A delivery that went back to its queue meanwhile comes again, to somebody who finds its output.
fn forgiving(settled: Result<(), BrokerError>) -> Result<(), BrokerError> {
    match settled {
        Err(error) if error.is_returned => {
            tracing::info!(%error, "a chunk was delivered over a connection that is gone; it will come again");
            Ok(())
        }
        other => other,
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
