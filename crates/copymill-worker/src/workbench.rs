//! What happens to a chunk between its delivery and its acknowledgement.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Context;
use copymill_broker::{Broker, BrokerError, Consumer, Delivery, Message, Properties};
use copymill_campaign::{CampaignState, ChunkJob, EVENTS_QUEUE, Event, inline_key, later_version};
use copymill_engine::EngineError;
use copymill_service::traces;
use copymill_store::{Store, StoreError};
use tokio::sync::{RwLock, Semaphore};
use tracing::Instrument;

use crate::{
    campaigns::CampaignCache,
    chunk::{self, Chunk, Stored, Storing},
    consume::{HANDS_BACK_WITHIN, WorkerError},
    hands::{Hands, Held},
    inline::InlineJobs,
    settle::Generator,
    suspects::{self, Verdict},
};

/// What all chunks in hand share.
pub(crate) struct Workbench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) generator: Generator,
    pub(crate) campaigns: CampaignCache,
    pub(crate) inline: InlineJobs,
    /// A permit for each message that may be under way.
    pub(crate) messages: Semaphore,
    /// A permit for each chunk that may be merged.
    pub(crate) merges: Semaphore,
    /// Chunks under suspicion have it alone, the others together.
    pub(crate) turn: RwLock<()>,
    /// Key of the note about the inline job that has the turn alone.
    pub(crate) inline_note: Mutex<Option<String>>,
    pub(crate) hands: Arc<Hands>,
    pub(crate) name: String,
    pub(crate) storing: Storing,
}

/// What became of a chunk.
enum Worked {
    /// Its output object is stored, or says that it was split.
    Stored(Stored),
    /// It is not to be worked on now; the leader decides what follows.
    Returned,
}

/// What a chunk's keys hold.
enum Found {
    Stored(Stored),
    ToDo(Box<Chunk>),
}

impl Workbench {
    /// Waits until a message could start and a chunk is there. Permits are given in order: once this gets one, all
    /// rows in hand have started.
    pub(crate) async fn next(&self, consumer: &mut dyn Consumer) -> Result<Option<Delivery>, BrokerError> {
        drop(self.messages.acquire().await);
        drop(self.merges.acquire().await);
        let _waiting = self.hands.waiting();
        consumer.next().await
    }

    /// Takes no more from the queue. A chunk that was on its way goes back to the leader, as those in hand do.
    pub(crate) async fn stop(&self, consumer: &mut dyn Consumer) {
        let back = async {
            consumer.stop().await;
            while let Ok(Some(delivery)) = consumer.next().await {
                let given_back = match serde_json::from_slice::<ChunkJob>(&delivery.body) {
                    Ok(job) if later_version("chunk job", job.v).is_none() => {
                        self.give_back(job, delivery).await
                    }
                    Ok(_) | Err(_) => delivery.requeue().await,
                };
                told(given_back);
            }
        };
        // What comes later goes back with the connection.
        drop(tokio::time::timeout(HANDS_BACK_WITHIN, back).await);
    }

    /// Works on a delivery to its end: output stored, leader told, acknowledged.
    pub(crate) async fn take(&self, delivery: Delivery) -> Result<(), WorkerError> {
        match serde_json::from_slice::<ChunkJob>(&delivery.body) {
            Ok(job) if later_version("chunk job", job.v).is_some() => {
                let reason = later_version("chunk job", job.v).unwrap_or_default();
                Ok(forgiving(delivery.dead_letter(&reason).await)?)
            }
            Ok(job) => {
                let span = tracing::info_span!("chunk", campaign.id = %job.campaign, chunk.id = %job.chunk);
                traces::follow(&span, delivery.properties.trace.as_deref());
                self.take_chunk(job, delivery).instrument(span).await
            }
            Err(_) => {
                let key = delivery.properties.message_id.as_deref().map(inline_key).unwrap_or_default();
                let span = tracing::info_span!("inline_job", store.key = key);
                traces::follow(&span, delivery.properties.trace.as_deref());
                self.take_inline(delivery).instrument(span).await
            }
        }
    }

