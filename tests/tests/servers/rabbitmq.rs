//! RabbitMQ is a broker, and goes on after everything that happens to connections.

use std::sync::Arc;

use copymill_broker::{Broker, BrokerSettings, RabbitBroker};
use copymill_tests::servers::RabbitMq;

async fn rabbitmq() -> (Arc<dyn Broker>, RabbitBroker) {
    let url = tokio::task::spawn_blocking(|| RabbitMq::shared().new_vhost()).await.unwrap();
    let broker = RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
    (Arc::new(broker.clone()), broker)
}

copymill_broker::conformance_suite!(rabbitmq);
