//! Leading one campaign: cut, publish as the window allows, follow what workers report, until every chunk is done.

mod failure;
mod hold;
mod mend;
mod notes;
mod pace;
mod pilot;
mod rework;
mod stage;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use copymill_broker::{Broker, Delivery, Message, Properties};
use copymill_campaign::{
    Accepted, Action, CampaignKeys, CampaignPhase, CampaignState, ChunkId, ChunkJob, ChunkKind, ChunkResult,
    Event, jobs_queue, model_label,
};
use copymill_service::traces;
use copymill_store::Store;
use tokio::sync::watch;
use tracing::Instrument;

pub(crate) use hold::{Begun, lasts, passes};
pub use notes::{Note, Notes};
use pace::Pace;
use stage::Stage;

use crate::{
    finish,
    lease::Lease,
    metrics::SchedulerMetrics,
    plan,
    source::Source,
    state_file::StateFile,
    tracker::{Failure, Tracker},
    window::Member,
};

const TICK: Duration = Duration::from_millis(200);
/// A chunk on the queue that nobody begins, although later ones were begun, is lost after this long.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Leads one campaign from the state it is in.
pub struct Leader {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where jobs go.
    pub broker: Arc<dyn Broker>,
    /// The campaign's keys.
    pub keys: CampaignKeys,
    /// The campaign.
    pub campaign: Arc<Accepted>,
    /// Proof that nobody else leads.
    pub lease: Arc<Lease>,
    /// Its part of the window of its model.
    pub window: Member,
    /// Whether somebody gives orders: then a pilot waits to be approved, and chunks that cannot be worked on wait to be
    /// resumed.
    pub is_attended: bool,
    /// Tokens that the answers of one chunk may have together.
    pub chunk_tokens: u64,
    /// What it measures.
    pub metrics: Arc<SchedulerMetrics>,
}

/// How a leader's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `_SUCCESS` is written.
    Completed,
    /// A user ended it; what is there is in its manifest.
    Cancelled,
    /// It cannot go on; its state says why.
    Failed,
    /// It was asked to stop; what is done is stored and the rest can go on later.
    Stopped,
}

/// What the embedding process tells a leader.
#[derive(Clone)]
pub struct Signals {
    /// True once no new chunk shall be published.
    pub draining: watch::Receiver<bool>,
    /// True once no worker will report any more.
    pub workers_gone: watch::Receiver<bool>,
    /// Receives the state after every change.
    pub progress: watch::Sender<CampaignState>,
}

/// How the chunks of one kind ended.
enum StageEnd {
    Complete,
    Cancelled,
    Stopped,
}

impl Leader {
    /// Works until the campaign has ended, or until the process drains and its workers are gone.
    pub async fn lead(
        &self,
        source: Source,
        notes: &mut Notes,
        signals: &mut Signals,
    ) -> anyhow::Result<Ended> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        match state.state.phase {
            CampaignPhase::Completed => return Ok(Ended::Completed),
            CampaignPhase::Cancelled => return Ok(Ended::Cancelled),
            CampaignPhase::Failed => return Ok(Ended::Failed),
            CampaignPhase::Accepted => state.state.advance(CampaignPhase::Planning)?,
            _ => {}
        }
        // What stood in the state is counted anew from the objects: they are the truth.
        state.state.totals = Default::default();
        state.save(&self.lease).await?;

