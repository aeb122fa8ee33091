//! The in-process broker: the semantics of RabbitMQ's quorum queues, in memory.
//!
//! What is published outlives no process; the object store is the truth, and the scheduler publishes again.

mod consumer;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;

use self::consumer::InProcessConsumer;
use self::queue::{Queue, Queued};
use crate::DEAD_LETTER_QUEUE;
use crate::seam::{Broker, BrokerError, Consumer, Death, Listener, Message, Properties, ReplyAddress};

/// Messages of a topic that a listener may be behind.
const HEARD_LATER: usize = 1_024;

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
    topics: HashMap<String, Topic>,
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

    /// Ends every consumer with none and every publishing with an error. What is in hand can still be settled.
    pub fn shut_down(&self) {
        let mut state = self.inner.state();
        state.is_shut_down = true;
        state.queues.values().for_each(|queue| queue.close());
        state.topics.clear();
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
    fn take_back(&self, queue: &Queue, message: Queued) {
        let is_poison = queue.name() != DEAD_LETTER_QUEUE && message.deliveries >= self.limits.deliveries;
        if is_poison {
            let reason = format!("delivered {} times and never settled", message.deliveries);
            self.dead_letter(queue, message, &reason);
        } else {
            queue.put_back(message);
        }
    }

    fn dead_letter(&self, queue: &Queue, queued: Queued, reason: &str) {
        tracing::warn!(queue = queue.name(), reason, "a message was dead-lettered");
        let death = Death { queue: queue.name().to_owned(), reason: reason.to_owned() };
        let properties = Properties { death: Some(death), ..queued.message.properties };
        self.queue(DEAD_LETTER_QUEUE).bury(Message { properties, ..queued.message });
    }
}

#[async_trait]
impl Broker for InProcessBroker {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), BrokerError> {
        if self.inner.queue(queue).publish(message).await {
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

    async fn reply(&self, to: &ReplyAddress, body: Bytes) -> Result<bool, BrokerError> {
        let queue = self.inner.state().queues.get(&to.queue).map(Arc::clone);
        let Some(queue) = queue else { return Ok(false) };
        let properties = Properties { reply_to: Some(to.clone()), ..Properties::default() };
        if queue.publish(Message { body, properties }).await {
            Ok(true)
        } else {
            Err(error("reply", "it was shut down"))
        }
    }

    async fn broadcast(&self, topic: &str, body: Bytes) -> Result<(), BrokerError> {
        if let Some(topic) = self.inner.state().topics.get(topic) {
            // Nobody listening is no error.
            let _ = topic.send(body);
        }
        Ok(())
    }

    async fn listen(&self, topic: &str) -> Result<Box<dyn Listener>, BrokerError> {
        let mut state = self.inner.state();
        if state.is_shut_down {
            return Err(error("listen", "it was shut down"));
        }
        let topic = state.topics.entry(topic.to_owned()).or_insert_with(|| Topic::new(HEARD_LATER));
        Ok(Box::new(InProcessListener(topic.subscribe())))
    }

    async fn depth(&self, queue: &str) -> Result<u64, BrokerError> {
        Ok(self.inner.queue(queue).depth())
    }

    fn describe(&self) -> String {
        "in this process".to_owned()
    }
}

/// What is told on a topic. Dropping the sender ends every listener.
type Topic = tokio::sync::broadcast::Sender<Bytes>;

struct InProcessListener(tokio::sync::broadcast::Receiver<Bytes>);

#[async_trait]
impl Listener for InProcessListener {
    async fn next(&mut self) -> Result<Option<Bytes>, BrokerError> {
        loop {
            match self.0.recv().await {
                Ok(body) => return Ok(Some(body)),
                Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "a slow listener missed messages"),
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }
}

fn error(action: &'static str, reason: &str) -> BrokerError {
    let (broker, reason) = ("in this process".to_owned(), reason.to_owned());
    BrokerError { broker, action, reason, is_returned: false, is_lasting: false }
}