    async fn take_chunk(&self, job: ChunkJob, delivery: Delivery) -> Result<(), WorkerError> {
        let is_suspect = suspects::is_suspect(&job, delivery.redelivered);
        let metrics = &self.generator.progress.metrics;
        metrics.redeliveries_total.inc_by(delivery.redelivered.into());
        let held = match self.hands.take(&job, delivery) {
            Ok(held) => held,
            Err(earlier) => return Ok(forgiving(earlier.ack().await)?),
        };
        let begun = Instant::now();
        metrics.chunks_in_hand.inc();
        tracing::info!(chunk.kind = ?job.kind, chunk.suspect = is_suspect, "a chunk is begun");
        self.tell(&Event::Started { job: job.clone(), worker: self.name.clone() }).await?;
        let worked = self.work_unless_cancelled(&job, &held, is_suspect).await;
        if worked.as_ref().is_err_and(has_stopped) {
            return Err(WorkerError::EngineStopped);
        }
        if let Some(note) = held.beginning() {
            suspects::forget(self.store.as_ref(), &note).await;
        }
        metrics.chunks_in_hand.dec();
        let event = event(job, worked);
        self.note_end(&event, begun);
        self.tell(&event).await?;
        match held.put_down() {
            Some(delivery) => Ok(forgiving(delivery.ack().await)?),
            None => Ok(()),
        }
    }

    fn note_end(&self, event: &Event, begun: Instant) {
        let (result, took) = (event.name(), begun.elapsed().as_secs_f64());
        let metrics = &self.generator.progress.metrics;
        metrics.chunk_seconds.observe(took);
        metrics.chunks_total.of([result]).inc();
        tracing::info!(chunk.result = result, chunk.seconds = took, "a chunk is ended");
    }

