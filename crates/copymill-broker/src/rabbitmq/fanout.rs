//! Topics: fanout exchanges, and an exclusive queue for each listener.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ExchangeKind};

use tokio::sync::Mutex;

use super::link::{Link, Session};
use super::topology::{table, text};
use crate::seam::{BrokerError, Listener};

/// Messages that a listener may be behind; then the oldest go.
const HEARD_LATER: i64 = 10_000;
/// Milliseconds that a message is worth hearing.
const WORTH_HEARING_MS: i64 = 60_000;

/// Tells topics on one channel, which it opens anew when it breaks: many workers say something every few seconds.
pub(super) struct Speaker {
    link: Arc<Link>,
    live: Mutex<Option<Speaking>>,
}

struct Speaking {
    channel: Channel,
    topics: HashSet<String>,
}

impl Speaker {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, live: Mutex::default() }
    }

    /// Tells a topic, once: what is told this way is told again, or not needed.
    pub(super) async fn tell(&self, topic: &str, body: &[u8]) -> Result<(), BrokerError> {
        let session = self.link.session().await;
        let mut live = self.live.lock().await;
        // Whoever leaves here early leaves no channel whose state nobody knows.
        let told = try_tell(&session, live.take(), topic, body).await;
        *live = Some(told.map_err(|error| self.link.error("broadcast", &error))?);
        Ok(())
    }
}

async fn try_tell(
    session: &Session,
    speaking: Option<Speaking>,
    topic: &str,
    body: &[u8],
) -> Result<Speaking, lapin::Error> {
    let mut speaking = match speaking.filter(|speaking| speaking.channel.status().connected()) {
        Some(speaking) => speaking,
        None => Speaking { channel: session.connection.create_channel().await?, topics: HashSet::new() },
    };
    if !speaking.topics.contains(topic) {
        declare(&speaking.channel, topic).await?;
        speaking.topics.insert(topic.to_owned());
    }
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    speaking.channel.basic_publish(topic.into(), "".into(), options, body, properties).await?;
    Ok(speaking)
}

async fn declare(channel: &Channel, topic: &str) -> Result<(), lapin::Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(topic.into(), ExchangeKind::Fanout, options, FieldTable::default()).await
}

/// Listens on a queue of its own, which goes with its connection.
pub(super) struct RabbitListener {
    link: Arc<Link>,
    topic: String,
    live: Option<(Channel, lapin::Consumer)>,
}

impl RabbitListener {
    pub(super) async fn open(link: Arc<Link>, topic: &str) -> Result<Self, BrokerError> {
        let live = open(&link, topic).await?;
        Ok(Self { link, topic: topic.to_owned(), live: Some(live) })
    }
}

async fn open(link: &Link, topic: &str) -> Result<(Channel, lapin::Consumer), BrokerError> {
    let opened = link.persist("listen", |session| async move {
        let channel = session.connection.create_channel().await?;
        declare(&channel, topic).await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let arguments = table([
            ("x-max-length", AMQPValue::LongLongInt(HEARD_LATER)),
            ("x-overflow", text("drop-head")),
            ("x-message-ttl", AMQPValue::LongLongInt(WORTH_HEARING_MS)),
        ]);
        let queue = channel.queue_declare("".into(), options, arguments).await?;
        let name = queue.name().clone();
        let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(name.clone(), topic.into(), "".into(), bind, none.clone()).await?;
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
        let stream = channel.basic_consume(name, "".into(), options, none).await?;
        Ok((channel, stream))
    });
    opened.await
}

#[async_trait]
impl Listener for RabbitListener {
    async fn next(&mut self) -> Result<Option<Bytes>, BrokerError> {
        loop {
            let Some((_, stream)) = &mut self.live else {
                self.live = Some(open(&self.link, &self.topic).await?);
                continue;
            };
            match stream.next().await {
                Some(Ok(message)) => return Ok(Some(message.data.into())),
                Some(Err(_)) | None => self.live = None,
            }
        }
    }
}
