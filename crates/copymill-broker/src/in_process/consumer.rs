//! A consumer and what it has in hand.
//!
//! Messages in hand live with the consumer, and a delivery only names one of them. So dropping the consumer gives
//! all of them back, as closing a channel of RabbitMQ does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::queue::{Queue, Queued};
use super::{Inner, error};
use crate::seam::{BrokerError, Consumer, Delivery, Message, Settle};

pub(super) struct InProcessConsumer {
    hand: Arc<Hand>,
    next_tag: u64,
    is_stopped: bool,
}

/// The unsettled messages of one consumer by tag, in the order they were delivered.
struct Hand {
    broker: Arc<Inner>,
    queue: Arc<Queue>,
    prefetch: Arc<Semaphore>,
    messages: Mutex<BTreeMap<u64, (Queued, OwnedSemaphorePermit)>>,
}

impl InProcessConsumer {
    pub(super) fn new(broker: Arc<Inner>, queue: Arc<Queue>, prefetch: u16) -> Self {
        let prefetch = Arc::new(Semaphore::new(usize::from(prefetch)));
        Self {
            hand: Arc::new(Hand { broker, queue, prefetch, messages: Mutex::default() }),
            next_tag: 0,
            is_stopped: false,
        }
    }
}

#[async_trait]
impl Consumer for InProcessConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, BrokerError> {
        if self.is_stopped {
            return Ok(None);
        }
        let place = tokio::select! {
            biased;
            () = self.hand.queue.closed() => return Ok(None),
            place = Arc::clone(&self.hand.prefetch).acquire_owned() => place.expect("nothing closes it"),
        };
        let Some(queued) = self.hand.queue.take().await else { return Ok(None) };
        let Message { body, properties } = queued.message.clone();
        let redelivered = queued.deliveries > 1;
        let tag = self.next_tag;
        self.next_tag += 1;
        self.hand.messages.lock().unwrap_or_else(PoisonError::into_inner).insert(tag, (queued, place));
        let settle = Box::new(Tag { hand: Arc::clone(&self.hand), tag });
        Ok(Some(Delivery { body, properties, redelivered, settle }))
    }

    /// Nothing is on its way: a message leaves the queue when it is asked for.
    async fn stop(&mut self) {
        self.is_stopped = true;
    }
}

impl Drop for InProcessConsumer {
    fn drop(&mut self) {
        let messages =
            std::mem::take(&mut *self.hand.messages.lock().unwrap_or_else(PoisonError::into_inner));
        // The last goes back first, so that the queue's order is what it was.
        for (message, _place) in messages.into_values().rev() {
            self.hand.broker.take_back(&self.hand.queue, message);
        }
    }
}

/// One message in a consumer's hand.
struct Tag {
    hand: Arc<Hand>,
    tag: u64,
}

impl Tag {
    /// Takes the message out of the hand, for good.
    fn message(&self, action: &'static str) -> Result<Queued, BrokerError> {
        let taken = self.hand.messages.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tag);
        let message = taken.map(|(message, _place)| message);
        let gone = "its consumer was dropped, so the message went back to the queue";
        message.ok_or_else(|| BrokerError { is_returned: true, ..error(action, gone) })
    }
}

#[async_trait]
impl Settle for Tag {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        self.message("acknowledge").map(drop)
    }

    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), BrokerError> {
        let message = self.message("dead-letter")?;
        self.hand.broker.dead_letter(&self.hand.queue, message, reason);
        Ok(())
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        let message = self.message("requeue")?;
        self.hand.broker.take_back(&self.hand.queue, message);
        Ok(())
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        // After any settlement the message is gone already.
        if let Ok(message) = self.message("requeue") {
            self.hand.broker.take_back(&self.hand.queue, message);
        }
    }
}
