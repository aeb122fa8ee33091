//! Leading one campaign: cut, publish a window, follow events, until every chunk is done.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use copymill_broker::{Broker, Consumer, Delivery};
use copymill_campaign::{
    Accepted, CampaignKeys, CampaignPhase, CampaignState, ChunkId, ChunkJob, ChunkKind, ChunkResult,
    EVENTS_QUEUE, Event, count_messages, count_segments, decode_header, jobs_queue,
};
use copymill_store::Store;
use tokio::sync::{mpsc, watch};

use crate::{
    finish,
    lease::Lease,
    plan::{self, CutChunk},
    source::Source,
    state_file::StateFile,
    tracker::Tracker,
};

/// Chunks on the queue at once: more than any one process holds, so that it never waits for the leader.
const WINDOW: usize = 64;
/// Cut chunks that wait to be stored: reading goes on while one is written.
const CUT_AHEAD: usize = 2;
/// Events in hand at once.
const EVENTS_IN_HAND: u16 = 32;
const TICK: Duration = Duration::from_millis(200);

/// Leads one campaign from the state it is in.
pub struct Leader {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where jobs go and events come from.
    pub broker: Arc<dyn Broker>,
    /// The campaign's keys.
    pub keys: CampaignKeys,
    /// The campaign.
    pub campaign: Arc<Accepted>,
    /// Proof that nobody else leads.
    pub lease: Lease,
}

/// How a leader's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `_SUCCESS` is written.
    Completed,
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

impl Leader {
    /// Works until the campaign is completed, or until the process drains and its workers are gone.
    pub async fn lead(self, source: Source, mut signals: Signals) -> anyhow::Result<Ended> {
        let mut state = StateFile::open(self.store.clone(), &self.keys).await?;
        if state.state.phase == CampaignPhase::Completed {
            return self.end(Ended::Completed).await;
        }
        if state.state.phase == CampaignPhase::Accepted {
            state.state.advance(CampaignPhase::Planning)?;
        }
        // What stood in the state is counted anew from the objects: they are the truth.
        state.state.totals = Default::default();
        state.save(&self.lease).await?;
        let mut events = self.broker.consume(EVENTS_QUEUE, EVENTS_IN_HAND).await?;

        let segments = match &source.segments {
            Some(segments) => {
                let from = plan::resume_point(self.store.as_ref(), &self.keys, ChunkKind::Segments).await?;
                let chunks = cut_in_background(from.chunk, {
                    let cut = plan::cut_segments(&self.campaign, segments, from);
                    move |sender| {
                        let _: () = cut.into_iter().try_for_each(|c| sender.blocking_send(c)).unwrap_or(());
                        Ok(())
                    }
                });
                let mut stage = Stage::new(ChunkKind::Segments, chunks);
                if !self.run_stage(&mut stage, events.as_mut(), &mut state, &mut signals).await? {
                    return self.end(Ended::Stopped).await;
                }
                stage.tracker
            }
            None => Tracker::new(WINDOW),
        };
        let from = plan::resume_point(self.store.as_ref(), &self.keys, ChunkKind::Messages).await?;
        let message_plan = source.message_plan(self.campaign.clone(), from);
        let chunks = cut_in_background(from.chunk, move |sender| plan::cut_messages(message_plan, &sender));
        let mut stage = Stage::new(ChunkKind::Messages, chunks);
        if !self.run_stage(&mut stage, events.as_mut(), &mut state, &mut signals).await? {
            return self.end(Ended::Stopped).await;
        }
        self.lease.check()?;
        let results = finish::Results { messages: stage.tracker.results(), segments: segments.results() };
        finish::finish(&self, &mut state, results).await?;
        signals.progress.send_replace(state.state.clone());
        self.end(Ended::Completed).await
    }

    async fn end(self, ended: Ended) -> anyhow::Result<Ended> {
        self.lease.release().await?;
        Ok(ended)
    }

