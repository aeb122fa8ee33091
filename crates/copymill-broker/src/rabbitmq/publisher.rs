//! Publishing: every message is confirmed, over as many connections as that takes.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::link::{Backoff, Link};
use crate::seam::BrokerError;

/// Refusals in a row after which the channel is opened anew: after a quorum queue changed its leader, a channel that
/// publishes to it for the first time may be refused for ever (RabbitMQ 3.10).
const NACKS: u32 = 3;
/// A confirm that takes longer will not come.
const CONFIRM: Duration = Duration::from_secs(20);
const PUBLISH: &str = "publish";

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// The broker has it.
    Taken,
    /// There is no such queue.
    Unroutable,
}

/// Publishes on one channel, which it opens anew when it breaks.
pub(super) struct Publisher {
    link: Arc<Link>,
    channel: Mutex<Option<Channel>>,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, channel: Mutex::default() }
    }

    /// Publishes to a work queue, which is made where it is missing.
    pub(super) async fn to_queue(
        &self,
        queue: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), BrokerError> {
        loop {
            self.link.persist(PUBLISH, |session| async move { session.declare(queue).await }).await?;
            if self.once_routed(queue, body, properties.clone()).await? == Confirmed::Taken {
                return Ok(());
            }
            self.link.session().await.forget(queue);
        }
    }

    /// Publishes to a queue, if there is one.
    pub(super) async fn once_routed(
        &self,
        queue: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<Confirmed, BrokerError> {
        let (mut wait, mut nacks) = (Backoff::default(), 0);
        loop {
            let channel = self.channel().await?;
            match timeout(CONFIRM, publish(&channel, queue, body, properties.clone())).await {
                Ok(Ok(Confirmation::Ack(None))) => return Ok(Confirmed::Taken),
                Ok(Ok(Confirmation::Ack(Some(_)))) => return Ok(Confirmed::Unroutable),
                Ok(Ok(_)) => {
                    nacks += 1;
                    tracing::debug!(queue, nacks, "the broker refused a message; trying again");
                    if nacks % NACKS == 0 {
                        self.drop_channel(&channel).await;
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(queue, %error, "a message could not be published; trying again");
                    self.drop_channel(&channel).await;
                }
                Err(_) => {
                    tracing::warn!(queue, "the broker did not confirm a message in time; trying again");
                    self.drop_channel(&channel).await;
                }
            }
            wait.wait().await;
        }
    }

    async fn channel(&self) -> Result<Channel, BrokerError> {
        let mut current = self.channel.lock().await;
        if let Some(channel) = current.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        let opened = self.link.persist(PUBLISH, |session| async move {
            let channel = session.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        });
        let opened = opened.await?;
        *current = Some(opened.clone());
        Ok(opened)
    }

    /// Makes the next publish open a channel, unless somebody did already.
    async fn drop_channel(&self, broken: &Channel) {
        let mut current = self.channel.lock().await;
        if current.as_ref().is_some_and(|channel| channel.id() == broken.id()) {
            *current = None;
        }
    }
}

async fn publish(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
}
