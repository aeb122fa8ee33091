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

/// A chunk in hand, as it is handed back.
pub(crate) struct InHand {
    pub(crate) job: ChunkJob,
    pub(crate) delivery: Delivery,
    /// Key of the note that it was begun although it is under suspicion.
    pub(crate) beginning: Option<String>,
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
        let in_hand = InHand { job: job.clone(), delivery, beginning: None, cancelled: cancelled.clone() };
        chunks.insert(chunk.clone(), in_hand);
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
    pub(crate) fn empty(&self) -> Vec<InHand> {
        std::mem::take(&mut *self.chunks()).into_values().collect()
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

    /// Says that work on it begins although it is under suspicion, and where that was noted.
    pub(crate) fn begin(&self, note: String) {
        if let Some(held) = self.hands.chunks().get_mut(&self.chunk) {
            held.beginning = Some(note);
        }
    }

    /// Where it was noted that it was begun.
    pub(crate) fn beginning(&self) -> Option<String> {
        self.hands.chunks().get(&self.chunk).and_then(|held| held.beginning.clone())
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
