//! The seam: what Copymill needs of a message broker, in our words.

use async_trait::async_trait;
use bytes::Bytes;

/// A broker of durable work queues. Queues come to be on first use.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Publishes to a queue; returns when the broker has taken responsibility for the message.
    ///
    /// Waits where the queue is full, so that what produces cannot outrun what consumes.
    async fn publish(&self, queue: &str, message: Message) -> Result<(), BrokerError>;

    /// Consumes a queue, holding at most `prefetch` unsettled messages at once.
    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError>;

    /// Answers a message at the address it came with; returns whether there was anybody to take it.
    async fn reply(&self, to: &ReplyAddress, body: Bytes) -> Result<bool, BrokerError>;

    /// Tells everybody who listens to a topic; nobody may be listening, and a listener that is slow misses some.
    async fn broadcast(&self, topic: &str, body: Bytes) -> Result<(), BrokerError>;

    /// Listens to a topic from now on.
    async fn listen(&self, topic: &str) -> Result<Box<dyn Listener>, BrokerError>;

    /// Messages of a queue that no consumer holds.
    async fn depth(&self, queue: &str) -> Result<u64, BrokerError>;

    /// Says which broker it is, for messages to people.
    fn describe(&self) -> String;
}

/// Deliveries of one queue. Dropping it requeues what it holds unsettled, marked as redelivered.
///
/// That includes deliveries still in hand: settling one of them afterwards is an error. So a consumer that drains
/// is stopped, and kept until the last delivery is settled.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for the next message; cancel-safe. None where the broker was shut down, or this was stopped.
    async fn next(&mut self) -> Result<Option<Delivery>, BrokerError>;

    /// Takes no more from the queue. What was on its way by then still comes from [`next`](Self::next), and then none.
    async fn stop(&mut self);
}

/// What is told to everybody on one topic. A listener hears what is said while it is connected, and not all of that: what
/// must not be lost belongs in a queue.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next message; cancel-safe. None where the broker was shut down.
    async fn next(&mut self) -> Result<Option<Bytes>, BrokerError>;
}

/// Where an answer to a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyAddress {
    /// The queue.
    pub queue: String,
    /// What the asker knows its question by.
    pub correlation_id: Option<String>,
}

/// A message to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its content.
    pub body: Bytes,
    /// What it says about itself.
    pub properties: Properties,
}

impl<T: Into<Bytes>> From<T> for Message {
    fn from(body: T) -> Self {
        Self { body: body.into(), properties: Properties::default() }
    }
}

/// What a message says about itself, beside its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// The producer's own id of the message.
    pub message_id: Option<String>,
    /// Where an answer is awaited.
    pub reply_to: Option<ReplyAddress>,
    /// Why and where the message was given up on; only in the dead-letter queue.
    pub death: Option<Death>,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub trace: Option<String>,
    /// When it was sent, in milliseconds since 1970 on the sender's clock.
    pub sent_ms: Option<u64>,
}

/// Why a message is in the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// The queue it was taken from.
    pub queue: String,
    /// Why, for people.
    pub reason: String,
}

/// A message in hand. Dropping it unsettled requeues it, at the head of its queue and marked as redelivered.
///
/// A message that comes back too often, whatever the reason, goes to the dead-letter queue.
pub struct Delivery {
    /// The message.
    pub body: Bytes,
    /// What it says about itself.
    pub properties: Properties,
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
    /// Whether the message went back to its queue, because its consumer or its connection is gone: it will be delivered
    /// again, and whoever held it has nothing to mend.
    pub is_returned: bool,
    /// Whether every later try fails in the same way until somebody mends it: a queue exists with other arguments.
    pub is_lasting: bool,
}
