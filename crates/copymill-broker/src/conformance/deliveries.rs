//! Promises about deliveries and those who hold them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{PATIENCE, assert_nothing_comes, consume, next, next_within, number, publish};
use crate::{Broker, Consumer, DEAD_LETTER_QUEUE};

const QUEUE: &str = "copymill.jobs.demo";

/// More returns than any broker's delivery limit should be.
const RETURNS_MAX: usize = 100;

/// Only settling makes room for more.
pub async fn a_consumer_holds_at_most_its_prefetch(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..5).await;
    let mut consumer = consume(&broker, QUEUE, 2).await;
    let (first, second) = (next(&mut consumer).await, next(&mut consumer).await);
    assert_nothing_comes(&mut consumer).await;
    second.ack().await.expect("acknowledges");
    let third = next(&mut consumer).await;
    assert_eq!(number(&third), 2);
    assert_nothing_comes(&mut consumer).await;
    first.dead_letter("a test").await.expect("dead-letters");
    assert_eq!(number(&next(&mut consumer).await), 3);
}

/// What it had taken by then, read or not, is its own; everything else is for others, and unmarked.
pub async fn a_consumer_that_stops_takes_nothing_more_and_settles_what_it_holds(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..5).await;
    let mut stopping = consume(&broker, QUEUE, 2).await;
    let mut held = vec![next(&mut stopping).await];
    stopping.stop().await;
    let rest = async |consumer: &mut Box<dyn Consumer>| {
        timeout(PATIENCE, consumer.next()).await.expect("it comes to its end").expect("waits")
    };
    while let Some(delivery) = rest(&mut stopping).await {
        held.push(delivery);
    }
    assert!(held.len() <= 2, "{} were held", held.len());
    let mut seen: BTreeSet<usize> = held.iter().map(number).collect();
    for delivery in held {
        delivery.ack().await.expect("acknowledges what it holds");
    }
    // Room for more is no reason to take more.
    publish(&broker, QUEUE, [5]).await;
    assert!(rest(&mut stopping).await.is_none());
    let mut other = consume(&broker, QUEUE, 10).await;
    while seen.len() < 6 {
        let delivery = next(&mut other).await;
        assert!(!delivery.redelivered && seen.insert(number(&delivery)), "{} comes again", number(&delivery));
        delivery.ack().await.expect("acknowledges");
    }
    assert_nothing_comes(&mut other).await;
}

/// The broker forgets what was acknowledged, whatever becomes of the consumer.
pub async fn an_acknowledged_message_never_comes_back(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..2).await;
    let mut consumer = consume(&broker, QUEUE, 2).await;
    next(&mut consumer).await.ack().await.expect("acknowledges");
    let held = next(&mut consumer).await;
    drop(consumer);
    drop(held);
    let mut successor = consume(&broker, QUEUE, 2).await;
    let again = next(&mut successor).await;
    assert_eq!(number(&again), 1);
    assert_nothing_comes(&mut successor).await;
}

/// A message that is given back is delivered before those behind it.
pub async fn a_requeued_message_is_next_and_marked(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..3).await;
    let mut consumer = consume(&broker, QUEUE, 1).await;
    next(&mut consumer).await.requeue().await.expect("requeues");
    let again = next(&mut consumer).await;
    assert_eq!((number(&again), again.redelivered), (0, true));
    again.ack().await.expect("acknowledges");
    let behind = next(&mut consumer).await;
    assert_eq!((number(&behind), behind.redelivered), (1, false));
}

/// Code that fails with a delivery in hand gives it back.
pub async fn a_dropped_delivery_comes_back_marked(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, [1]).await;
    let mut consumer = consume(&broker, QUEUE, 1).await;
    drop(next(&mut consumer).await);
    let again = next(&mut consumer).await;
    assert_eq!((number(&again), again.redelivered), (1, true));
}

