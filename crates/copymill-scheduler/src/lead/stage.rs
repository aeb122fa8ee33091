//! All chunks of one kind on their way from being cut to being done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use copymill_campaign::{
    Accepted, CampaignKeys, CampaignState, ChunkId, ChunkJob, ChunkKind, ChunkResult, count_messages,
    count_segments, decode_header, is_split,
};
use copymill_store::Store;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Leader, mend::Recutting, rework::Rework};
use crate::{
    finish::REMADE,
    plan::{self, CutChunk, MessagePlan, ResumePoint},
    tracker::Tracker,
    window::{Member, Place},
};

/// Cut chunks that wait to be stored: reading goes on while one is written.
const CUT_AHEAD: usize = 2;
/// A queue hands out chunks in order. One that is still there although one that was published this much later was begun
/// is there no more.
const OVERTAKEN_AFTER: Duration = Duration::from_secs(60);
/// How long chunks of a cancelled campaign that are in workers' hands are waited for.
const CANCEL_PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Stage {
    pub(super) kind: ChunkKind,
    pub(super) tracker: Tracker,
    pub(super) cut: mpsc::Receiver<CutChunk>,
    pub(super) cutting: JoinHandle<anyhow::Result<()>>,
    pub(super) cut_all: bool,
    /// Where a later generation is made, from what.
    rework: Option<Rework>,
    /// How a chunk is cut again whose input is damaged.
    pub(super) recutting: Option<Recutting>,
    cancelled_since: Option<Instant>,
}

impl Stage {
    /// Cuts segments, from where an earlier leader stopped.
    pub(super) fn of_segments(
        campaign: &Accepted,
        segments: &[Vec<String>],
        (from, tokens): (ResumePoint, u64),
    ) -> Self {
        let cut = plan::cut_segments(campaign, segments, (from, tokens));
        Self::new(ChunkKind::Segments, from, move |sender| {
            // The receiver goes away where the stage ends early.
            let _ = cut.into_iter().try_for_each(|chunk| sender.blocking_send(chunk));
            Ok(())
        })
    }

    /// Cuts messages, from where an earlier leader stopped.
    pub(super) fn of_messages(plan: MessagePlan, from: ResumePoint) -> Self {
        let recutting = Some(Recutting::of(&plan));
        let stage = Self::new(ChunkKind::Messages, from, move |sender| plan::cut_messages(plan, &sender));
        Self { recutting, ..stage }
    }

    /// Works again on chunks that are done.
    pub(super) fn of_rework(kind: ChunkKind, rework: Rework) -> Self {
        let tracker = Tracker::of(rework.chunks());
        Self { tracker, rework: Some(rework), ..Self::new(kind, ResumePoint::default(), |_| Ok(())) }
    }

    fn new(
        kind: ChunkKind,
        from: ResumePoint,
        cut: impl FnOnce(mpsc::Sender<CutChunk>) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(CUT_AHEAD);
        let cutting = tokio::task::spawn_blocking(move || cut(sender));
        let mut tracker = Tracker::default();
        tracker.planned(from.chunk);
        let (rework, recutting, cancelled_since) = (None, None, None);
        Self { kind, tracker, cut: chunks, cutting, cut_all: false, rework, recutting, cancelled_since }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.cut_all && self.tracker.is_complete()
    }

    /// Whether nothing of a cancelled campaign is in anybody's hands, or it was waited for long enough.
    pub(super) fn is_quiet(&mut self, now: Instant) -> bool {
        let since = *self.cancelled_since.get_or_insert(now);
        self.tracker.begun_count() == 0 || now.duration_since(since) > CANCEL_PATIENCE
    }

    /// Publishes the next chunk. One whose output is there counts as done instead.
    pub(super) async fn publish(
        &mut self,
        leader: &Leader,
        place: Place,
        state: &mut CampaignState,
    ) -> anyhow::Result<()> {
        let Some(chunk) = self.tracker.next() else { return Ok(()) };
        leader.lease.check().await?;
        let mut job = self.job(leader, chunk.clone());
        let mut output = read_output(&leader.store, &leader.keys, &job).await?;
        if let Output::Damaged(damage) = &output
            && self.may_remake(&chunk)
        {
            tracing::warn!(campaign.id = %job.campaign, chunk.id = %chunk, error = format!("{damage:#}"), "an output is written again");
            self.tracker.remake(chunk.clone());
            job = self.job(leader, chunk.clone());
            output = read_output(&leader.store, &leader.keys, &job).await?;
        }
        match output {
            Output::Lines(result) => {
                let _ = self.done(chunk, result, state);
                return Ok(());
            }
            Output::Split => {
                self.split(chunk, state);
                return Ok(());
            }
            Output::Damaged(damage) => return Err(damage),
            Output::Missing => self.mend_input(leader, &chunk).await?,
        }
        // Noted before it is sent: a worker may be faster than the broker's confirmation.
        self.tracker.published(chunk, place, Instant::now());
        leader.send(&job).await
    }

