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
fn an_answer_that_ends_in_the_middle_is_asked_for_again() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let objects = ["/audiences/", "/campaign.json", "/state.json", "/input/"];
    let placed = objects.map(|object| cluster.s3.fail(Method::GET, object, S3Fault::CutOff, 2));
    let id = cluster.submit();
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    for (fault, object) in placed.iter().zip(objects) {
        wait_until(&format!("{object} was cut off twice"), PATIENCE, || fault.fired() == 2);
    }
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

/// A store that takes no outputs for longer than a worker waits: the campaign is held, and goes on once it is resumed.
fn holds(fault: S3Fault, calls: u32, says: &str) {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let placed = cluster.s3.fail(Method::PUT, "/output/", fault, calls);
    let impatient = [("COPYMILL_WORKER__STORE_PATIENCE_S", "0")];
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &impatient));
    let id = cluster.submit();
    cluster.wait_for(&id, "held", PATIENCE);
    assert_eq!(placed.fired(), calls);
    let status = cluster.copymill(&["status", &id]).success().stdout;
    assert!(status.contains(says) && status.contains(&format!("copymill resume {id}")), "{status}");
    cluster.copymill(&["resume", &id]).success();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
}

#[test]
fn a_store_that_is_full_holds_the_campaign_at_once() {
    holds(S3Fault::Full, 1, "no space is left in s3://");
}

#[test]
fn a_store_that_refuses_outputs_holds_the_campaign_after_three_tries() {
    holds(S3Fault::Denied, 3, "403 AccessDenied");
}

/// Calls that fail before one succeeds: more than the client of S3 tries by itself.
const LONG: u32 = 14;

#[test]
fn a_store_that_fails_for_longer_than_its_client_tries_is_waited_for() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let operations = [(Method::PUT, "/output/"), (Method::GET, "/input/"), (Method::PUT, "/state.json")];
    let placed = operations.map(|(method, path)| cluster.s3.fail(method, path, S3Fault::SlowDown, LONG));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    for fault in &placed {
        assert_eq!(fault.fired(), LONG);
    }
    cluster.verify(&id, 120);
}

/// Submits an audience so large that it is sent in parts, each call of which fails once.
fn sent_in_parts(fault: S3Fault) -> (Cluster, String) {
    // Above 16 MiB an object is sent in parts.
    let note = "x".repeat(1_000);
    let rows = (0..LARGE).map(|n| format!("c-{n},Ada,tents,gold,{note}\n"));
    let audience = format!("id,first_name,last_category,tier,note\n{}", rows.collect::<String>());
    let cluster = Cluster::new(&EMAIL.replace("variants: 2", "variants: 1"), &audience);
    // The last one is the call that puts the parts together.
    let calls = [(Method::POST, "?uploads"), (Method::PUT, "partNumber=2"), (Method::POST, "uploadId=")];
    let placed = calls.map(|(method, path)| cluster.s3.fail(method, path, fault, 1));
    let id = cluster.submit();
    assert!(placed.iter().all(|fault| fault.fired() == 1), "each call failed once");
    let stored = cluster.s3.object("/audiences/").unwrap();
    assert_eq!(stored.len(), audience.len());
    assert!(stored == audience.as_bytes(), "what is stored is the audience");
    (cluster, id)
}

/// Rows of some 1,000 bytes that are too much for one call.
const LARGE: usize = 18_000;

#[test]
fn an_audience_in_parts_arrives_once_whatever_call_of_its_upload_fails() {
    for fault in [S3Fault::SlowDown, S3Fault::Reset, S3Fault::ErrorAfterEffect] {
        let (cluster, id) = sent_in_parts(fault);
        if fault == S3Fault::ErrorAfterEffect {
            let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
            cluster.wait_for(&id, "completed", PATIENCE);
            cluster.verify(&id, LARGE);
        }
    }
}

#[test]
fn an_audience_in_parts_arrives_once_although_each_call_of_its_upload_is_left_without_an_answer() {
    sent_in_parts(S3Fault::Hang(FOREVER));
}

#[test]
fn a_campaign_whose_every_object_fails_once_is_submitted_once_and_ends_once() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let objects = ["/campaign.json", "/active/", "/idempotency/", "/audiences/", "/_SUCCESS"];
    let placed = objects.map(|object| cluster.s3.fail(Method::PUT, object, S3Fault::ErrorAfterEffect, 1));
    let submit = ["submit", "campaign.yaml", "--idempotency-key", "spring-1"];
    let id = cluster.copymill(&submit).success().stdout.trim().to_owned();
    assert_eq!(cluster.copymill(&submit).success().stdout.trim(), id, "it is the same campaign");
    let _programs = (cluster.scheduler(), cluster.scripted_worker(0, &[]));
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    for (fault, object) in placed.iter().zip(objects) {
        assert_eq!(fault.fired(), 1, "{object}");
    }
    assert_eq!(cluster.copymill(&["list"]).success().stdout.matches("spring").count(), 1);
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
