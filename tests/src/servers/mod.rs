//! Real servers on private ports of loopback.

mod guarded;
mod rabbitmq;

pub use guarded::{Guarded, free_port, wait_until};
pub use rabbitmq::RabbitMq;