/// All of it, in order, to whoever consumes next.
pub async fn a_dropped_consumer_gives_back_what_it_held(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..4).await;
    let mut consumer = consume(&broker, QUEUE, 3).await;
    let held = [next(&mut consumer).await, next(&mut consumer).await, next(&mut consumer).await];
    drop(consumer);
    let mut successor = consume(&broker, QUEUE, 4).await;
    for expected in 0..4 {
        let delivery = next(&mut successor).await;
        assert_eq!(number(&delivery), expected);
        assert!(delivery.redelivered || expected == 3, "message {expected} was delivered before");
        delivery.ack().await.expect("acknowledges");
    }
    drop(held);
    assert_nothing_comes(&mut successor).await;
}

/// Who settles too late learns that somebody else has the message.
pub async fn a_delivery_cannot_be_settled_after_its_consumer(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..3).await;
    let mut consumer = consume(&broker, QUEUE, 3).await;
    let (first, second, third) =
        (next(&mut consumer).await, next(&mut consumer).await, next(&mut consumer).await);
    drop(consumer);
    assert!(first.ack().await.is_err());
    assert!(second.requeue().await.is_err());
    assert!(third.dead_letter("too late").await.is_err());
    let mut successor = consume(&broker, QUEUE, 4).await;
    let again = [next(&mut successor).await, next(&mut successor).await, next(&mut successor).await];
    assert_eq!(again.each_ref().map(number), [0, 1, 2]);
    assert_nothing_comes(&mut successor).await;
}

/// A wait that is given up, as in a `select!`, neither takes a message along nor a place.
pub async fn a_dropped_wait_loses_nothing(broker: Arc<dyn Broker>) {
    const MESSAGES: usize = 100;
    let mut consumer = consume(&broker, QUEUE, 1).await;
    let publisher = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { publish(&broker, QUEUE, 0..MESSAGES).await }
    });
    for expected in 0..MESSAGES {
        let delivery = loop {
            if let Some(delivery) = next_within(&mut consumer, Duration::from_micros(50)).await {
                break delivery;
            }
        };
        assert_eq!((number(&delivery), delivery.redelivered), (expected, false));
        delivery.ack().await.expect("acknowledges");
    }
    publisher.await.expect("publishes");
}

/// While one consumer is busy, another one gets on; together they get everything once.
pub async fn consumers_share_a_queue(broker: Arc<dyn Broker>) {
    let mut busy = consume(&broker, QUEUE, 1).await;
    let mut other = consume(&broker, QUEUE, 1).await;
    publish(&broker, QUEUE, 0..10).await;
    let held = next(&mut busy).await;
    let mut seen = BTreeSet::from([number(&held)]);
    for _ in 0..9 {
        let delivery = next(&mut other).await;
        assert!(seen.insert(number(&delivery)), "{} was delivered twice", number(&delivery));
        delivery.ack().await.expect("acknowledges");
    }
    assert_eq!(seen, (0..10).collect());
    held.ack().await.expect("acknowledges");
}

/// The delivery limit ends the life of a message that kills whoever takes it, and only of that one.
pub async fn a_message_that_always_comes_back_is_dead_lettered(broker: Arc<dyn Broker>) {
    publish(&broker, QUEUE, 0..2).await;
    let mut consumer = consume(&broker, QUEUE, 1).await;
    let mut returns = 0;
    loop {
        let delivery = next(&mut consumer).await;
        if number(&delivery) == 1 {
            assert!(!delivery.redelivered);
            delivery.ack().await.expect("acknowledges");
            break;
        }
        returns += 1;
        assert!(returns < RETURNS_MAX, "there is no delivery limit");
        drop(delivery);
    }
    assert!(returns > 2, "messages are given up too early");
    let mut dead = consume(&broker, DEAD_LETTER_QUEUE, 1).await;
    let letter = next(&mut dead).await;
    assert_eq!(number(&letter), 0);
    letter.ack().await.expect("acknowledges");
}
