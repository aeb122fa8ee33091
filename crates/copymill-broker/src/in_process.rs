//! The in-process broker: the semantics of RabbitMQ's quorum queues, in memory.
//!
//! What is published outlives no process; the object store is the truth, and the scheduler publishes again.

mod consumer;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use self::consumer::InProcessConsumer;
use self::queue::{Message, Queue};
use crate::DEAD_LETTER_QUEUE;
use crate::seam::{Broker, BrokerError, Consumer};

/// What bounds the memory of an in-process broker.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages of one queue, in hand included, above which publishing waits. The scheduler's window is far smaller,
    /// and a message is a few hundred bytes.
    pub queue_messages: usize,
    /// Times a message is delivered; when it comes back after the last, it is dead-lettered. RabbitMQ's default.
    pub deliveries: u32,
    /// Dead letters that nobody consumes; beyond them the oldest is dropped and logged.
    pub dead_letters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue_messages: 10_000, deliveries: 20, dead_letters: 1_000 }
    }
}

/// A message that was given up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue it was taken from.
    pub queue: String,
    /// The message as it was published.
    pub body: Bytes,
    /// Why, for people.
    pub reason: String,
}

/// A broker in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct InProcessBroker {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: HashMap<String, Arc<Queue>>,
    is_shut_down: bool,
}

impl InProcessBroker {
    /// Makes a broker with the usual limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a broker with limits of one's own.
    pub fn with_limits(limits: Limits) -> Self {
        Self { inner: Arc::new(Inner { limits, state: Mutex::default() }) }
    }

    /// Returns the dead letters that nobody consumed, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.inner.queue(DEAD_LETTER_QUEUE).dead_letters()
    }

    /// Ends every consumer with none and every publishing with an error. What is in hand can still be settled.
    pub fn shut_down(&self) {
        let mut state = self.inner.state();
        state.is_shut_down = true;
        state.queues.values().for_each(|queue| queue.close());
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, name: &str) -> Arc<Queue> {
        let mut state = self.state();
        if let Some(queue) = state.queues.get(name) {
            return Arc::clone(queue);
        }
        let queue = Arc::new(Queue::new(name, self.limits));
        if state.is_shut_down {
            queue.close();
        }
        state.queues.insert(name.to_owned(), Arc::clone(&queue));
        queue
    }

    /// Takes a message back from a consumer, or gives up on it.
    fn take_back(&self, queue: &Queue, message: Message) {
        let is_poison = queue.name() != DEAD_LETTER_QUEUE && message.deliveries >= self.limits.deliveries;
        if is_poison {
            let reason = format!("delivered {} times and never settled", message.deliveries);
            self.dead_letter(queue, message, &reason);
        } else {
            queue.put_back(message);
        }
    }

    fn dead_letter(&self, queue: &Queue, message: Message, reason: &str) {
        tracing::warn!(queue = queue.name(), reason, "a message was dead-lettered");
        self.queue(DEAD_LETTER_QUEUE).bury(DeadLetter {
            queue: queue.name().to_owned(),
            body: message.body,
            reason: reason.to_owned(),
        });
    }
}

#[async_trait]
impl Broker for InProcessBroker {
    async fn publish(&self, queue: &str, body: Bytes) -> Result<(), BrokerError> {
        if self.inner.queue(queue).publish(body).await {
            Ok(())
        } else {
            Err(error("publish", "it was shut down"))
        }
    }

    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        if prefetch == 0 {
            return Err(error("consume", "a consumer must be allowed to hold one message at least"));
        }
        Ok(Box::new(InProcessConsumer::new(Arc::clone(&self.inner), self.inner.queue(queue), prefetch)))
    }

    async fn depth(&self, queue: &str) -> Result<u64, BrokerError> {
        Ok(self.inner.queue(queue).depth())
    }

    fn describe(&self) -> String {
        "in this process".to_owned()
    }
}

fn error(action: &'static str, reason: &str) -> BrokerError {
    BrokerError { broker: "in this process".to_owned(), action, reason: reason.to_owned() }
}
