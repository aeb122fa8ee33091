//! What the leader knows of all its campaigns, for metrics.

use std::{collections::HashMap, sync::Arc};

use copymill_broker::DEAD_LETTER_QUEUE;
use copymill_campaign::{
    Accepted, CampaignPhase, CampaignState, EVENTS_QUEUE, ModelPin, jobs_queue, model_label,
};
use tokio::sync::{mpsc, watch};

use super::{Campaigns, workers::Workers};
use crate::{
    demand::{Left, ModelDemand, predicted_tokens},
    lead::{Ended, Note},
    metrics::STATES,
    office::state_word,
    window::Share,
};

/// A campaign that is led.
pub(super) struct Led {
    pub(super) campaign: Arc<Accepted>,
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) state: watch::Receiver<CampaignState>,
    /// Its part of the window.
    pub(super) share: Share,
}

impl Led {
    pub(super) fn model(&self) -> &ModelPin {
        &self.campaign.model
    }

    /// What is left to be done about it now; none where it is held or over.
    fn left(&self) -> Option<Left> {
        let state = self.state.borrow();
        let waits = state.phase == CampaignPhase::AwaitingApproval || state.phase.is_terminal();
        if state.paused || state.cancelling || waits {
            return None;
        }
        let file = &self.campaign.file;
        let (done, variants) = (state.totals.outcomes.total(), u64::from(file.variants));
        let rows = file.pilot.filter(|_| !state.approved).unwrap_or(self.campaign.source.records);
        let messages = (rows * variants).saturating_sub(done);
        let deadline = file.deadline.as_deref().and_then(|deadline| deadline.parse::<jiff::Timestamp>().ok());
        let tokens = match self.campaign.segmented {
            // Merging generates nothing, and what its segments take is over before it begins.
            true if done > 0 => 0.0,
            true => f64::from(state.segment_chunks) * f64::from(file.sampling.max_tokens),
            false => {
                predicted_tokens(messages, (done, state.totals.tokens.generated), file.sampling.max_tokens)
            }
        };
        let chunks_left = state.chunks_planned.saturating_sub(state.chunks_done).max(1);
        let now = jiff::Timestamp::now();
        let accepted = self.campaign.accepted_at.parse::<jiff::Timestamp>().unwrap_or(now);
        Some(Left {
            messages: messages as f64,
            tokens,
            deadline_s: deadline.map(|deadline| deadline.duration_since(now).as_secs_f64()),
            age_s: now.duration_since(accepted).as_secs_f64(),
            published: (self.share.taken() as f64 / f64::from(chunks_left)).min(1.0),
        })
    }
}

impl Campaigns {
    /// Says how everything stands.
    pub(super) fn tell_figures(&self, workers: &mut Workers) {
        let series = &self.desk.metrics.series;
        let states: Vec<CampaignState> = self.notes.values().map(|led| led.state.borrow().clone()).collect();
        for state in STATES.iter().take(9) {
            let count = states.iter().filter(|found| state_word(found) == *state).count();
            series.campaigns.of([state]).set(count as i64);
        }
        let done: i64 = states.iter().map(|state| i64::from(state.chunks_done)).sum();
        let planned: i64 = states.iter().map(|state| i64::from(state.chunks_planned)).sum();
        let held = workers.chunks_of(|id| self.notes.contains_key(id)) as i64;
        let published: i64 = self.windows.values().map(|window| window.taken() as i64).sum();
        series.chunks.of(["done"]).set(done);
        series.chunks.of(["running"]).set(held);
        series.chunks.of(["published"]).set((published - held).max(0));
        series.chunks.of(["waiting"]).set((planned - done - published).max(0));
        self.desk.metrics.demand(&self.demand(workers));
    }

    fn demand(&self, workers: &mut Workers) -> Vec<ModelDemand> {
        let mut models: HashMap<String, (ModelPin, Vec<Left>)> = HashMap::new();
        // A model whose campaigns are over is shown as one that wants nobody.
        for model in workers.models().chain(self.seen_models.values().cloned()) {
            models.entry(jobs_queue(&model)).or_insert_with(|| (model, Vec::new()));
        }
        for led in self.notes.values() {
            let model = led.model();
            let (_, left) = models.entry(jobs_queue(model)).or_insert_with(|| (model.clone(), Vec::new()));
            left.extend(led.left());
        }
        let demand = |(model, left): (ModelPin, Vec<Left>)| {
            let assumed = 1.0 / self.desk.assumed_tokens_per_s.max(f64::MIN_POSITIVE);
            let (count, speed) = workers.speed_of(&model, assumed);
            ModelDemand::of(model_label(&model), &left, (count, speed), self.desk.assumptions)
        };
        models.into_values().map(demand).collect()
    }

    /// Counts a campaign that ended.
    pub(super) fn count_end(&self, ended: Ended) {
        let state = match ended {
            Ended::Completed => "completed",
            Ended::Cancelled => "cancelled",
            Ended::Failed => "failed",
            Ended::Stopped => return,
        };
        self.desk.metrics.series.campaigns.of([state]).inc();
    }

    /// Looks at the queues that nobody should let grow.
    pub(super) async fn look_at_own_queues(&self) {
        let series = &self.desk.metrics.series;
        for (queue, gauge) in
            [(EVENTS_QUEUE, &series.events_waiting), (DEAD_LETTER_QUEUE, &series.dead_letters)]
        {
            if let Ok(depth) = self.desk.broker.depth(queue).await {
                gauge.set(i64::try_from(depth).unwrap_or(i64::MAX));
            }
        }
    }
}
