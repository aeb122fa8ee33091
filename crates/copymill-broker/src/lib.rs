//! The work queue seam and its in-process implementation.
//!
//! [`Broker`] is what the rest of Copymill knows. [`InProcessBroker`] keeps it in memory, for scheduler and worker
//! in one process. With the feature `testing` there is also the conformance suite that every broker passes.

#[cfg(feature = "testing")]
pub mod conformance;
mod in_process;
mod seam;

pub use in_process::{DeadLetter, InProcessBroker, Limits};
pub use seam::{Broker, BrokerError, Consumer, Delivery, Settle};

/// The queue that takes what was dead-lettered; it is consumed like any other.
pub const DEAD_LETTER_QUEUE: &str = "copymill.dead";
