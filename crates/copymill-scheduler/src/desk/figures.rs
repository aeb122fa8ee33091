//! What the leader knows of all its campaigns, for metrics.

use std::{collections::BTreeMap, sync::Arc};

use copymill_broker::DEAD_LETTER_QUEUE;
use copymill_campaign::{
    Accepted, CampaignPhase, CampaignState, EVENTS_QUEUE, ModelPin, Totals, model_label,
};
use tokio::sync::{mpsc, watch};

use super::{Campaigns, workers::Workers};
use crate::{
    demand::{Left, ModelDemand, predicted_tokens},
    lead::{Ended, Note},
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
    /// What an earlier leader had counted.
    pub(super) counted: Totals,
}

impl Led {
    pub(super) fn model(&self) -> &ModelPin {
        &self.campaign.model
    }

    /// What is left to be done about it now; none where it rests or is over.
    fn left(&self, chunk_tokens: u64) -> Option<Left> {
        let state = self.state.borrow();
        if state.paused
            || state.cancelling
            || state.is_over()
            || state.phase == CampaignPhase::AwaitingApproval
        {
            return None;
        }
        let file = &self.campaign.file;
        let variants = u64::from(file.variants);
        // A new leader counts what is done anew, for some seconds; the last one knew.
        let totals = if state.totals.outcomes.total() < self.counted.outcomes.total() {
            &self.counted
        } else {
            &state.totals
        };
        let (done, generated) = (totals.outcomes.total(), totals.tokens.generated);
        let rows = file.pilot.filter(|_| !state.approved).unwrap_or(self.campaign.source.records);
        let messages = match state.reworking {
            Some(_) => totals.outcomes.rejected,
            None => (rows * variants).saturating_sub(done),
        };
        let tokens = match self.campaign.segmented {
            // Merging generates nothing, and what its segments take is over before it begins.
            true if done > 0 => 0.0,
            // Answers end at half of what a chunk allows them, as in `predicted_tokens`.
            true => (f64::from(state.segment_chunks) * chunk_tokens as f64 / 2.0 - generated as f64).max(0.0),
            false => predicted_tokens(messages, (done, generated), file.sampling.max_tokens),
        };
        let chunks_left = state.chunks_planned.saturating_sub(state.chunks_done).max(1);
        let now = jiff::Timestamp::now();
        let accepted = self.campaign.accepted_at.parse::<jiff::Timestamp>().unwrap_or(now);
        let deadline = file.deadline.as_deref().and_then(|deadline| deadline.parse::<jiff::Timestamp>().ok());
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
        self.desk.metrics.campaigns(&states.iter().map(state_word).collect::<Vec<_>>());
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

    /// What is to be done, by what models are called: files of one name are one to whoever reads metrics.
    fn demand(&self, workers: &mut Workers) -> Vec<ModelDemand> {
        let mut models: BTreeMap<String, Vec<Left>> = BTreeMap::new();
        // A model whose campaigns are over is shown as one that wants nobody.
        for model in workers.models().chain(self.seen_models.values().cloned()) {
            models.entry(model_label(&model)).or_default();
        }
        for led in self.notes.values() {
            models.entry(model_label(led.model())).or_default().extend(led.left(self.desk.chunk_tokens));
        }
        let assumed = 1.0 / self.desk.assumed_tokens_per_s.max(f64::MIN_POSITIVE);
        let demand = |(label, left): (String, Vec<Left>)| {
            let at_hand = workers.speed_of(&label, assumed);
            ModelDemand::of(label, &left, at_hand, self.desk.assumptions)
        };
        models.into_iter().map(demand).collect()
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
            let Some(depth) = self.depth(queue).await else { return };
            gauge.set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;
    use serde_json::json;

    fn left(segmented: bool, counted: Totals, change: impl FnOnce(&mut CampaignState)) -> Option<Left> {
        let accepted = json!({
            "v": 1, "id": "01KAQ6Z5Y4T6P0000000000000", "accepted_at": "2026-11-23T10:11:12Z",
            "file": {
                "campaign": "spring", "kind": "sms", "model": "demo", "variants": 2,
                "audience": { "source": "r.csv", "id": "id" }, "brief": { "brand": "Northwind" },
                "sampling": { "max_tokens": 100 },
            },
            "kind": {}, "prompt": null, "columns": ["id"], "segmented": segmented,
            "source": { "location": "/r.csv", "bytes": 1, "sha256": "00", "records": 50 },
            "model": { "name": "demo", "sha256": "ab".repeat(32) },
        });
        let mut state = CampaignState::accepted();
        state.phase = CampaignPhase::Running;
        change(&mut state);
        let led = Led {
            campaign: Arc::new(serde_json::from_value(accepted).unwrap()),
            notes: mpsc::channel(1).0,
            state: watch::channel(state).1,
            share: Window::new(4).join(1.0).share(),
            counted,
        };
        led.left(60_000)
    }

    fn totals(generated: u64, rejected: u64, tokens: u64) -> Totals {
        let mut totals = Totals::default();
        totals.outcomes.generated = generated;
        totals.outcomes.rejected = rejected;
        totals.tokens.generated = tokens;
        totals
    }

    #[test]
    fn work_that_is_left_is_what_no_message_has_an_outcome_of() {
        let of = |state: Totals| left(false, Totals::default(), |found| found.totals = state).unwrap();
        assert_eq!((of(totals(0, 0, 0)).messages, of(totals(0, 0, 0)).tokens), (100.0, 5_000.0));
        assert_eq!((of(totals(40, 0, 800)).messages, of(totals(40, 0, 800)).tokens), (60.0, 1_200.0));
    }

    #[test]
    fn what_rests_or_is_over_is_no_work_and_a_second_try_is() {
        let none = |change: fn(&mut CampaignState)| left(false, Totals::default(), change).is_none();
        assert!(none(|state| state.paused = true));
        assert!(none(|state| state.phase = CampaignPhase::AwaitingApproval));
        assert!(none(|state| state.phase = CampaignPhase::Completed));
        let again = left(false, Totals::default(), |state| {
            state.phase = CampaignPhase::Completed;
            state.reworking = Some(2);
            state.totals = totals(90, 10, 2_000);
        });
        assert_eq!(again.map(|left| (left.messages, left.tokens)), Some((10.0, 200.0)));
    }

    #[test]
    fn a_new_leader_that_still_counts_wants_nobody_for_what_is_done() {
        let recounting = left(false, totals(90, 0, 1_800), |state| state.totals = totals(10, 0, 200));
        assert_eq!(recounting.unwrap().messages, 10.0);
    }

    #[test]
    fn segments_cost_what_their_chunks_may_and_merging_nothing() {
        let generating = left(true, Totals::default(), |state| state.segment_chunks = 3);
        assert_eq!(generating.unwrap().tokens, 90_000.0);
        let merging = left(true, Totals::default(), |state| state.totals = totals(20, 0, 0));
        assert_eq!(merging.map(|left| (left.messages, left.tokens)), Some((80.0, 0.0)));
    }
}
