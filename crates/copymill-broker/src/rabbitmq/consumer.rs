//! Consuming: a channel for each consumer, opened anew when it breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use lapin::{Acker, Channel};

use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::FieldTable;

use super::link::Link;
use super::properties;
use super::publisher::Publisher;
use crate::DEAD_LETTER_QUEUE;
use crate::seam::{BrokerError, Consumer, Death, Delivery, Message, Properties, Settle};

/// A consumer of one queue.
pub(super) struct RabbitConsumer {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    queue: String,
    prefetch: u16,
    live: Option<Live>,
    is_stopped: bool,
    /// Nothing comes any more.
    is_over: bool,
}

/// The channel that deliveries come from at the moment.
struct Live {
    channel: Channel,
    stream: lapin::Consumer,
    /// False once what it delivered went back to the queue.
    is_open: Arc<AtomicBool>,
}

impl RabbitConsumer {
    pub(super) async fn open(
        link: Arc<Link>,
        publisher: Arc<Publisher>,
        queue: &str,
        prefetch: u16,
    ) -> Result<Self, BrokerError> {
        let live = open(&link, queue, prefetch).await?;
        Ok(Self {
            link,
            publisher,
            queue: queue.to_owned(),
            prefetch,
            live: Some(live),
            is_stopped: false,
            is_over: false,
        })
    }

    fn delivery(&self, live: &Live, message: lapin::message::Delivery) -> Delivery {
        let settle = Held {
            link: Arc::clone(&self.link),
            publisher: Arc::clone(&self.publisher),
            queue: self.queue.clone(),
            message: Message { body: message.data.into(), properties: properties::read(&message.properties) },
            acker: message.acker,
            is_open: Arc::clone(&live.is_open),
        };
        Delivery {
            body: settle.message.body.clone(),
            properties: settle.message.properties.clone(),
            redelivered: message.redelivered,
            settle: Box::new(settle),
        }
    }
}

async fn open(link: &Link, queue: &str, prefetch: u16) -> Result<Live, BrokerError> {
    let opened = link.persist("consume", |session| async move {
        // A queue may be gone although the connection is not.
        session.forget(queue);
        session.declare(queue).await?;
        let channel = session.connection.create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let stream = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
        Ok((channel, stream))
    });
    let (channel, stream) = opened.await?;
    Ok(Live { channel, stream, is_open: Arc::new(AtomicBool::new(true)) })
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Result<Option<Delivery>, BrokerError> {
        while !self.is_over {
            let Some(live) = &mut self.live else {
                if self.is_stopped {
                    break;
                }
                self.live = Some(open(&self.link, &self.queue, self.prefetch).await?);
                continue;
            };
            match live.stream.next().await {
                Some(Ok(message)) => {
                    let live = self.live.as_ref().expect("it delivered just now");
                    return Ok(Some(self.delivery(live, message)));
                }
                Some(Err(error)) => {
                    tracing::info!(queue = self.queue, %error, "a consumer lost its connection");
                    self.live = None;
                }
                // The channel stays: what is in hand is settled over it.
                None if self.is_stopped => self.is_over = true,
                None => self.live = None,
            }
        }
        Ok(None)
    }

    async fn stop(&mut self) {
        self.is_stopped = true;
        if let Some(live) = &self.live {
            let stopped = live.channel.basic_cancel(live.stream.tag(), BasicCancelOptions::default()).await;
            // Then nothing comes over it any more, and `next` finds out.
            drop(stopped);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.is_open.store(false, Ordering::SeqCst);
        let channel = self.channel.clone();
        in_background(async move { drop(channel.close(200, "done".into()).await) });
    }
}

/// One message in hand.
struct Held {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    queue: String,
    message: Message,
    acker: Acker,
    is_open: Arc<AtomicBool>,
}

impl Held {
    fn check(&self, action: &'static str) -> Result<(), BrokerError> {
        let is_held = self.is_open.load(Ordering::SeqCst) && self.acker.usable();
        if is_held { Ok(()) } else { Err(self.link.returned(action)) }
    }

    fn settled(&self, action: &'static str, sent: Result<bool, lapin::Error>) -> Result<(), BrokerError> {
        if matches!(sent, Ok(true)) { Ok(()) } else { Err(self.link.returned(action)) }
    }
}

#[async_trait]
impl Settle for Held {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        self.check("acknowledge")?;
        self.settled("acknowledge", self.acker.ack(BasicAckOptions::default()).await)
    }

    /// Published with its reason, then acknowledged: dead-lettering by the broker would lose the reason.
    async fn dead_letter(self: Box<Self>, reason: &str) -> Result<(), BrokerError> {
        self.check("dead-letter")?;
        let death = Death { queue: self.queue.clone(), reason: reason.to_owned() };
        let properties = Properties { death: Some(death), ..self.message.properties.clone() };
        let properties = properties::write(&properties);
        self.publisher.to_queue(DEAD_LETTER_QUEUE, &self.message.body, properties).await?;
        self.settled("dead-letter", self.acker.ack(BasicAckOptions::default()).await)
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        self.check("requeue")?;
        let options = BasicRejectOptions { requeue: true };
        self.settled("requeue", self.acker.reject(options).await)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.check("requeue").is_ok() {
            let acker = self.acker.clone();
            in_background(async move { drop(acker.reject(BasicRejectOptions { requeue: true }).await) });
        }
    }
}

/// Runs what a destructor cannot wait for; without a runtime the connection is gone anyway.
fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(work);
    }
}
