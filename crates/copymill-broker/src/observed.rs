//! A broker whose calls are counted and timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Broker, BrokerError, Consumer, Delivery, Listener, Message, ReplyAddress, seam::Settle};

/// What [`ObservedBroker`] calls operations.
pub const BROKER_OPERATIONS: [&str; 9] =
    ["publish", "consume", "ack", "dead_letter", "requeue", "reply", "broadcast", "listen", "depth"];
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
        observe(&self.observer, operation, call).await
    }
}

/// A consumer whose deliveries are observed when they are settled.
struct ObservedConsumer {
    inner: Box<dyn Consumer>,
    observer: BrokerObserver,
}

#[async_trait]
impl Consumer for ObservedConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, BrokerError> {
        let Some(delivery) = self.inner.next().await? else { return Ok(None) };
        let settle = Box::new(ObservedSettle { inner: delivery.settle, observer: self.observer.clone() });
        Ok(Some(Delivery { settle, ..delivery }))
    }

    async fn stop(&mut self) {
        self.inner.stop().await;
    }
}

struct ObservedSettle {
    inner: Box<dyn Settle>,
    observer: BrokerObserver,
}

#[async_trait]
impl Settle for ObservedSettle {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        observe(&self.observer, "ack", self.inner.ack()).await
    }

    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), BrokerError> {
        observe(&self.observer, "dead_letter", self.inner.dead_letter(reason)).await
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        observe(&self.observer, "requeue", self.inner.requeue()).await
    }
}

async fn observe<T>(
    observer: &BrokerObserver,
    operation: &'static str,
    call: impl Future<Output = Result<T, BrokerError>> + Send,
) -> Result<T, BrokerError> {
    let begun = Instant::now();
    let result = call.await;
    // A message that is back in its queue has nobody to mend anything for it.
    let is_well = result.as_ref().err().is_none_or(|error| error.is_returned);
    observer(operation, if is_well { "ok" } else { "error" }, begun.elapsed());
    result
}

#[async_trait]
impl Broker for ObservedBroker {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), BrokerError> {
        self.observe("publish", self.inner.publish(queue, message)).await
    }

    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        let inner = self.observe("consume", self.inner.consume(queue, prefetch)).await?;
        Ok(Box::new(ObservedConsumer { inner, observer: self.observer.clone() }))
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
