//! A broker that goes away, even with everything it held, costs time and nothing else.

use copymill_tests::Cluster;
use copymill_tests::servers::RabbitMq;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Lets something happen to the broker in the middle of a campaign.
fn survives(harm: impl FnOnce(&mut RabbitMq)) {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.url(), EMAIL, recipients(120));
    let programs = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    harm(&mut node);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    assert!(programs.0.is_running() && programs.1.is_running(), "nobody needs to be started again");
}

#[test]
fn a_broker_that_is_stopped_and_started_loses_nothing() {
    survives(|node| {
        node.stop();
        node.start_again();
    });
}

#[test]
fn a_broker_whose_data_is_lost_loses_no_message() {
    survives(|node| {
        node.kill();
        node.empty();
        node.start_again();
    });
}
