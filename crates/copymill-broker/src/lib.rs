//! The work queue seam and its implementations.
//!
//! [`Broker`] is what the rest of Copymill knows. [`InProcessBroker`] keeps it in memory, for scheduler and worker
//! in one process; [`RabbitBroker`] speaks to RabbitMQ. With the feature `testing` there is also the conformance suite that every broker passes.

#[cfg(feature = "testing")]
pub mod conformance;
mod in_process;
mod observed;
mod rabbitmq;
mod seam;

pub use in_process::{InProcessBroker, Limits};
pub use observed::{BROKER_OPERATIONS, BROKER_RESULTS, BrokerObserver, ObservedBroker};
pub use rabbitmq::{BrokerSettings, LinkState, RabbitBroker, TlsSettings};
pub use seam::{
    Broker, BrokerError, Consumer, Death, Delivery, Listener, Message, Properties, ReplyAddress, Settle,
};

/// The queue that takes what was dead-lettered; it is consumed like any other.
pub const DEAD_LETTER_QUEUE: &str = "copymill.dead";
