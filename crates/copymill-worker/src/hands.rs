//! The chunks in a worker's hands, and whether it waits for more.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use copymill_broker::Delivery;
use copymill_campaign::{CampaignId, ChunkJob, HeldChunk};
use tokio::sync::Notify;

/// All chunks in hand.
#[derive(Default)]
pub(crate) struct Hands {
    chunks: Mutex<HashMap<HeldChunk, InHand>>,
    is_waiting: AtomicBool,
}

struct InHand {
    job: ChunkJob,
    delivery: Delivery,
    cancelled: Arc<Notify>,
}

/// One chunk in hand. Forgetting it leaves the chunk there, to be handed back.
pub(crate) struct Held {
    hands: Arc<Hands>,
    chunk: HeldChunk,
    cancelled: Arc<Notify>,
}

impl Hands {
    /// Takes a chunk. Where it is in hand already, because it was published twice or came again after the connection
    /// broke, the new delivery takes the place of the old one, which is returned.
    pub(crate) fn take(self: &Arc<Self>, job: &ChunkJob, delivery: Delivery) -> Result<Held, Box<Delivery>> {
        let (chunk, cancelled) = (HeldChunk::from(job), Arc::new(Notify::new()));
        let mut chunks = self.chunks();
        if let Some(held) = chunks.get_mut(&chunk) {
            return Err(Box::new(std::mem::replace(&mut held.delivery, delivery)));
        }
        chunks.insert(chunk.clone(), InHand { job: job.clone(), delivery, cancelled: cancelled.clone() });
        Ok(Held { hands: Arc::clone(self), chunk, cancelled })
    }

    /// What is in hand.
    pub(crate) fn held(&self) -> Vec<HeldChunk> {
        self.chunks().keys().cloned().collect()
    }

    /// Drops work on a campaign.
    pub(crate) fn cancel(&self, campaign: &CampaignId) {
        let chunks = self.chunks();
        chunks
            .iter()
            .filter(|(chunk, _)| chunk.campaign == *campaign)
            .for_each(|(_, held)| held.cancelled.notify_one());
    }

    /// Empties the hands.
    pub(crate) fn empty(&self) -> Vec<(ChunkJob, Delivery)> {
        std::mem::take(&mut *self.chunks()).into_values().map(|held| (held.job, held.delivery)).collect()
    }

    /// Says that the worker waits, until the guard is dropped.
    pub(crate) fn waiting(&self) -> Waiting<'_> {
        self.is_waiting.store(true, Ordering::Relaxed);
        Waiting(self)
    }

    /// Whether it waits with nothing in hand.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed) && self.chunks().is_empty()
    }

    fn chunks(&self) -> MutexGuard<'_, HashMap<HeldChunk, InHand>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Waits until the campaign is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.notified().await;
    }

    /// Lets go of the chunk; its delivery is to be settled.
    pub(crate) fn put_down(self) -> Option<Delivery> {
        self.hands.chunks().remove(&self.chunk).map(|held| held.delivery)
    }
}

/// Says that a worker waits, for as long as it lives.
pub(crate) struct Waiting<'a>(&'a Hands);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.is_waiting.store(false, Ordering::Relaxed);
    }
}
