//! What the in-process broker promises beyond the seam: its limits, its dead letters, its end, its fairness.

use std::time::Duration;

use copymill_broker::{Broker, DEAD_LETTER_QUEUE, InProcessBroker, Limits};
use tokio::time::timeout;

const QUEUE: &str = "copymill.jobs.demo";
const LONG: Duration = Duration::from_secs(3600);

/// A paused clock jumps ahead as soon as everything waits, so these tests wait for an hour in no time.
#[tokio::test(start_paused = true)]
async fn publishing_waits_while_a_queue_is_full() {
    let broker = InProcessBroker::with_limits(Limits { queue_messages: 2, ..Limits::default() });
    let mut consumer = broker.consume(QUEUE, 1).await.unwrap();
    broker.publish(QUEUE, "1".into()).await.unwrap();
    broker.publish(QUEUE, "2".into()).await.unwrap();
    assert!(timeout(LONG, broker.publish(QUEUE, "3".into())).await.is_err());
    broker.publish("copymill.events", "another queue has its own room".into()).await.unwrap();

    let held = consumer.next().await.unwrap().unwrap();
    assert!(timeout(LONG, broker.publish(QUEUE, "3".into())).await.is_err(), "what is in hand still counts");
    held.ack().await.unwrap();
    broker.publish(QUEUE, "3".into()).await.unwrap();
    assert_eq!(broker.depth(QUEUE).await.unwrap(), 2);
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_dead_letter_goes() {
    let broker = InProcessBroker::with_limits(Limits { dead_letters: 2, ..Limits::default() });
    let mut consumer = broker.consume(QUEUE, 1).await.unwrap();
    for body in ["1", "2", "3"] {
        broker.publish(QUEUE, body.into()).await.unwrap();
        consumer.next().await.unwrap().unwrap().dead_letter("a test").await.unwrap();
    }
    let mut dead = broker.consume(DEAD_LETTER_QUEUE, 3).await.unwrap();
    let (first, second) = (dead.next().await.unwrap().unwrap(), dead.next().await.unwrap().unwrap());
    assert_eq!((first.body.as_ref(), second.body.as_ref()), (&b"2"[..], &b"3"[..]));
}

#[tokio::test]
async fn shutting_down_ends_consumers_and_publishers_but_not_settling() {
    let broker = InProcessBroker::with_limits(Limits { queue_messages: 2, ..Limits::default() });
    broker.publish(QUEUE, "1".into()).await.unwrap();
    broker.publish(QUEUE, "2".into()).await.unwrap();
    let mut full_hand = broker.consume(QUEUE, 1).await.unwrap();
    let mut idle = broker.consume("copymill.events", 1).await.unwrap();
    let held = full_hand.next().await.unwrap().unwrap();

    let (hand_end, idle_end, published, ()) =
        tokio::join!(full_hand.next(), idle.next(), broker.publish(QUEUE, "3".into()), async {
            broker.shut_down()
        });
    assert!(hand_end.unwrap().is_none() && idle_end.unwrap().is_none());
    assert!(published.unwrap_err().to_string().contains("it was shut down"));
    held.ack().await.unwrap();
    let mut late = broker.consume("copymill.control", 1).await.unwrap();
    assert!(late.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn waiting_consumers_are_served_in_turn() {
    let broker = InProcessBroker::new();
    let (served, mut order) = tokio::sync::mpsc::channel(1);
    for name in ["first", "second", "third"] {
        let mut consumer = broker.consume(QUEUE, 9).await.unwrap();
        let served = served.clone();
        tokio::spawn(async move {
            while let Some(delivery) = consumer.next().await.unwrap() {
                delivery.ack().await.unwrap();
                served.send(name).await.unwrap();
            }
        });
    }
    // The paused clock moves on once all of them wait.
    tokio::time::sleep(LONG).await;
    let mut turns = Vec::new();
    for _ in 0..6 {
        broker.publish(QUEUE, "job".into()).await.unwrap();
        turns.push(order.recv().await.unwrap());
    }
    assert_eq!(turns, ["first", "second", "third", "first", "second", "third"]);
}

#[tokio::test]
async fn a_consumer_that_may_hold_nothing_is_an_error() {
    assert!(InProcessBroker::new().consume(QUEUE, 0).await.is_err());
}
