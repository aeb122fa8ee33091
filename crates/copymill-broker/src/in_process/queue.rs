//! One queue: messages in order, and two semaphores that hand out places and messages in turn.
//!
//! Tokio's semaphores serve who waited longest, and a wait that is dropped passes its turn on. That makes consumers
//! equal, publishers equal, and both cancel-safe.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Limits;
use crate::seam::Message;

/// A message, ready or in hand.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    /// How often it was delivered.
    pub(super) deliveries: u32,
    /// Its place in the queue, free again when the message is dropped. Dead letters take none: they come from
    /// places that cannot wait, and have a limit of their own.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    limits: Limits,
    messages: Mutex<VecDeque<Queued>>,
    /// One permit for each message that is ready and not promised to a consumer.
    ready: Semaphore,
    /// One permit for each message that may still be published.
    places: Arc<Semaphore>,
    is_closed: watch::Sender<bool>,
}

impl Queue {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.to_owned(),
            limits,
            messages: Mutex::default(),
            ready: Semaphore::new(0),
            places: Arc::new(Semaphore::new(limits.queue_messages)),
            is_closed: watch::Sender::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn depth(&self) -> u64 {
        self.messages().len() as u64
    }

    /// Waits for a place and takes it; false where the queue was closed.
    pub(super) async fn publish(&self, message: Message) -> bool {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return false };
        self.messages().push_back(Queued { message, deliveries: 0, _place: Some(place) });
        self.ready.add_permits(1);
        true
    }

    /// Waits for a message and takes it, counted as delivered; none where the queue was closed. Cancel-safe.
    pub(super) async fn take(&self) -> Option<Queued> {
        loop {
            self.ready.acquire().await.ok()?.forget();
            // Nothing waits between the permit and the message, so neither is lost when the caller goes away. There
            // is no message only where a dead letter was dropped in between.
            if let Some(mut queued) = self.messages().pop_front() {
                queued.deliveries += 1;
                return Some(queued);
            }
        }
    }

    /// Puts a message at the head.
    pub(super) fn put_back(&self, queued: Queued) {
        self.messages().push_front(queued);
        self.ready.add_permits(1);
    }

    /// Adds a dead letter, in place of the oldest where there are too many.
    pub(super) fn bury(&self, message: Message) {
        let mut messages = self.messages();
        if messages.len() >= self.limits.dead_letters.max(1) {
            messages.pop_front();
            self.ready.forget_permits(1);
            tracing::error!(
                limit = self.limits.dead_letters,
                "the oldest dead letter was dropped: nobody takes them"
            );
        }
        messages.push_back(Queued { message, deliveries: 0, _place: None });
        drop(messages);
        self.ready.add_permits(1);
    }

    /// Ends whoever waits, and whoever will.
    pub(super) fn close(&self) {
        self.ready.close();
        self.places.close();
        self.is_closed.send_replace(true);
    }

    /// Waits until the queue is closed.
    pub(super) async fn closed(&self) {
        let mut is_closed = self.is_closed.subscribe();
        // No error can come: the sender lives as long as the queue.
        drop(is_closed.wait_for(|is_closed| *is_closed).await);
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
