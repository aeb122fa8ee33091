//! A broker whose calls are counted and timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Broker, BrokerError, Consumer, Listener, Message, ReplyAddress};

/// What [`ObservedBroker`] calls operations.
pub const BROKER_OPERATIONS: [&str; 6] = ["publish", "consume", "reply", "broadcast", "listen", "depth"];
/// What it calls their results.
pub const BROKER_RESULTS: [&str; 2] = ["ok", "error"];

/// Is told the operation, its result, and how long it took.
pub type BrokerObserver = Arc<dyn Fn(&'static str, &'static str, Duration) + Send + Sync>;

/// A broker that tells an observer of every call.
pub struct ObservedBroker {
    inner: Arc<dyn Broker>,
    observer: BrokerObserver,
}

impl ObservedBroker {
    /// Wraps a broker.
    pub fn new(inner: Arc<dyn Broker>, observer: BrokerObserver) -> Self {
        Self { inner, observer }
    }

    async fn observe<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, BrokerError>> + Send,
    ) -> Result<T, BrokerError> {
        let begun = Instant::now();
        let result = call.await;
        (self.observer)(operation, if result.is_ok() { "ok" } else { "error" }, begun.elapsed());
        result
    }
}

#[async_trait]
impl Broker for ObservedBroker {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), BrokerError> {
        self.observe("publish", self.inner.publish(queue, message)).await
    }

    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        self.observe("consume", self.inner.consume(queue, prefetch)).await
    }

    async fn reply(&self, to: &ReplyAddress, body: Bytes) -> Result<bool, BrokerError> {
        self.observe("reply", self.inner.reply(to, body)).await
    }

    async fn broadcast(&self, topic: &str, body: Bytes) -> Result<(), BrokerError> {
        self.observe("broadcast", self.inner.broadcast(topic, body)).await
    }

    async fn listen(&self, topic: &str) -> Result<Box<dyn Listener>, BrokerError> {
        self.observe("listen", self.inner.listen(topic)).await
    }

    async fn depth(&self, queue: &str) -> Result<u64, BrokerError> {
        self.observe("depth", self.inner.depth(queue)).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