    /// Works on what is no chunk: an inline job that came back by itself may have killed its worker, and has the engine
    /// alone.
    async fn take_inline(&self, delivery: Delivery) -> Result<(), WorkerError> {
        let message_id =
            delivery.properties.message_id.clone().filter(|id| delivery.redelivered && !id.is_empty());
        let Some(message_id) = message_id else {
            let _turn = self.turn.read().await;
            return self.inline.take(delivery, &self.messages).await;
        };
        let _turn = self.turn.write().await;
        let examined =
            self.storing.patience.with(|| suspects::examine_inline(self.store.as_ref(), &message_id));
        match examined.await {
            Ok(Verdict::Stored) => self.inline.take(delivery, &self.messages).await,
            Ok(Verdict::Try(note)) => {
                *self.inline_note() = Some(note.clone());
                let taken = self.inline.take(delivery, &self.messages).await;
                if !matches!(taken, Err(WorkerError::EngineStopped)) {
                    suspects::forget(self.store.as_ref(), &note).await;
                }
                *self.inline_note() = None;
                taken
            }
            Ok(Verdict::GiveUp) => Ok(forgiving(self.inline.give_up(delivery).await)?),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "an inline job goes back to its queue");
                Ok(forgiving(delivery.requeue().await)?)
            }
        }
    }

    fn inline_note(&self) -> MutexGuard<'_, Option<String>> {
        self.inline_note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_unless_cancelled(
        &self,
        job: &ChunkJob,
        held: &Held,
        is_suspect: bool,
    ) -> anyhow::Result<Worked> {
        let state = self.storing.patience.with(|| self.state(job)).await?;
        let is_over = state.phase.is_terminal() && state.reworking != Some(job.generation);
        if state.paused || state.cancelling || is_over {
            return Ok(Worked::Returned);
        }
        let working =
            async { if is_suspect { self.work_alone(job, held).await } else { self.work(job).await } };
        tokio::select! {
            worked = working => worked.map(Worked::Stored),
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

    async fn work(&self, job: &ChunkJob) -> anyhow::Result<Stored> {
        match self.storing.patience.with(|| self.load(job)).await? {
            Found::Stored(stored) => Ok(stored),
            Found::ToDo(chunk) => {
                let _turn = self.turn.read().await;
                self.settle(*chunk).await
            }
        }
    }

    /// Works on a chunk under suspicion: nothing else is in the engine, so that it harms nobody else.
    async fn work_alone(&self, job: &ChunkJob, held: &Held) -> anyhow::Result<Stored> {
        let _turn = self.turn.write().await;
        let mut chunk = match self.storing.patience.with(|| self.load(job)).await? {
            Found::Stored(stored) => return Ok(stored),
            Found::ToDo(chunk) => chunk,
        };
        match self.storing.patience.with(|| suspects::examine(self.store.as_ref(), &chunk)).await? {
            Verdict::Try(note) => held.begin(note),
            Verdict::GiveUp => suspects::give_up(&mut chunk),
            Verdict::Stored => {
                let stored = chunk::stored(self.store.as_ref(), job, &chunk.campaign).await?;
                return stored.with_context(|| format!("the output of chunk {} vanished", job.chunk));
            }
        }
        self.settle(*chunk).await
    }

    async fn settle(&self, chunk: Chunk) -> anyhow::Result<Stored> {
        let room = if chunk.merges() { &self.merges } else { &self.messages };
        chunk.work(&self.storing, &self.generator, room).await
    }

    async fn load(&self, job: &ChunkJob) -> anyhow::Result<Found> {
        let campaign = self.campaigns.get(&job.root, job.generation).await?;
        if let Some(stored) = chunk::stored(self.store.as_ref(), job, &campaign).await? {
            return Ok(Found::Stored(stored));
        }
        let chunk = chunk::load(self.store.as_ref(), job.clone(), campaign).await?;
        chunk.fetch_segments(self.store.as_ref()).await?;
        Ok(Found::ToDo(Box::new(chunk)))
    }

    /// Gives every chunk in hand back to the leader: told first, acknowledged then. Not requeued, because a chunk that
    /// comes back by itself is under suspicion.
    pub(crate) async fn hand_back(&self) {
        let inline_note = self.inline_note().take();
        if let Some(note) = inline_note {
            suspects::forget(self.store.as_ref(), &note).await;
        }
        for held in self.hands.empty() {
            if let Some(note) = held.beginning {
                suspects::forget(self.store.as_ref(), &note).await;
            }
            told(self.give_back(held.job, held.delivery).await);
        }
    }

    async fn give_back(&self, job: ChunkJob, delivery: Delivery) -> Result<(), BrokerError> {
        self.tell(&Event::Returned { job }).await?;
        delivery.ack().await
    }

    async fn tell(&self, event: &Event) -> Result<(), BrokerError> {
        let body = serde_json::to_vec(event).expect("an event serialises");
        self.broker.publish(EVENTS_QUEUE, followed(body)).await
    }
}

/// Says what could not be given back.
fn told(given_back: Result<(), BrokerError>) {
    if let Err(error) = given_back {
        tracing::info!(%error, "a chunk goes back with its connection");
    }
}

fn event(job: ChunkJob, worked: anyhow::Result<Worked>) -> Event {
    match worked {
        Ok(Worked::Stored(Stored::Lines(result))) => Event::Done { job, result },
        Ok(Worked::Stored(Stored::Split)) => Event::Split { job },
        Ok(Worked::Returned) => Event::Returned { job },
        Err(error) => {
            let is_final = matches!(error.downcast_ref(), Some(StoreError::Full { .. }));
            Event::Failed { job, reason: format!("{error:#}"), is_final }
        }
    }
}

/// Whether work failed because the engine takes no requests any more.
pub(crate) fn has_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EngineError::Stopped))
}

/// A message that says when it was sent, and what it belongs to.
fn followed(body: Vec<u8>) -> Message {
    let sent_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).ok();
    let properties = Properties { trace: traces::current(), sent_ms, ..Properties::default() };
    Message { body: body.into(), properties }
}

/// A delivery that went back to its queue meanwhile comes again, to somebody who finds its output.
pub(crate) fn forgiving(settled: Result<(), BrokerError>) -> Result<(), BrokerError> {
    match settled {
        Err(error) if error.is_returned => {
            tracing::info!(%error, "a chunk was delivered over a connection that is gone; it will come again");
            Ok(())
        }
        other => other,
    }
}