    /// Works on all chunks of a kind; false where the process stopped before the last was done.
    async fn run_stage(
        &self,
        stage: &mut Stage,
        events: &mut dyn Consumer,
        state: &mut StateFile,
        signals: &mut Signals,
    ) -> anyhow::Result<bool> {
        let mut tick = tokio::time::interval(TICK);
        while !stage.is_complete() {
            let draining = *signals.draining.borrow_and_update();
            if !draining {
                let counted = self.publish_window(stage, state).await?;
                if stage.is_complete() {
                    break;
                }
                if counted {
                    state.save_if_due(&self.lease).await?;
                    signals.progress.send_replace(state.state.clone());
                    continue;
                }
            }
            let gone = *signals.workers_gone.borrow_and_update();
            if draining && gone && self.broker.depth(EVENTS_QUEUE).await? == 0 {
                state.save(&self.lease).await?;
                signals.progress.send_replace(state.state.clone());
                return Ok(false);
            }
            tokio::select! {
                cut = stage.cut.recv(), if !stage.cut_all && !draining => self.take_cut(stage, cut, state).await?,
                delivery = events.next() => {
                    let delivery = delivery?.context("the broker was shut down")?;
                    self.take_event(stage, delivery, state).await?;
                }
                _ = tick.tick() => state.save_if_due(&self.lease).await?,
            }
            signals.progress.send_replace(state.state.clone());
        }
        state.save(&self.lease).await?;
        Ok(true)
    }

    async fn take_cut(
        &self,
        stage: &mut Stage,
        cut: Option<CutChunk>,
        state: &mut StateFile,
    ) -> anyhow::Result<()> {
        let Some(cut) = cut else {
            stage.cut_all = true;
            (&mut stage.cutting).await.context("planning ended unexpectedly")??;
            if stage.kind == ChunkKind::Messages && state.state.phase == CampaignPhase::Planning {
                state.state.advance(CampaignPhase::Running)?;
                state.save(&self.lease).await?;
            }
            return Ok(());
        };
        self.lease.check()?;
        let (chunk, rows) = (cut.header.chunk.clone(), cut.header.rows);
        plan::store_cut(self.store.as_ref(), &self.keys.input(stage.kind, &chunk), cut).await?;
        stage.tracker.planned(chunk.index + 1);
        match stage.kind {
            ChunkKind::Messages => {
                state.state.rows_planned = rows.1;
                state.state.chunks_planned = stage.tracker.count();
            }
            ChunkKind::Segments => state.state.segment_chunks = stage.tracker.count(),
        }
        Ok(())
    }

    /// Publishes what the window has room for. A chunk whose output is there counts as done instead; then it returns
    /// true at once, so that a long resume shows its progress and can be stopped.
    async fn publish_window(&self, stage: &mut Stage, state: &mut StateFile) -> anyhow::Result<bool> {
        while let Some(chunk) = stage.tracker.take_next() {
            self.lease.check()?;
            if let Some(result) = read_output(self.store.as_ref(), &self.keys, stage.kind, &chunk).await? {
                stage.done(chunk, result, &mut state.state);
                return Ok(true);
            }
            let job = ChunkJob {
                v: 1,
                campaign: self.campaign.id.clone(),
                root: self.keys.root().to_owned(),
                kind: stage.kind,
                chunk,
            };
            let body = serde_json::to_vec(&job)?.into();
            self.broker.publish(&jobs_queue(&self.campaign.model), body).await?;
        }
        Ok(false)
    }

