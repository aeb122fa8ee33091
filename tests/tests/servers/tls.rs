//! RabbitMQ over TLS: an own authority, and clients that show a certificate.

use std::path::PathBuf;
use std::sync::OnceLock;

use copymill_broker::{Broker, BrokerError, BrokerSettings, RabbitBroker, TlsSettings};
use copymill_tests::servers::{Certificates, RabbitMq};

/// A node that wants certificates, and who signed its own.
fn node() -> &'static (RabbitMq, Certificates) {
    static NODE: OnceLock<(RabbitMq, Certificates)> = OnceLock::new();
    NODE.get_or_init(|| {
        let certificates = Certificates::make();
        (RabbitMq::start_with(&certificates), certificates)
    })
}

/// Connects as somebody, who shows a client's certificate where there is one.
async fn connect(
    user: &str,
    authority: Option<PathBuf>,
    client: Option<&Certificates>,
) -> Result<RabbitBroker, BrokerError> {
    let (node, _) = tokio::task::spawn_blocking(node).await.unwrap();
    let tls = TlsSettings {
        ca_file: authority,
        certificate_file: client.map(|client| client.certificate("client")),
        key_file: client.map(|client| client.key("client")),
    };
    let url = format!("amqps://{user}localhost:{}/%2f", node.tls_port());
    RabbitBroker::connect(&BrokerSettings { url, tls, ..BrokerSettings::default() }).await
}

async fn carries_messages(broker: RabbitBroker, queue: &str) {
    let mut consumer = broker.consume(queue, 1).await.unwrap();
    broker.publish(queue, "over TLS".into()).await.unwrap();
    let delivery = consumer.next().await.unwrap().unwrap();
    assert_eq!(delivery.body, "over TLS");
    delivery.ack().await.unwrap();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_certificate_and_a_password_is_served() {
    let (_, certificates) = tokio::task::spawn_blocking(node).await.unwrap();
    let broker = connect("guest:guest@", Some(certificates.authority()), Some(certificates)).await.unwrap();
    carries_messages(broker, "with-a-password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_alone_says_who_the_client_is() {
    let (_, certificates) = tokio::task::spawn_blocking(node).await.unwrap();
    let broker = connect("", Some(certificates.authority()), Some(certificates)).await.unwrap();
    carries_messages(broker, "with-a-certificate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_another_authority_is_refused_at_once_with_what_to_do() {
    let (_, certificates) = tokio::task::spawn_blocking(node).await.unwrap();
    let other = Certificates::make();
    for authority in [None, Some(other.authority())] {
        let error = connect("guest:guest@", authority, Some(certificates)).await.err().unwrap().to_string();
        assert!(
            error.contains("invalid peer certificate") && error.contains("broker.tls.ca_file"),
            "{error}"
        );
        assert!(!error.contains("guest"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_trusted_certificate_is_told_so() {
    let (_, certificates) = tokio::task::spawn_blocking(node).await.unwrap();
    let other = Certificates::make();
    for client in [None, Some(&other)] {
        let error = connect("guest:guest@", Some(certificates.authority()), client).await.err().unwrap();
        assert!(error.to_string().contains("broker.tls.certificate_file"), "{error}");
    }
}
