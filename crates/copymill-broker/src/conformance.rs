//! What every broker promises, as functions that panic where a broker breaks it.
//!
//! Each function expects a broker without queues. [`conformance_suite!`](crate::conformance_suite) makes a test of
//! each one; [`model`] checks any sequence of steps.

mod deliveries;
pub mod model;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

pub use deliveries::*;
pub use queues::*;

use crate::{Broker, Consumer, Delivery};

/// What must happen, happens within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// What must not happen is looked out for this long. A broken broker may slip through; a sound one never fails.
const QUIET: Duration = Duration::from_millis(100);

/// Makes a test of every promise. The fixture is an async function that returns a new, empty broker and anything
/// that must live as long as the test.
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:path) => {
        $crate::conformance_suite! { @each $fixture,
            messages_arrive_once_and_in_order
            queues_are_apart
            messages_wait_for_a_consumer
            depth_counts_what_nobody_holds
            the_dead_letter_queue_is_a_queue
            a_message_keeps_its_id_and_reply_address
            an_answer_reaches_its_address_or_nobody
            whoever_listens_hears_what_is_told
            a_consumer_holds_at_most_its_prefetch
            an_acknowledged_message_never_comes_back
            a_requeued_message_is_next_and_marked
            a_dropped_delivery_comes_back_marked
            a_dropped_consumer_gives_back_what_it_held
            a_delivery_cannot_be_settled_after_its_consumer
            a_dropped_wait_loses_nothing
            a_consumer_that_stops_takes_nothing_more_and_settles_what_it_holds
            consumers_share_a_queue
            a_message_that_always_comes_back_is_dead_lettered
        }
    };
    (@each $fixture:path, $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let (broker, _alive) = $fixture().await;
                $crate::conformance::$promise(broker).await;
            }
        )+
    };
}

async fn publish(broker: &Arc<dyn Broker>, queue: &str, bodies: impl IntoIterator<Item = usize>) {
    for body in bodies {
        broker.publish(queue, body.to_string().into()).await.expect("publishes");
    }
}

async fn consume(broker: &Arc<dyn Broker>, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
    broker.consume(queue, prefetch).await.expect("consumes")
}

/// The next delivery, which must come.
async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    let waited = timeout(PATIENCE, consumer.next()).await.expect("a message is there and must be delivered");
    waited.expect("waits").expect("the broker is not shut down")
}

/// A delivery that comes within `patience`.
async fn next_within(consumer: &mut Box<dyn Consumer>, patience: Duration) -> Option<Delivery> {
    let waited = timeout(patience, consumer.next()).await.ok()?;
    Some(waited.expect("waits").expect("the broker is not shut down"))
}

async fn assert_nothing_comes(consumer: &mut Box<dyn Consumer>) {
    if let Some(delivery) = next_within(consumer, QUIET).await {
        panic!("message {} was delivered and should not have been", number(&delivery));
    }
}

fn number(delivery: &Delivery) -> usize {
    let text = std::str::from_utf8(&delivery.body).expect("the tests publish text");
    text.parse().expect("the tests publish numbers")
}
