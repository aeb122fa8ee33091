//! A broker that goes away, even with everything it held, costs time and nothing else.

use std::time::Duration;

use copymill_broker::{Broker, BrokerSettings, DEAD_LETTER_QUEUE, RabbitBroker};
use copymill_tests::servers::{RabbitMq, wait_until};
use copymill_tests::{Admin, Cluster};

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Lets something happen to the broker in the middle of a campaign; how many chunks were published again after it lost them.
fn survives(harm: impl FnOnce(&mut RabbitMq)) -> f64 {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.url(), EMAIL, recipients(120));
    let admin = Admin::default();
    let scheduler = cluster.start("copymill-scheduler", "standing by", &[admin.setting()]);
    // Six seconds a chunk.
    let worker = cluster.scripted_worker(600, &[]);
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    harm(&mut node);
    assert!(cluster.s3.object("/manifest.json").is_none(), "it happened in the middle of the campaign");
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    for program in [&scheduler, &worker] {
        assert!(program.is_running(), "nobody needs to be started again");
        assert!(program.log().contains("the broker cannot be reached; trying again"), "{}", program.log());
    }
    admin.metric("copymill_scheduler_republished_chunks_total{reason=\"lost\"}").unwrap()
}

#[test]
fn a_broker_that_is_stopped_and_started_loses_nothing() {
    let lost = survives(|node| {
        node.stop();
        node.start_again();
    });
    assert_eq!(lost, 0.0, "queues outlive their node");
}

#[test]
fn a_broker_whose_data_is_lost_loses_no_message() {
    let lost = survives(|node| {
        node.kill();
        node.empty();
        node.start_again();
    });
    assert!(lost >= 1.0, "what was in the queues is published again");
}

/// Longer than the broker takes to move a message.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Takes the first message of a queue and gives it back until the broker gives it up.
async fn wear_out(url: String, queue: &str) {
    let broker = RabbitBroker::connect(&BrokerSettings { url, ..BrokerSettings::default() }).await.unwrap();
    let mut consumer = broker.consume(queue, 1).await.unwrap();
    let mut taken = 0;
    while broker.depth(DEAD_LETTER_QUEUE).await.unwrap() == 0 {
        // The message may be on its way to the dead letters.
        let Ok(delivery) = tokio::time::timeout(ON_ITS_WAY, consumer.next()).await else { continue };
        delivery.unwrap().unwrap().requeue().await.unwrap();
        taken += 1;
        assert!(taken < 100, "the limit of deliveries holds");
    }
}

#[test]
fn a_chunk_that_the_broker_gave_up_is_published_again_and_its_message_stays_among_the_dead_letters() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let admin = Admin::default();
    let _scheduler = cluster.start("copymill-scheduler", "leading", &[admin.setting()]);
    let id = cluster.submit();
    cluster.wait_for(&id, "running", PATIENCE);
    let queue = cluster.job_queue();
    cluster.block_on(wear_out(cluster.broker().to_owned(), &queue));
    let metric = |series: &str| admin.metric(&format!("copymill_scheduler_{series}"));
    wait_until("the dead letter is counted", PATIENCE, || metric("dead_letters") == Some(1.0));
    // An empty queue, and nobody at work, show that the chunk is lost.
    let _worker = cluster.scripted_worker(0, &[]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
    assert!(metric("republished_chunks_total{reason=\"lost\"}").is_some_and(|chunks| chunks >= 1.0));
    let dead = cluster.copymill(&["dead-letters", "list"]).success().stdout;
    assert!(dead.contains(&queue), "{dead}");
}
