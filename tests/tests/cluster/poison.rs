//! A row that ends every worker that begins with it costs itself and nobody else.

use std::time::Duration;

use copymill_campaign::{ChunkId, encode_split};
use copymill_store::{Condition, Put};
use copymill_tests::s3::S3Fault;
use copymill_tests::servers::wait_until;
use copymill_tests::{Cluster, Program};
use hyper::Method;

use crate::campaign::{EMAIL, recipients};

/// Each end of a worker costs a start and a second or two until its chunk is somewhere else.
const PATIENCE: Duration = Duration::from_secs(400);
/// No message is long enough for chunks of more than a few rows.
const ROWS: usize = 90;
/// The chunk of row 37: there are five.
const CHUNK: &str = "00001";

/// An audience with one row whose category the script knows.
fn with_one_row(category: &str) -> String {
    let mut lines: Vec<String> = recipients(ROWS).lines().map(str::to_owned).collect();
    lines[38] = format!("c-37,Ada,{category},gold");
    lines.join("\n") + "\n"
}

/// Keeps two workers running, as Kubernetes would, until the campaign is completed; what those said that ended.
fn completed_by_workers_that_die(cluster: &Cluster, id: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let start = || cluster.start("scripted-worker", "waiting for chunks", environment);
    let mut workers: Vec<Program> = (0..2).map(|_| start()).collect();
    let (mut ended, mut looks) = (Vec::new(), 0);
    wait_until(&format!("{id} is completed"), PATIENCE, || {
        for worker in workers.iter_mut().filter(|worker| !worker.is_running()) {
            ended.push(worker.log());
            *worker = start();
        }
        looks += 1;
        looks % 50 == 0 && cluster.copymill(&["status", id]).success().stdout.contains("completed")
    });
    ended
}

fn one_row_is_invalid(cluster: &Cluster, id: &str) {
    cluster.verify(id, 2 * ROWS);
    let lines = cluster.results(id);
    assert_eq!(lines.len(), 2 * ROWS);
    for line in lines {
        let is_guilty = line["recipient_id"] == "c-37";
        assert_eq!(line["outcome"] == "invalid", is_guilty, "{line}");
        assert_eq!(line["reasons"][0]["code"] == "kills_workers", is_guilty, "{line}");
    }
}

#[test]
fn a_row_that_kills_every_worker_is_invalid_and_all_others_are_generated() {
    let cluster = Cluster::new(EMAIL, with_one_row("doom"));
    let _scheduler = cluster.scheduler();
    let id = cluster.submit();
    let ended = completed_by_workers_that_die(&cluster, &id, &[("SCRIPT_KILLED_BY", "doom")]);
    assert!(ended.len() >= 3, "the row kills its chunk's workers and those of its parts: {ended:?}");
    one_row_is_invalid(&cluster, &id);
}

#[test]
fn a_row_that_the_engine_hangs_on_is_found_by_the_watchdog() {
    let cluster = Cluster::new(EMAIL, with_one_row("quicksand"));
    let _scheduler = cluster.scheduler();
    let id = cluster.submit();
    let script = [("SCRIPT_STUCK_AT", "quicksand"), ("COPYMILL_WORKER__WATCHDOG_S", "2")];
    let ended = completed_by_workers_that_die(&cluster, &id, &script);
    assert!(ended.len() >= 3, "{ended:?}");
    let reason = "the engine made no progress for";
    assert!(ended.iter().all(|log| log.contains(reason) && log.contains("worker.watchdog_s")), "{ended:?}");
    one_row_is_invalid(&cluster, &id);
}

#[test]
fn a_row_that_stops_every_engine_ends_workers_in_order_and_costs_itself() {
    let cluster = Cluster::new(EMAIL, with_one_row("breaker"));
    let _scheduler = cluster.scheduler();
    let id = cluster.submit();
    let ended = completed_by_workers_that_die(&cluster, &id, &[("SCRIPT_STOPPED_BY", "breaker")]);
    assert!(ended.len() >= 3, "its chunk is under suspicion, and split: {ended:?}");
    assert!(ended.iter().all(|log| log.contains("the engine has stopped")), "{ended:?}");
    one_row_is_invalid(&cluster, &id);
}

#[test]
fn a_late_put_of_a_chunk_that_was_split_meanwhile_is_refused() {
    let cluster = Cluster::new(EMAIL, with_one_row("doom"));
    let _scheduler = cluster.scheduler();
    // This one survives the row, and is lost with its whole chunk on the way to the store.
    let late = cluster.s3.fail(Method::PUT, &format!("/output/{CHUNK}."), S3Fault::Held, 1);
    let survivor = cluster.scripted_worker(0, &[]);
    let id = cluster.submit();
    wait_until("the chunk is on its way", PATIENCE, || late.held() == 1);
    survivor.kill();
    completed_by_workers_that_die(&cluster, &id, &[("SCRIPT_KILLED_BY", "doom")]);

    let outputs =
        || cluster.block_on(cluster.store().list(&format!("campaigns/{id}/output/"), None)).unwrap();
    let before = outputs();
    let of_chunk = before.iter().filter(|output| output.key.contains(&format!("/{CHUNK}."))).count();
    assert!(of_chunk > 2, "a marker and the outputs of parts: {before:?}");
    late.let_through();
    wait_until("the chunk arrives", PATIENCE, || !late.later().is_empty());
    assert_eq!(late.later(), [412], "the marker is where it was to go");
    assert_eq!(outputs(), before);
    one_row_is_invalid(&cluster, &id);
}

#[test]
fn a_late_worker_that_finishes_a_chunk_after_it_was_split_changes_nothing() {
    let cluster = Cluster::new(EMAIL, recipients(ROWS));
    let _scheduler = cluster.scheduler();
    let id = cluster.submit();
    let slow = [("SCRIPT_DELAY_MS", "3000")];
    let late = cluster.start("scripted-worker", "waiting for chunks", &slow);
    let key = format!("campaigns/{id}/output/00000.jsonl.zst");
    wait_until("the worker has chunks in its hands", PATIENCE, || {
        cluster.copymill(&["status", &id, "--json"]).success().stdout.contains("running")
    });
    let store = cluster.store();
    let split = encode_split(&ChunkId::whole(0)).into();
    let put = cluster.block_on(store.put(&key, split, Condition::IfAbsent)).unwrap();
    assert!(matches!(put, Put::Stored(_)), "the worker was not late");
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 2 * ROWS);
    assert!(late.is_running());
    let parts = cluster.block_on(store.list(&format!("campaigns/{id}/output/00000."), None)).unwrap();
    assert_eq!(parts.len(), 3, "the marker and two parts: {parts:?}");
}
