//! Real servers on private ports of loopback, and what stands before them.

mod amqp_frames;
mod certificates;
mod guarded;
mod next_version;
mod other_s3;
mod prometheus;
mod proxy;
mod rabbitmq;
mod sink;

pub use certificates::{CLIENT, Certificates};
pub use guarded::{Guarded, free_port, wait_until};
pub use other_s3::{Moto, Rclone};
pub use prometheus::Prometheus;
pub use proxy::{Passage, Proxy};
pub use rabbitmq::RabbitMq;
pub use sink::{Sink, page};
