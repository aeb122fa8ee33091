//! RabbitMQ: quorum queues, confirmed publishing, and a connection that comes back.
//!
//! A publish returns when the broker confirmed it, however often the connection breaks meanwhile. A consumer goes on
//! after a break with what the broker delivers again; what was in hand before went back to its queue.

mod consumer;
mod fanout;
mod link;
mod properties;
mod publisher;
mod settings;
mod topology;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;

pub use link::LinkState;
pub use settings::{BrokerSettings, TlsSettings};

use self::consumer::RabbitConsumer;
use self::fanout::{RabbitListener, Speaker};
use self::link::Link;
use self::publisher::{Confirmed, Publisher};
use crate::seam::{Broker, BrokerError, Consumer, Listener, Message, ReplyAddress};

/// A broker on one connection; clones share it.
#[derive(Clone)]
pub struct RabbitBroker {
    link: Arc<Link>,
    publisher: Arc<Publisher>,
    speaker: Arc<Speaker>,
}

/// How long the first connection is tried for where somebody waits: a broker needs seconds to start.
const FIRST_CONNECTION: Duration = Duration::from_secs(60);

impl RabbitBroker {
    /// Connects, waiting a minute for a broker that is just starting: for those who are waited for themselves.
    pub async fn connect(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        Self::over(Link::connect(settings, Some(FIRST_CONNECTION)).await?)
    }

    /// Connects, however long the broker is away: for programs that would only start again. What waiting does not mend is an
    /// error, such as a password or a certificate.
    pub async fn wait_for(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        Self::over(Link::connect(settings, None).await?)
    }

    fn over(link: Link) -> Result<Self, BrokerError> {
        let link = Arc::new(link);
        let publisher = Arc::new(Publisher::new(Arc::clone(&link)));
        Ok(Self { publisher, speaker: Arc::new(Speaker::new(Arc::clone(&link))), link })
    }

    /// How the connection is.
    pub fn link_state(&self) -> LinkState {
        self.link.state()
    }

    /// Says goodbye; what is unsettled goes back to its queues at once.
    pub async fn close(&self) {
        self.link.close().await;
    }
}

#[async_trait]
impl Broker for RabbitBroker {
    async fn publish(&self, queue: &str, message: Message) -> Result<(), BrokerError> {
        self.publisher.to_queue(queue, &message.body, properties::write(&message.properties)).await
    }

    async fn consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        let (link, publisher) = (Arc::clone(&self.link), Arc::clone(&self.publisher));
        Ok(Box::new(RabbitConsumer::open(link, publisher, queue, prefetch).await?))
    }

    async fn reply(&self, to: &ReplyAddress, body: Bytes) -> Result<bool, BrokerError> {
        let confirmed = self.publisher.once_routed(&to.queue, &body, properties::answer(to)).await?;
        Ok(confirmed == Confirmed::Taken)
    }

    async fn broadcast(&self, topic: &str, body: Bytes) -> Result<(), BrokerError> {
        self.speaker.tell(topic, &body).await
    }

    async fn listen(&self, topic: &str) -> Result<Box<dyn Listener>, BrokerError> {
        Ok(Box::new(RabbitListener::open(Arc::clone(&self.link), topic).await?))
    }

    async fn depth(&self, queue: &str) -> Result<u64, BrokerError> {
        let session = self.link.session().await;
        let looked = async {
            session.declare(queue).await?;
            let channel = session.connection.create_channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
            channel.close(200, "done".into()).await?;
            Ok(u64::from(found.message_count()))
        };
        looked.await.map_err(|error: lapin::Error| self.link.error("count the messages of a queue", &error))
    }

    fn describe(&self) -> String {
        self.link.place().to_owned()
    }
}
