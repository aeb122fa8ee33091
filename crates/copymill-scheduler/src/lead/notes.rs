//! What a leader of one campaign is told.

use std::sync::Arc;

use anyhow::Context;
use copymill_broker::{Broker, Consumer, Delivery};
use copymill_campaign::{Action, EVENTS_QUEUE, Event, Heartbeat};
use tokio::sync::mpsc;

/// Events in hand at once.
const EVENTS_IN_HAND: u16 = 32;

/// Something that a leader is told about its campaign.
pub enum Note {
    /// By a worker. Acknowledged once it had its effect.
    Event(Box<Event>, Delivery),
    /// By a person. Acknowledged once it is in the store.
    Order(Action, Delivery),
    /// A worker lives, and has these chunks.
    Alive(Arc<Heartbeat>),
    /// The queue of the campaign's model is empty and all of its workers wait.
    Idle,
}

/// Where notes come from.
pub enum Notes {
    /// The queue of events itself, where one campaign is all there is.
    Queue(Box<dyn Consumer>, Arc<dyn Broker>),
    /// Somebody who reads the queues for many campaigns.
    Routed(mpsc::Receiver<Note>),
}

impl Notes {
    /// Reads the queue of events.
    pub async fn of_queue(broker: Arc<dyn Broker>) -> anyhow::Result<Self> {
        Ok(Self::Queue(broker.consume(EVENTS_QUEUE, EVENTS_IN_HAND).await?, broker))
    }

    /// Waits for the next note; cancel-safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<Note> {
        match self {
            Self::Routed(notes) => match notes.recv().await {
                Some(note) => Ok(note),
                // The process drains, which its signal says.
                None => std::future::pending().await,
            },
            Self::Queue(events, _) => loop {
                let delivery = events.next().await?.context("the broker was shut down")?;
                match serde_json::from_slice(&delivery.body) {
                    Ok(event) => return Ok(Note::Event(Box::new(event), delivery)),
                    Err(error) => delivery.dead_letter(&format!("no event: {error}")).await?,
                }
            },
        }
    }

    /// Whether nothing is waiting that was sent.
    pub(super) async fn is_empty(&mut self) -> anyhow::Result<bool> {
        match self {
            Self::Routed(notes) => Ok(notes.is_empty()),
            Self::Queue(_, broker) => Ok(broker.depth(EVENTS_QUEUE).await? == 0),
        }
    }
}