    /// The job of a chunk.
    fn job(&self, leader: &Leader, chunk: ChunkId) -> ChunkJob {
        ChunkJob {
            v: 1,
            campaign: leader.campaign.id.clone(),
            root: leader.keys.root().to_owned(),
            kind: self.kind,
            suspect: self.tracker.is_suspect(&chunk),
            generation: self.generation(&chunk),
            again: self.rework.as_ref().and_then(|rework| rework.object(&chunk)).map(str::to_owned),
            chunk,
        }
    }

    /// Whether a report is about a chunk of this stage, not a late one about an earlier.
    pub(super) fn is_of(&self, job: &ChunkJob) -> bool {
        job.kind == self.kind && job.generation == self.generation(&job.chunk)
    }

    /// The generation of the object that a chunk's work ends in.
    fn generation(&self, chunk: &ChunkId) -> u32 {
        match &self.rework {
            Some(rework) => rework.generation,
            None if self.tracker.remade().contains(chunk) => REMADE,
            None => 1,
        }
    }

    /// Whether a damaged output may be worked on again: not where a later generation is made of it, nor where other
    /// objects are made of what it holds.
    fn may_remake(&self, chunk: &ChunkId) -> bool {
        self.kind == ChunkKind::Messages && self.rework.is_none() && !self.tracker.remade().contains(chunk)
    }

    /// Notes that a worker has a chunk in its hands.
    pub(super) fn begun(&mut self, chunk: &ChunkId, window: &Member) {
        if let Some(published) = self.tracker.begun(chunk, Instant::now()) {
            window.begun(published);
        }
    }

    /// Notes a chunk as done; false where it was already, or where it is one of a later generation.
    pub(super) fn done(&mut self, chunk: ChunkId, result: ChunkResult, state: &mut CampaignState) -> bool {
        let (outcomes, tokens, reasons, rows) =
            (result.outcomes, result.tokens, result.reasons.clone(), result.rows.1);
        // The totals of a later generation are counted when it is complete.
        if !self.tracker.done(chunk, result) || self.rework.is_some() {
            return false;
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
        true
    }

    /// Notes that a chunk was split.
    pub(super) fn split(&mut self, chunk: ChunkId, state: &mut CampaignState) {
        self.tracker.split(chunk);
        if self.kind == ChunkKind::Messages && self.rework.is_none() {
            state.chunks_planned = self.tracker.count();
        }
    }

    /// Takes back chunks whose worker fell silent, and those that others overtook.
    pub(super) fn look_for_silent(&mut self, leader: &Leader) {
        let campaign = &leader.campaign.id;
        for chunk in self.tracker.silent(Instant::now()) {
            leader.metrics.again("silent", 1);
            tracing::warn!(campaign.id = %campaign, chunk.id = %chunk, "the worker of a chunk fell silent; publishing the chunk again");
        }
        let overtaken = leader.window.begun_until().and_then(|moment| moment.checked_sub(OVERTAKEN_AFTER));
        self.publish_lost(overtaken, leader);
    }

    /// Takes back chunks that were published before a moment and that nobody has.
    pub(super) fn publish_lost(&mut self, before: Option<Instant>, leader: &Leader) {
        let lost = before.map(|before| self.tracker.lost(before)).unwrap_or_default();
        if !lost.is_empty() {
            leader.metrics.again("lost", lost.len());
            tracing::warn!(
                campaign.id = %leader.campaign.id,
                chunks = lost.len(),
                "published chunks got lost with their queue; publishing them again"
            );
        }
    }
}

/// What a chunk's output object says.
pub(super) enum Output {
    /// There is none.
    Missing,
    /// What its lines hold.
    Lines(ChunkResult),
    /// That the chunk was split.
    Split,
    /// Nothing that can be read; why, for people.
    Damaged(anyhow::Error),
}

/// Reads back what a chunk's output object says.
pub(super) async fn read_output(
    store: &Arc<dyn Store>,
    keys: &CampaignKeys,
    job: &ChunkJob,
) -> anyhow::Result<Output> {
    let (kind, chunk) = (job.kind, &job.chunk);
    let key = keys.output_of(kind, chunk, job.generation);
    let Some(object) = store.get(&key).await? else { return Ok(Output::Missing) };
    if is_split(&object.body) {
        return Ok(Output::Split);
    }
    let first = match kind {
        ChunkKind::Messages => 0,
        ChunkKind::Segments => first_row(store.as_ref(), keys, chunk).await?,
    };
    let count = move || match kind {
        ChunkKind::Messages => count_messages(&object.body),
        ChunkKind::Segments => count_segments(&object.body, first),
    };
    let counted = tokio::task::spawn_blocking(count).await?;
    Ok(match counted.with_context(|| format!("{key} is damaged; restore it or start again")) {
        Ok(result) => Output::Lines(result),
        Err(damage) => Output::Damaged(damage),
    })
}

/// The number of the first segment of a chunk, or of a part of one.
async fn first_row(store: &dyn Store, keys: &CampaignKeys, chunk: &ChunkId) -> anyhow::Result<u64> {
    let key = keys.input(ChunkKind::Segments, &ChunkId::whole(chunk.index));
    let object = store.get(&key).await?.with_context(|| format!("{key} is missing"))?;
    let rows = decode_header(&object.body).with_context(|| format!("{key} is damaged"))?.rows;
    Ok(rows.0 + chunk.rows_of((rows.1 - rows.0) as usize).start as u64)
}