    async fn take_event(
        &self,
        stage: &mut Stage,
        delivery: Delivery,
        state: &mut StateFile,
    ) -> anyhow::Result<()> {
        let event: Event = match serde_json::from_slice(&delivery.body) {
            Ok(event) => event,
            Err(error) => return Ok(delivery.dead_letter(&format!("no event: {error}")).await?),
        };
        match event {
            Event::Done { job, result } if job.kind == stage.kind => {
                stage.done(job.chunk, result, &mut state.state)
            }
            Event::Returned { job } if job.kind == stage.kind => stage.tracker.returned(job.chunk),
            Event::Failed { job, reason, is_final: true } if job.kind == stage.kind => {
                bail!("chunk {} failed: {reason}", job.chunk);
            }
            Event::Failed { job, reason, .. } if job.kind == stage.kind => {
                tracing::warn!(chunk = %job.chunk, reason, "a chunk failed");
                if !stage.tracker.failed(job.chunk.clone()) {
                    bail!("chunk {} failed {} times: {reason}", job.chunk, crate::tracker::TRIES);
                }
            }
            // Chunks that began, and late reports of a stage that is over, change nothing.
            Event::Started { .. } | Event::Done { .. } | Event::Returned { .. } | Event::Failed { .. } => {}
        }
        Ok(delivery.ack().await?)
    }
}

/// All chunks of one kind on their way from being cut to being done.
struct Stage {
    kind: ChunkKind,
    tracker: Tracker,
    cut: mpsc::Receiver<CutChunk>,
    cutting: tokio::task::JoinHandle<anyhow::Result<()>>,
    cut_all: bool,
}

impl Stage {
    fn new(kind: ChunkKind, cutting: Cutting) -> Self {
        let mut tracker = Tracker::new(WINDOW);
        tracker.planned(cutting.cut_before);
        Self { kind, tracker, cut: cutting.chunks, cutting: cutting.task, cut_all: false }
    }

    fn is_complete(&self) -> bool {
        self.cut_all && self.tracker.is_complete()
    }

    fn done(&mut self, chunk: ChunkId, result: ChunkResult, state: &mut CampaignState) {
        let (outcomes, tokens, reasons, rows) =
            (result.outcomes, result.tokens, result.reasons.clone(), result.rows.1);
        if !self.tracker.done(chunk, result) {
            return;
        }
        state.totals.tokens += tokens;
        for (code, n) in reasons {
            *state.totals.reasons.entry(code).or_default() += n;
        }
        if self.kind == ChunkKind::Messages {
            state.totals.outcomes += outcomes;
            state.chunks_done = self.tracker.results().len() as u32;
            state.chunks_planned = self.tracker.count();
            state.rows_planned = state.rows_planned.max(rows);
        }
    }
}

/// The number of an input object's first row.
async fn first_row(store: &dyn Store, key: &str) -> anyhow::Result<u64> {
    let object = store.get(key).await?.with_context(|| format!("{key} is missing"))?;
    Ok(decode_header(&object.body).with_context(|| format!("{key} is damaged"))?.rows.0)
}

struct Cutting {
    cut_before: u32,
    chunks: mpsc::Receiver<CutChunk>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

fn cut_in_background(
    cut_before: u32,
    cut: impl FnOnce(mpsc::Sender<CutChunk>) -> anyhow::Result<()> + Send + 'static,
) -> Cutting {
    let (sender, chunks) = mpsc::channel(CUT_AHEAD);
    Cutting { cut_before, chunks, task: tokio::task::spawn_blocking(move || cut(sender)) }
}

/// Reads back what a chunk's output object holds; none where there is none.
async fn read_output(
    store: &dyn Store,
    keys: &CampaignKeys,
    kind: ChunkKind,
    chunk: &ChunkId,
) -> anyhow::Result<Option<ChunkResult>> {
    let key = keys.output(kind, chunk);
    let Some(object) = store.get(&key).await? else { return Ok(None) };
    let first = match kind {
        ChunkKind::Messages => 0,
        ChunkKind::Segments => first_row(store, &keys.input(kind, chunk)).await?,
    };
    let count = move || match kind {
        ChunkKind::Messages => count_messages(&object.body),
        ChunkKind::Segments => count_segments(&object.body, first),
    };
    let counted = tokio::task::spawn_blocking(count).await?;
    let result =
        counted.with_context(|| format!("{key} is damaged; restore it or start again with --fresh"))?;
    Ok(Some(result))
}
