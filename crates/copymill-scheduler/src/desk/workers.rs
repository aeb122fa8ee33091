//! What workers said last.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use copymill_campaign::{CampaignId, Heartbeat, ModelPin, model_label};

/// Without a heartbeat for this long, a worker is gone.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// The workers that were heard of.
#[derive(Default)]
pub(super) struct Workers {
    heard: HashMap<String, (Arc<Heartbeat>, Instant)>,
    /// GPU-seconds per token, by what models are called, as last measured: workers that went had a speed, too.
    speeds: HashMap<String, f64>,
    /// Queues that were found empty, with all workers waiting, when they were last looked at.
    idle: HashSet<String>,
}

impl Workers {
    pub(super) fn heard(&mut self, heartbeat: Arc<Heartbeat>) {
        let now = Instant::now();
        self.heard.retain(|_, (_, heard)| now.duration_since(*heard) < GONE_AFTER);
        self.heard.insert(heartbeat.worker.clone(), (heartbeat, now));
    }

    fn alive(&self) -> impl Iterator<Item = &Heartbeat> {
        let now = Instant::now();
        let alive = self.heard.values().filter(move |(_, heard)| now.duration_since(*heard) < GONE_AFTER);
        alive.map(|(heartbeat, _)| heartbeat.as_ref())
    }

    /// Chunks in the hands of workers, of campaigns that count.
    pub(super) fn chunks_of(&self, counts: impl Fn(&CampaignId) -> bool) -> usize {
        self.alive().flat_map(|heartbeat| &heartbeat.chunks).filter(|held| counts(&held.campaign)).count()
    }

    /// The models that workers have.
    pub(super) fn models(&self) -> impl Iterator<Item = ModelPin> {
        let models: Vec<ModelPin> = self.alive().map(|heartbeat| heartbeat.model.clone()).collect();
        models.into_iter()
    }

    /// How many workers a model has, and the GPU-seconds that a token takes them; `assumed` until that was measured.
    pub(super) fn speed_of(&mut self, label: &str, assumed: f64) -> (usize, f64) {
        let of_model = || self.alive().filter(|heartbeat| model_label(&heartbeat.model) == label);
        let (count, tokens) = (of_model().count(), of_model().map(|heartbeat| heartbeat.tokens).sum::<u64>());
        let busy_s: f64 = of_model().map(|heartbeat| heartbeat.busy_s).sum();
        if tokens > 0 && busy_s > 0.0 {
            self.speeds.insert(label.to_owned(), busy_s / tokens as f64);
        }
        (count, self.speeds.get(label).copied().unwrap_or(assumed))
    }

    /// Whether a queue was empty and all workers of its model waited, this time and the last: once may be chance.
    pub(super) fn is_idle(&mut self, model: &ModelPin, queue: &str, is_empty: bool) -> bool {
        let now = Instant::now();
        let alive = self.heard.values().filter(|(_, heard)| now.duration_since(*heard) < GONE_AFTER);
        let is_idle = is_empty
            && alive
                .filter(|(heartbeat, _)| heartbeat.model == *model)
                .all(|(heartbeat, _)| heartbeat.is_waiting);
        if !is_idle {
            self.idle.remove(queue);
            return false;
        }
        !self.idle.insert(queue.to_owned())
    }
}
