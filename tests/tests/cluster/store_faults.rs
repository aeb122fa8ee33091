//! A store that answers badly is asked again, and nothing is stored twice.

use std::time::Duration;

use copymill_tests::Cluster;
use copymill_tests::s3::S3Fault;
use copymill_tests::servers::wait_until;
use hyper::Method;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(600);

/// A call of each kind that programs make while they start and while a campaign runs.
const OPERATIONS: [(Method, &str); 11] = [
    (Method::GET, "/input/"),
    (Method::GET, "/output/"),
    (Method::GET, "/state.json"),
    (Method::GET, "list-type=2"),
    (Method::PUT, "/input/"),
    (Method::PUT, "/output/"),
    (Method::PUT, "/state.json"),
    (Method::PUT, "/manifest.json"),
    (Method::PUT, "/leader.json"),
    (Method::DELETE, "/active/"),
    (Method::HEAD, "/probe/"),
];

fn survives(fault: S3Fault, calls: u32) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let placed = OPERATIONS.map(|(method, path)| cluster.s3.fail(method, path, fault, calls));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    for (fault, (method, path)) in placed.iter().zip(&OPERATIONS) {
        wait_until(&format!("{method} of {path} failed {calls} times"), PATIENCE, || fault.fired() == calls);
    }
    cluster.verify(&id, 120);
}

#[test]
fn a_store_that_asks_to_slow_down_is_asked_again() {
    survives(S3Fault::SlowDown, 3);
}

#[test]
fn a_put_whose_answer_says_error_although_it_was_stored_counts_once() {
    survives(S3Fault::ErrorAfterEffect, 2);
}

#[test]
fn connections_that_are_reset_are_opened_again() {
    survives(S3Fault::Reset, 2);
}

#[test]
fn a_store_that_gives_no_answer_is_asked_again() {
    survives(S3Fault::Hang(FOREVER), 2);
}

#[test]
fn two_renewals_without_an_answer_do_not_cost_a_leader_its_lease() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let leader = cluster.scheduler();
    leader.wait_for("leading", PATIENCE);
    let placed = cluster.s3.fail(Method::PUT, "/leader.json", S3Fault::Hang(FOREVER), 2);
    wait_until("two renewals got no answer", PATIENCE, || placed.fired() == 2);
    let lease = || {
        let object = cluster.s3.object("/leader.json").unwrap();
        let lease: serde_json::Value = serde_json::from_slice(&object).unwrap();
        ["epoch", "revision"].map(|key| lease[key].as_u64().unwrap())
    };
    let [epoch, revision] = lease();
    wait_until("the lease is renewed again", PATIENCE, || lease()[1] > revision + 2);
    assert_eq!(lease()[0], epoch, "nobody took it meanwhile");
    assert!(!leader.log().contains("the lease was lost"), "{}", leader.log());
}
