//! A leader that dies or freezes is replaced, and what it comes back with is refused.

use std::time::{Duration, Instant};

use copymill_tests::s3::S3Fault;
use copymill_tests::servers::{RabbitMq, wait_until};
use copymill_tests::{Cluster, Program};
use hyper::Method;
use rustix::process::Signal;

use crate::campaign::{EMAIL, PATIENCE, recipients};

const FOREVER: Duration = Duration::from_secs(600);
/// A leader that is gone is replaced within this.
const TAKEOVER: Duration = Duration::from_secs(15);

/// Kills the leader; the scheduler that stands by leads within 15 s.
fn is_replaced(leader: Program, second: &Program) {
    let lost = Instant::now();
    leader.kill();
    second.wait_for("leading", TAKEOVER);
    eprintln!("a leader was killed: replaced after {:.1} s", lost.elapsed().as_secs_f64());
}

/// Kills the leader while a put waits; the scheduler that stands by finishes the campaign.
fn killed_at(path_part: &str, fault: S3Fault) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let leader = cluster.scheduler();
    leader.wait_for("leading", TAKEOVER);
    let placed = cluster.s3.fail(Method::PUT, path_part, fault, 1);
    let (second, _worker) = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    wait_until("the leader waits for the store", PATIENCE, || placed.fired() == 1);
    is_replaced(leader, &second);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

#[test]
fn a_leader_killed_while_planning_is_replaced_within_15_s() {
    killed_at("/input/00001", S3Fault::Hang(FOREVER));
}

#[test]
fn a_cluster_whose_broker_lost_everything_while_its_leader_died_planning_goes_on_from_the_store() {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.url(), EMAIL, recipients(200));
    let placed = cluster.s3.fail(Method::PUT, "/input/00003", S3Fault::Hang(FOREVER), 1);
    let leader = cluster.scheduler();
    let id = cluster.submit();
    wait_until("the leader is half done with planning", PATIENCE, || placed.fired() == 1);
    leader.kill();
    node.stop();
    node.empty();
    node.start_again();
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 400);
}

#[test]
fn a_leader_killed_before_its_manifest_is_stored_is_replaced() {
    killed_at("/manifest.json", S3Fault::Hang(FOREVER));
}

#[test]
fn a_leader_killed_between_manifest_and_success_is_replaced() {
    killed_at("/manifest.json", S3Fault::HangAfterEffect(FOREVER));
}

#[test]
fn a_leader_killed_after_success_is_stored_and_before_its_campaign_is_completed_is_replaced() {
    killed_at("/_SUCCESS", S3Fault::HangAfterEffect(FOREVER));
}

#[test]
fn a_leader_killed_while_workers_generate_is_replaced_within_15_s() {
    let cluster = Cluster::new(EMAIL, recipients(120));
    let leader = cluster.scheduler();
    leader.wait_for("leading", TAKEOVER);
    let (second, _worker) = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    is_replaced(leader, &second);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
}

#[test]
fn a_leader_that_was_frozen_is_fenced_out_when_it_comes_back() {
    let cluster = Cluster::new(EMAIL, recipients(120));
    let frozen = cluster.scheduler();
    frozen.wait_for("leading", TAKEOVER);
    let (second, _worker) = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    let lost = Instant::now();
    frozen.signal(Signal::STOP);
    second.wait_for("leading", TAKEOVER);
    eprintln!("a leader was frozen: replaced after {:.1} s", lost.elapsed().as_secs_f64());
    frozen.signal(Signal::CONT);
    frozen.wait_for("the lease was lost", TAKEOVER);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    assert!(frozen.is_running(), "it stands by again:\n{}", frozen.log());
}

/// A put of the leader is under way when it freezes, and arrives when another one has long led.
fn late_put_is_refused(path_part: &str) {
    let cluster = Cluster::new(EMAIL, recipients(600));
    let frozen = cluster.scheduler();
    frozen.wait_for("leading", TAKEOVER);
    // Half a minute of work.
    let (second, _worker) = (cluster.scheduler(), cluster.scripted_worker(100, &[]));
    let id = cluster.submit();
    wait_until("workers write", PATIENCE, || cluster.s3.object("/output/00000").is_some());
    let placed = cluster.s3.fail(Method::PUT, path_part, S3Fault::Held, 1);
    wait_until("a put is under way", PATIENCE, || placed.held() == 1);
    frozen.signal(Signal::STOP);
    assert!(cluster.s3.object("/manifest.json").is_none(), "the campaign still runs");
    second.wait_for("leading", TAKEOVER);
    cluster.wait_for(&id, "completed", PATIENCE);
    placed.let_through();
    wait_until("the put arrives", PATIENCE, || !placed.later().is_empty());
    assert_eq!(placed.later(), [412], "its condition does not hold any more");
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 1_200);
    assert!(second.is_running() && !second.log().contains("the lease was lost"), "{}", second.log());
}

#[test]
fn a_state_that_a_frozen_leader_had_sent_is_refused_when_it_arrives_late() {
    late_put_is_refused("/state.json");
}

#[test]
fn a_renewal_that_a_frozen_leader_had_sent_is_refused_when_it_arrives_late() {
    late_put_is_refused("/leader.json");
}
