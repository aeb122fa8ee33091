//! RabbitMQ is a broker, and goes on after everything that happens to connections.

use std::sync::Arc;
use std::time::Duration;

use copymill_broker::{Broker, BrokerSettings, RabbitBroker};
use copymill_tests::servers::{Proxy, RabbitMq, wait_until};
use serde_json::{Value, json};

async fn rabbitmq() -> (Arc<dyn Broker>, RabbitBroker) {
    let url = tokio::task::spawn_blocking(|| RabbitMq::shared().new_vhost()).await.unwrap();
    let broker = RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
    (Arc::new(broker.clone()), broker)
}

copymill_broker::conformance_suite!(rabbitmq);

/// The queue that the tests below publish to.
const QUEUE: &str = "copymill.jobs.demo";

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_refused_three_times_in_a_row_is_opened_anew() {
    let node = tokio::task::spawn_blocking(RabbitMq::shared).await.unwrap();
    let url = tokio::task::spawn_blocking(|| node.new_vhost()).await.unwrap();
    let proxy = Proxy::before(node.port());
    let url = proxy.in_place_of(&url);
    let broker = RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
    for (refusals, reopened) in [(0, 0), (2, 0), (3, 1), (7, 2)] {
        broker.publish(QUEUE, "before".into()).await.unwrap();
        let before = proxy.channels();
        proxy.refuse_confirms(refusals);
        broker.publish(QUEUE, "refused".into()).await.unwrap();
        assert_eq!(proxy.confirms_to_refuse(), 0, "all of {refusals} were refused");
        assert_eq!(proxy.channels() - before, reopened, "after {refusals} refusals");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_somebody_deleted_is_made_again_by_whoever_publishes_to_it() {
    let node = tokio::task::spawn_blocking(RabbitMq::shared).await.unwrap();
    let url = tokio::task::spawn_blocking(|| node.new_vhost()).await.unwrap();
    let vhost = url.rsplit('/').next().unwrap().to_owned();
    let broker = RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
    broker.publish(QUEUE, "lost".into()).await.unwrap();
    let delete = move || node.api("DELETE", &format!("/api/queues/{vhost}/{QUEUE}"), None);
    tokio::task::spawn_blocking(delete).await.unwrap().unwrap();
    // Without `mandatory`, RabbitMQ would confirm this and drop it.
    broker.publish(QUEUE, "kept".into()).await.unwrap();
    assert_eq!(broker.depth(QUEUE).await.unwrap(), 1);
    let mut consumer = broker.consume(QUEUE, 1).await.unwrap();
    assert_eq!(consumer.next().await.unwrap().unwrap().body, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_come_from_files_as_kubernetes_mounts_them() {
    let url = tokio::task::spawn_blocking(|| RabbitMq::shared().new_vhost()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let settings = |password: &str| BrokerSettings {
        url: url.replace("guest:guest@", ""),
        username_file: Some(file("username", "guest\n")),
        password_file: Some(file("password", password)),
        ..BrokerSettings::default()
    };
    let broker = RabbitBroker::connect(&settings("guest\n")).await.unwrap();
    broker.publish(QUEUE, "1".into()).await.unwrap();
    let refused = RabbitBroker::connect(&settings("wrong")).await.map(drop).unwrap_err().to_string();
    assert!(!refused.contains("wrong"), "a password is in a message: {refused}");
    assert!(refused.contains("127.0.0.1"), "{refused}");
}

/// What the management API says of a queue to somebody.
fn queue_as_seen_by(port: u16, (user, password): (&str, &str), vhost: &str) -> Result<Value, u16> {
    let url = format!("http://{user}:{password}@127.0.0.1:{port}/api/queues/{vhost}/{QUEUE}");
    match ureq::get(&url).call() {
        Ok(answer) => Ok(serde_json::from_str(&answer.into_string().unwrap()).unwrap()),
        Err(ureq::Error::Status(status, _)) => Err(status),
        Err(error) => panic!("the management API does not answer: {error}"),
    }
}

#[test]
fn an_autoscaler_reads_waiting_and_unacknowledged_messages_as_a_user_that_may_only_watch() {
    let node = RabbitMq::shared();
    let url = node.new_vhost();
    let vhost = url.rsplit('/').next().unwrap().to_owned();
    let put = |path: &str, body: &str| node.api("PUT", path, Some(body)).unwrap();
    for (user, tags) in [("watcher", "monitoring"), ("stranger", "")] {
        put(&format!("/api/users/{user}"), &format!(r#"{{"password":"secret","tags":"{tags}"}}"#));
        let nothing = r#"{"configure":"","write":"","read":""}"#;
        put(&format!("/api/permissions/{vhost}/{user}"), nothing);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_broker, _held) = runtime.block_on(async {
        let broker =
            RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
        for _ in 0..5 {
            broker.publish(QUEUE, "1".into()).await.unwrap();
        }
        let mut consumer = broker.consume(QUEUE, 2).await.unwrap();
        let held = [consumer.next().await.unwrap().unwrap(), consumer.next().await.unwrap().unwrap()];
        (broker, (consumer, held))
    });
    let port = node.management_port();
    wait_until("the API has counted what is in hand", Duration::from_secs(60), || {
        let queue = queue_as_seen_by(port, ("watcher", "secret"), &vhost).unwrap();
        queue["messages_unacknowledged"] == 2
    });
    let queue = queue_as_seen_by(port, ("watcher", "secret"), &vhost).unwrap();
    assert_eq!((&queue["messages"], &queue["messages_ready"]), (&json!(5), &json!(3)), "{queue}");
    assert_eq!(
        queue_as_seen_by(port, ("stranger", "secret"), &vhost),
        Err(401),
        "the tag is what lets KEDA in"
    );
}
