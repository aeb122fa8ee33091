//! Promises about queues.

use std::sync::Arc;

use tokio::time::timeout;

use super::{PATIENCE, QUIET, assert_nothing_comes, consume, next, number, publish};
use crate::{Broker, DEAD_LETTER_QUEUE, Death, Message, Properties, ReplyAddress};

/// What is published comes out of the queue, once, oldest first.
pub async fn messages_arrive_once_and_in_order(broker: Arc<dyn Broker>) {
    publish(&broker, "copymill.events", 0..20).await;
    let mut consumer = consume(&broker, "copymill.events", 4).await;
    for expected in 0..20 {
        let delivery = next(&mut consumer).await;
        assert_eq!((number(&delivery), delivery.redelivered), (expected, false));
        delivery.ack().await.expect("acknowledges");
    }
    assert_nothing_comes(&mut consumer).await;
}

/// A message is only in the queue it was published to.
pub async fn queues_are_apart(broker: Arc<dyn Broker>) {
    publish(&broker, "copymill.events", [1]).await;
    publish(&broker, "copymill.control", [2]).await;
    let mut events = consume(&broker, "copymill.events", 4).await;
    let mut control = consume(&broker, "copymill.control", 4).await;
    let mut jobs = consume(&broker, "copymill.jobs.demo", 4).await;
    let (event, command) = (next(&mut events).await, next(&mut control).await);
    assert_eq!((number(&event), number(&command)), (1, 2));
    assert_nothing_comes(&mut events).await;
    assert_nothing_comes(&mut jobs).await;
}

/// Neither the order of publishing and consuming nor a time without consumers loses anything.
pub async fn messages_wait_for_a_consumer(broker: Arc<dyn Broker>) {
    publish(&broker, "copymill.jobs.demo", [1]).await;
    let mut consumer = consume(&broker, "copymill.jobs.demo", 1).await;
    next(&mut consumer).await.ack().await.expect("acknowledges");
    drop(consumer);

    publish(&broker, "copymill.jobs.demo", [2]).await;
    let mut consumer = consume(&broker, "copymill.jobs.demo", 1).await;
    next(&mut consumer).await.ack().await.expect("acknowledges");
    let late = tokio::spawn(async move { number(&next(&mut consumer).await) });
    publish(&broker, "copymill.jobs.demo", [3]).await;
    assert_eq!(late.await.expect("the consumer waits"), 3);
}

/// Depth leaves out what a consumer has in hand, and is zero for a queue that nobody used.
pub async fn depth_counts_what_nobody_holds(broker: Arc<dyn Broker>) {
    assert_eq!(broker.depth("copymill.jobs.demo").await.expect("counts"), 0);
    publish(&broker, "copymill.jobs.demo", 0..3).await;
    assert_eq!(broker.depth("copymill.jobs.demo").await.expect("counts"), 3);
    let mut consumer = consume(&broker, "copymill.jobs.demo", 1).await;
    let held = next(&mut consumer).await;
    assert_eq!(broker.depth("copymill.jobs.demo").await.expect("counts"), 2);
    held.ack().await.expect("acknowledges");
}

/// A dead-lettered message leaves its queue and can be consumed, body unchanged, from the dead-letter queue.
pub async fn the_dead_letter_queue_is_a_queue(broker: Arc<dyn Broker>) {
    publish(&broker, "copymill.jobs.demo", [7]).await;
    let mut consumer = consume(&broker, "copymill.jobs.demo", 1).await;
    next(&mut consumer).await.dead_letter("not a chunk job").await.expect("dead-letters");
    assert_nothing_comes(&mut consumer).await;

    let mut dead = consume(&broker, DEAD_LETTER_QUEUE, 1).await;
    let letter = next(&mut dead).await;
    assert_eq!(number(&letter), 7);
    let death = Death { queue: "copymill.jobs.demo".into(), reason: "not a chunk job".into() };
    assert_eq!(letter.properties.death, Some(death));
    letter.ack().await.expect("acknowledges");
    assert_nothing_comes(&mut dead).await;
}

/// What a producer says about its message arrives with it, also after it was given up on.
pub async fn a_message_keeps_its_id_and_reply_address(broker: Arc<dyn Broker>) {
    let to = ReplyAddress { queue: "answers".into(), correlation_id: Some("17".into()) };
    let properties = Properties {
        message_id: Some("job-1".into()),
        reply_to: Some(to),
        trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        sent_ms: Some(1_764_183_000_123),
        death: None,
    };
    let message = Message { body: "1".into(), properties: properties.clone() };
    broker.publish("copymill.jobs.demo", message).await.expect("publishes");
    let mut consumer = consume(&broker, "copymill.jobs.demo", 1).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.properties, properties);
    delivery.dead_letter("a test").await.expect("dead-letters");
    let mut dead = consume(&broker, DEAD_LETTER_QUEUE, 1).await;
    let letter = next(&mut dead).await;
    let kept = Properties { death: None, ..letter.properties.clone() };
    assert_eq!(kept, properties);
    letter.ack().await.expect("acknowledges");
}

/// An answer reaches a queue that is there, with what the asker knows its question by; otherwise nobody waits for it.
pub async fn an_answer_reaches_its_address_or_nobody(broker: Arc<dyn Broker>) {
    let to = ReplyAddress { queue: "copymill.events".into(), correlation_id: Some("17".into()) };
    let nowhere = ReplyAddress { queue: "answers-of-nobody".into(), correlation_id: None };
    let mut asker = consume(&broker, &to.queue, 1).await;
    assert!(!broker.reply(&nowhere, "1".into()).await.expect("replies"));
    assert!(broker.reply(&to, "2".into()).await.expect("replies"));
    let answer = next(&mut asker).await;
    assert_eq!(number(&answer), 2);
    answer.ack().await.expect("acknowledges");
}

/// Everybody who listens hears what is told afterwards, and nobody needs to listen.
pub async fn whoever_listens_hears_what_is_told(broker: Arc<dyn Broker>) {
    broker.broadcast("copymill.broadcast", "0".into()).await.expect("tells nobody");
    let mut first = broker.listen("copymill.broadcast").await.expect("listens");
    let mut second = broker.listen("copymill.broadcast").await.expect("listens");
    let mut other = broker.listen("copymill.heartbeats").await.expect("listens");
    for body in ["1", "2"] {
        broker.broadcast("copymill.broadcast", body.into()).await.expect("tells");
    }
    for listener in [&mut first, &mut second] {
        for expected in ["1", "2"] {
            let heard = timeout(PATIENCE, listener.next()).await.expect("it was told");
            assert_eq!(heard.expect("hears").expect("the broker is not shut down"), expected);
        }
    }
    assert!(timeout(QUIET, other.next()).await.is_err(), "topics are apart");
}
