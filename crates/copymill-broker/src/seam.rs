//! The seam: what Copymill needs of a message broker, in our words.

use async_trait::async_trait;
use bytes::Bytes;

/// A broker of durable work queues. Queues come to be on first use.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Publishes to a queue; returns when the broker has taken responsibility for the message.
    ///
    /// Waits where the queue is full, so that what produces cannot outrun what consumes.
    async fn publish(&self, queue: &str, body: Bytes) -> Result<(), BrokerError>;

    /// Consumes a queue, holding at most `prefetch` unsettled messages at once.
    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError>;

    /// Messages of a queue that no consumer holds.
    async fn depth(&self, queue: &str) -> Result<u64, BrokerError>;

    /// Says which broker it is, for messages to people.
    fn describe(&self) -> String;
}

/// Deliveries of one queue. Dropping it requeues what it holds unsettled, marked as redelivered.
///
/// That includes deliveries still in hand: settling one of them afterwards is an error. So a consumer that drains
/// is kept, without asking it for more, until the last delivery is settled.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next message; cancel-safe. None where the broker was shut down.
    async fn next(&mut self) -> Result<Option<Delivery>, BrokerError>;
}

/// A message in hand. Dropping it unsettled requeues it, at the head of its queue and marked as redelivered.
///
/// A message that comes back too often, whatever the reason, goes to the dead-letter queue.
pub struct Delivery {
    /// The message.
    pub body: Bytes,
    /// Whether it was delivered before.
    pub redelivered: bool,
    pub(crate) settle: Box<dyn Settle>,
}

impl Delivery {
    /// Acknowledges: the broker forgets the message.
    pub async fn ack(self) -> Result<(), BrokerError> {
        self.settle.ack().await
    }

    /// Hands it to the dead-letter queue with a reason for people, free of recipient data.
    pub async fn dead_letter(self, reason: &str) -> Result<(), BrokerError> {
        self.settle.dead_letter(reason).await
    }

    /// Gives it back to the queue, at its head, marked as redelivered.
    pub async fn requeue(self) -> Result<(), BrokerError> {
        self.settle.requeue().await
    }
}

/// How an implementation settles one delivery. Dropping it unsettled requeues the message.
#[async_trait]
pub trait Settle: Send {
    /// Acknowledges.
    async fn ack(self: Box<Self>) -> Result<(), BrokerError>;
    /// Moves it to the dead-letter queue.
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), BrokerError>;
    /// Requeues it.
    async fn requeue(self: Box<Self>) -> Result<(), BrokerError>;
}

/// The broker could not do it.
#[derive(Debug, thiserror::Error)]
#[error("the broker {broker} could not {action}: {reason}")]
pub struct BrokerError {
    /// Which broker.
    pub broker: String,
    /// What was tried.
    pub action: &'static str,
    /// Why.
    pub reason: String,
}
