//! What workers said last.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use copymill_campaign::{Heartbeat, ModelPin};

/// Without a heartbeat for this long, a worker is gone.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// The workers that were heard of.
#[derive(Default)]
pub(super) struct Workers {
    heard: HashMap<String, (Arc<Heartbeat>, Instant)>,
    /// Queues that were found empty, with all workers waiting, when they were last looked at.
    idle: HashSet<String>,
}

impl Workers {
    pub(super) fn heard(&mut self, heartbeat: Arc<Heartbeat>) {
        let now = Instant::now();
        self.heard.retain(|_, (_, heard)| now.duration_since(*heard) < GONE_AFTER);
        self.heard.insert(heartbeat.worker.clone(), (heartbeat, now));
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