        let rows = source.records;
        let segments = match &source.segments {
            Some(segments) => {
                let from = plan::resume_point(self.store.as_ref(), &self.keys, ChunkKind::Segments).await?;
                let mut stage = Stage::of_segments(&self.campaign, segments, (from, self.chunk_tokens));
                match self.run_stage(&mut stage, notes, &mut state, signals).await? {
                    StageEnd::Complete => stage.tracker,
                    StageEnd::Cancelled => {
                        return self.cancel(&mut state, rows, [&Tracker::default(), &stage.tracker]).await;
                    }
                    StageEnd::Stopped => return Ok(Ended::Stopped),
                }
            }
            None => Tracker::default(),
        };
        let from = plan::resume_point(self.store.as_ref(), &self.keys, ChunkKind::Messages).await?;
        let mut stage =
            Stage::of_messages(source.message_plan(self.campaign.clone(), from, self.chunk_tokens), from);
        self.remade().await?.into_iter().for_each(|chunk| stage.tracker.remake(chunk));
        if let Some(rows) = self.pilot(&state)
            && let Some(chunks) =
                pilot::chunks_of_pilot(self.store.as_ref(), &self.keys, rows, from.chunk).await?
        {
            stage.tracker.limit_to(chunks);
        }
        match self.run_stage(&mut stage, notes, &mut state, signals).await? {
            StageEnd::Complete => {}
            StageEnd::Cancelled => return self.cancel(&mut state, rows, [&stage.tracker, &segments]).await,
            StageEnd::Stopped => return Ok(Ended::Stopped),
        }
        self.lease.check().await?;
        let results = finish::Results::of(&stage.tracker, &segments);
        finish::complete(self, &mut state, results).await?;
        signals.progress.send_replace(state.state.clone());
        Ok(Ended::Completed)
    }

    async fn cancel(
        &self,
        state: &mut StateFile,
        rows: u64,
        [messages, segments]: [&Tracker; 2],
    ) -> anyhow::Result<Ended> {
        self.lease.check().await?;
        let results = finish::Results::of(messages, segments);
        finish::end_early(self, state, results, (CampaignPhase::Cancelled, rows)).await?;
        Ok(Ended::Cancelled)
    }

    /// Works on all chunks of a kind.
    async fn run_stage(
        &self,
        stage: &mut Stage,
        notes: &mut Notes,
        state: &mut StateFile,
        signals: &mut Signals,
    ) -> anyhow::Result<StageEnd> {
        let mut tick = tokio::time::interval(TICK);
        let mut pace = self.pace(stage, state)?;
        loop {
            self.advance(stage, state).await?;
            let waits = stage.kind == ChunkKind::Messages && self.pilot(state).is_some();
            if stage.is_complete() && !waits {
                break;
            }
            let draining = *signals.draining.borrow_and_update();
            if draining && *signals.workers_gone.borrow_and_update() && notes.is_empty().await? {
                state.save(&self.lease).await?;
                signals.progress.send_replace(state.state.clone());
                return Ok(StageEnd::Stopped);
            }
            if state.state.cancelling && stage.is_quiet(Instant::now()) {
                return Ok(StageEnd::Cancelled);
            }
            let goes_on = !draining && !state.state.cancelling;
            let publishes = goes_on && !state.state.paused && stage.tracker.has_next();
            if !publishes {
                self.window.rest();
            }
            tokio::select! {
                place = self.window.place(), if publishes => stage.publish(self, place, &mut state.state).await?,
                cut = stage.cut.recv(), if !stage.cut_all && goes_on => self.take_cut(stage, cut, state).await?,
                note = notes.next() => self.take_note(stage, note?, state).await?,
                _ = tick.tick() => {
                    state.save_if_due(&self.lease).await?;
                    stage.tracker.try_again(Instant::now());
                    stage.look_for_silent(self);
                    self.keep_pace(pace.as_mut(), state);
                }
            }
            signals.progress.send_replace(state.state.clone());
        }
        state.save(&self.lease).await?;
        Ok(StageEnd::Complete)
    }

    async fn take_cut(
        &self,
        stage: &mut Stage,
        cut: Option<plan::CutChunk>,
        state: &mut StateFile,
    ) -> anyhow::Result<()> {
        let Some(cut) = cut else {
            stage.cut_all = true;
            (&mut stage.cutting).await.context("planning ended unexpectedly")??;
            if self.pilot(state).is_some() && !stage.tracker.has_limit() {
                stage.tracker.limit_to(stage.tracker.planned_count());
            }
            return Ok(());
        };
        self.lease.check().await?;
        let (chunk, rows) = (cut.header.chunk.clone(), cut.header.rows);
        plan::store_cut(self.store.as_ref(), &self.keys.input(stage.kind, &chunk), cut).await?;
        stage.tracker.planned(chunk.index + 1);
        self.metrics.series.planned_chunks_total.inc();
        if stage.kind == ChunkKind::Messages {
            self.metrics.series.planned_rows_total.inc_by(rows.1 - rows.0);
        }
        match stage.kind {
            ChunkKind::Messages => {
                if self.pilot(state).is_some_and(|pilot| pilot <= rows.1) && !stage.tracker.has_limit() {
                    stage.tracker.limit_to(chunk.index + 1);
                }
                state.state.rows_planned = rows.1;
                state.state.chunks_planned = stage.tracker.count();
            }
            ChunkKind::Segments => state.state.segment_chunks = stage.tracker.planned_count(),
        }
        Ok(())
    }

    async fn take_note(&self, stage: &mut Stage, note: Note, state: &mut StateFile) -> anyhow::Result<()> {
        match note {
            Note::Event(event, delivery) => {
                if stage.is_of(event.job()) {
                    let job = event.job();
                    let span =
                        tracing::debug_span!("report", campaign.id = %job.campaign, chunk.id = %job.chunk);
                    traces::follow(&span, delivery.properties.trace.as_deref());
                    self.take_event(stage, *event, state).instrument(span).await?;
                }
                // Late reports of a stage that is over change nothing.
                self.note_lag(&delivery);
                acknowledge(delivery).await
            }
            Note::Order(action, delivery) => {
                match action {
                    Action::Pause => state.state.paused = true,
                    Action::Resume => {
                        state.state.resume();
                        stage.tracker.forgive();
                    }
                    Action::Cancel => state.state.cancelling = true,
                    Action::Approve => {
                        if self.approve(state)? {
                            stage.tracker.release();
                        }
                    }
                    // Rework that was asked for begins when nothing else is done about the campaign.
                    Action::Submitted | Action::RetryRejected => {}
                }
                state.save(&self.lease).await?;
                acknowledge(delivery).await
            }
            Note::Alive(heartbeat) => {
                for held in heartbeat.chunks.iter().filter(|held| held.campaign == self.campaign.id) {
                    if held.kind == stage.kind {
                        stage.begun(&held.chunk, &self.window);
                    }
                }
                Ok(())
            }
            Note::Idle => {
                stage.publish_lost(Instant::now().checked_sub(LOST_AFTER), self);
                Ok(())
            }
        }
    }

    async fn take_event(&self, stage: &mut Stage, event: Event, state: &mut StateFile) -> anyhow::Result<()> {
        match event {
            Event::Started { job, .. } => stage.begun(&job.chunk, &self.window),
            Event::Done { job, result } => self.take_done(stage, job.chunk, result, state),
            Event::Returned { job } => {
                self.metrics.again("returned", 1);
                stage.tracker.returned(job.chunk);
            }
            Event::Split { job } => stage.split(job.chunk, &mut state.state),
            Event::Failed { job, reason, is_final } => {
                tracing::warn!(campaign.id = %self.campaign.id, chunk.id = %job.chunk, reason, "a chunk failed");
                match stage.tracker.failed(job.chunk.clone(), Instant::now()) {
                    Failure::Late => {}
                    Failure::Again if !is_final => self.metrics.again("failed", 1),
                    _ => self.hold(state, format!("chunk {} failed: {reason}", job.chunk)).await?,
                }
            }
        }
        Ok(())
    }

    fn take_done(&self, stage: &mut Stage, chunk: ChunkId, result: ChunkResult, state: &mut StateFile) {
        let published = stage.tracker.published_at(&chunk);
        tracing::debug!(campaign.id = %self.campaign.id, chunk.id = %chunk, chunk.kind = ?stage.kind, "a chunk is done");
        let outcomes = result.outcomes;
        if !stage.done(chunk, result, &mut state.state) {
            return;
        }
        self.metrics.series.finished_chunks_total.inc(&model_label(&self.campaign.model));
        if stage.kind == ChunkKind::Messages {
            self.metrics.messages(outcomes);
        }
        if let Some(published) = published {
            self.metrics.series.chunk_turnaround_seconds.observe(published.elapsed().as_secs_f64());
        }
    }

    /// The pace that is to be kept, where the campaign has a deadline. Segments are few.
    fn pace(&self, stage: &Stage, state: &StateFile) -> anyhow::Result<Option<Pace>> {
        let deadline = self.campaign.file.deadline.as_deref().filter(|_| stage.kind == ChunkKind::Messages);
        let deadline = deadline.map(str::parse).transpose().context("the campaign's deadline is no time")?;
        Ok(deadline.map(|deadline| Pace::new(deadline, state.state.totals.outcomes.total(), Instant::now())))
    }

    fn keep_pace(&self, pace: Option<&mut Pace>, state: &StateFile) {
        let Some(pace) = pace else { return };
        let done = state.state.totals.outcomes.total();
        let all = self.campaign.source.records * u64::from(self.campaign.file.variants);
        if let Some(urgency) = pace.look(done, all.saturating_sub(done), Instant::now()) {
            self.window.hurry(urgency);
        }
    }

    /// Notes how long a report took to its effect. Clocks that differ show as no time at all.
    fn note_lag(&self, delivery: &Delivery) {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        if let Some(sent) = delivery.properties.sent_ms {
            self.metrics.series.event_lag_seconds.observe(now.saturating_sub(sent) as f64 / 1_000.0);
        }
    }

    async fn send(&self, job: &ChunkJob) -> anyhow::Result<()> {
        let span = tracing::debug_span!("publish", campaign.id = %job.campaign, chunk.id = %job.chunk);
        let trace = span.in_scope(traces::current);
        tracing::debug!(campaign.id = %job.campaign, chunk.id = %job.chunk, chunk.kind = ?job.kind, "a chunk is published");
        let properties = Properties { trace, ..Properties::default() };
        let message = Message { body: serde_json::to_vec(job)?.into(), properties };
        Ok(self.broker.publish(&jobs_queue(&self.campaign.model), message).instrument(span).await?)
    }
}

/// A message that went back to its queue meanwhile comes again, and changes nothing then.
async fn acknowledge(delivery: Delivery) -> anyhow::Result<()> {
    match delivery.ack().await {
        Err(error) if !error.is_returned => Err(error.into()),
        _ => Ok(()),
    }
}
