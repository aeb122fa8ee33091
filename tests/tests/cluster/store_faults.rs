//! A store that answers badly is asked again, and nothing is stored twice.

use copymill_tests::Cluster;
use copymill_tests::s3::S3Fault;
use hyper::Method;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Objects of each kind that programs read or write while a campaign runs.
const OPERATIONS: [(Method, &str); 6] = [
    (Method::GET, "/input/"),
    (Method::GET, "/output/"),
    (Method::GET, "/state.json"),
    (Method::PUT, "/input/"),
    (Method::PUT, "/output/"),
    (Method::PUT, "/state.json"),
];

fn survives(fault: S3Fault, calls: u32) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _programs = (cluster.scheduler(), cluster.worker());
    let placed = OPERATIONS.map(|(method, path)| cluster.s3.fail(method, path, fault, calls));
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    for (fault, (method, path)) in placed.iter().zip(&OPERATIONS) {
        assert_eq!(fault.fired(), calls, "{method} of {path}");
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
