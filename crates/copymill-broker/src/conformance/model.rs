//! A model of a queue that any broker is checked against, step by step.
//!
//! The model knows each message's whereabouts and nothing else. It leaves open which message comes next and, where
//! several consumers compete, to whom: brokers may send messages ahead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{PATIENCE, next, next_within, number};
use crate::{Broker, Consumer, DEAD_LETTER_QUEUE, Delivery};

const QUEUE: &str = "copymill.jobs.model";

/// Returns of one message after which the model acknowledges it, below any broker's delivery limit.
const RETURNS_MAX: u32 = 10;

/// How long a consumer that may get nothing is given.
const BRIEFLY: std::time::Duration = std::time::Duration::from_millis(5);

/// One step; indices count around among what there is, so that every sequence of steps has a meaning.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Publishes a new message.
    Publish,
    /// Begins to consume, with this prefetch.
    Open(u16),
    /// Asks a consumer for its next delivery.
    Next(usize),
    /// Acknowledges a consumer's oldest delivery in hand.
    Ack(usize),
    /// Requeues it.
    Requeue(usize),
    /// Dead-letters it.
    DeadLetter(usize),
    /// Drops it.
    Forget(usize),
    /// Drops a consumer and then what it had in hand.
    Close(usize),
}

/// Takes the steps and checks that no message is lost or doubled and no consumer holds more than its prefetch.
pub async fn check(broker: Arc<dyn Broker>, steps: &[Step]) {
    let mut run = Run { broker, consumers: Vec::new(), messages: BTreeMap::new() };
    for step in steps {
        run.take(*step).await;
    }
    run.drain().await;
}

struct Run {
    broker: Arc<dyn Broker>,
    consumers: Vec<Holder>,
    messages: BTreeMap<usize, Whereabouts>,
}

struct Holder {
    consumer: Box<dyn Consumer>,
    prefetch: usize,
    hand: VecDeque<Delivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    /// In the queue, having come back this often.
    Queued(u32),
    /// In a consumer's hand, having come back this often.
    Held(u32),
    Acknowledged,
    Dead,
}

impl Run {
    async fn take(&mut self, step: Step) {
        match step {
            Step::Publish => {
                let number = self.messages.len();
                self.messages.insert(number, Whereabouts::Queued(0));
                self.broker.publish(QUEUE, number.to_string().into()).await.expect("publishes");
            }
            Step::Open(prefetch) => {
                let consumer = self.broker.consume(QUEUE, prefetch).await.expect("consumes");
                self.consumers.push(Holder {
                    consumer,
                    prefetch: usize::from(prefetch),
                    hand: VecDeque::new(),
                });
            }
            Step::Next(at) => self.next(at).await,
            Step::Close(at) => {
                if !self.consumers.is_empty() {
                    let holder = self.consumers.swap_remove(at % self.consumers.len());
                    drop(holder.consumer);
                    holder.hand.iter().for_each(|delivery| self.comes_back(number(delivery)));
                }
            }
            Step::Ack(at) | Step::Requeue(at) | Step::DeadLetter(at) | Step::Forget(at) => {
                self.settle(step, at).await
            }
        }
    }

    async fn next(&mut self, at: usize) {
        let Some(at) = at.checked_rem(self.consumers.len()) else { return };
        let is_alone = self.consumers.len() == 1;
        let is_any_queued = self.messages.values().any(|message| matches!(message, Whereabouts::Queued(_)));
        let holder = &mut self.consumers[at];
        let may_take = is_any_queued && holder.hand.len() < holder.prefetch;
        let patience = if may_take && is_alone { PATIENCE } else { BRIEFLY };
        match next_within(&mut holder.consumer, patience).await {
            Some(delivery) => {
                assert!(holder.hand.len() < holder.prefetch, "a consumer got more than its prefetch");
                let message =
                    self.messages.get_mut(&number(&delivery)).expect("only published messages come");
                let Whereabouts::Queued(returns) = *message else {
                    panic!("message {} came while it was {message:?}", number(&delivery));
                };
                assert_eq!(delivery.redelivered, returns > 0);
                *message = Whereabouts::Held(returns);
                holder.hand.push_back(delivery);
            }
            None => assert!(!(may_take && is_alone), "a message was there and nobody else to take it"),
        }
    }

    async fn settle(&mut self, step: Step, at: usize) {
        let Some(at) = at.checked_rem(self.consumers.len()) else { return };
        let Some(delivery) = self.consumers[at].hand.pop_front() else { return };
        let number = number(&delivery);
        let is_returned_often = matches!(self.messages[&number], Whereabouts::Held(RETURNS_MAX..));
        match step {
            Step::DeadLetter(_) => {
                delivery.dead_letter("a test").await.expect("dead-letters");
                self.messages.insert(number, Whereabouts::Dead);
            }
            Step::Requeue(_) if !is_returned_often => {
                delivery.requeue().await.expect("requeues");
                self.comes_back(number);
            }
            Step::Forget(_) if !is_returned_often => {
                drop(delivery);
                self.comes_back(number);
            }
            _ => {
                delivery.ack().await.expect("acknowledges");
                self.messages.insert(number, Whereabouts::Acknowledged);
            }
        }
    }

    fn comes_back(&mut self, number: usize) {
        if let Some(Whereabouts::Held(returns)) = self.messages.get(&number) {
            self.messages.insert(number, Whereabouts::Queued(returns + 1));
        }
    }

    /// Closes every consumer and takes what must be left: in the queue and among the dead.
    async fn drain(mut self) {
        while !self.consumers.is_empty() {
            self.take(Step::Close(0)).await;
        }
        let queued = self.numbers(|message| matches!(message, Whereabouts::Queued(_)));
        let dead = self.numbers(|message| message == Whereabouts::Dead);
        for (queue, expected) in [(QUEUE, queued), (DEAD_LETTER_QUEUE, dead)] {
            let mut consumer = self.broker.consume(queue, 1).await.expect("consumes");
            let mut left = Vec::new();
            for _ in &expected {
                let delivery = next(&mut consumer).await;
                left.push(number(&delivery));
                delivery.ack().await.expect("acknowledges");
            }
            left.sort_unstable();
            assert_eq!(left, expected, "what is left in {queue}");
            let surplus = next_within(&mut consumer, BRIEFLY).await;
            assert!(surplus.is_none(), "{queue} holds a message that was settled");
        }
    }

    fn numbers(&self, is_meant: impl Fn(Whereabouts) -> bool) -> Vec<usize> {
        self.messages.iter().filter(|(_, message)| is_meant(**message)).map(|(number, _)| *number).collect()
    }
}
