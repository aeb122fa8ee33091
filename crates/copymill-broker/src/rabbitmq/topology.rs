//! The queues, as DESIGN says: quorum queues with a delivery limit, dead-lettering at least once.

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};

use crate::DEAD_LETTER_QUEUE;

/// Deliveries of one message, after which it is dead-lettered. RabbitMQ 4's default; older ones have none.
const DELIVERIES: i64 = 20;
/// Looking at dead letters delivers them, which must not end them.
const DELIVERIES_OF_THE_DEAD: i64 = 1_000_000;
/// Messages of one queue, above which publishing is refused and tried again: far more than any window.
const MESSAGES: i64 = 100_000;

/// What to do about a queue that has other arguments.
pub(super) const MISMATCH_ADVICE: &str = ". It exists with other arguments than this version declares: let a queue \
    run empty and delete it (rabbitmqctl delete_queue NAME), delete an exchange in the management pages, or use another vhost; Copymill makes it again";

/// Declares a queue; one that exists with other arguments is an error that closes the channel.
pub(super) async fn declare(channel: &Channel, queue: &str) -> Result<(), lapin::Error> {
    declare_one(channel, DEAD_LETTER_QUEUE, dead_letter_arguments()).await?;
    if queue != DEAD_LETTER_QUEUE {
        declare_one(channel, queue, work_arguments()).await?;
    }
    Ok(())
}

async fn declare_one(channel: &Channel, queue: &str, arguments: FieldTable) -> Result<(), lapin::Error> {
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await.map(drop)
}

fn work_arguments() -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERIES)),
        ("x-max-length", AMQPValue::LongLongInt(MESSAGES)),
        // At-least-once dead-lettering asks for it.
        ("x-overflow", text("reject-publish")),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(DEAD_LETTER_QUEUE)),
        ("x-dead-letter-strategy", text("at-least-once")),
    ])
}

fn dead_letter_arguments() -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERIES_OF_THE_DEAD)),
    ])
}

pub(super) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

pub(super) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}
