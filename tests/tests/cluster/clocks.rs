//! Clocks that jump: what is measured in seconds is measured on the monotonic clock.

use std::path::PathBuf;

use copymill_tests::Cluster;
use jiff::Timestamp;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Far longer than every patience of the programs, and within the 15 minutes that S3 allows a signature.
const AHEAD: &str = "+600";
const BEHIND: &str = "-600";

/// Debian's libfaketime, which moves the wall clock of a process.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let mut candidates = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    candidates.find(|path| path.exists()).expect("libfaketime is installed: `make test` installs it")
}

#[test]
fn wall_clocks_that_jump_by_ten_minutes_either_way_change_nothing() {
    let cluster = Cluster::new(EMAIL, recipients(120));
    let set = |offset: &str| cluster.place.write("clock", offset);
    set("+0");
    let (library, clock) = (library(), cluster.place.path("clock"));
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let leader = cluster.start("copymill-scheduler", "standing by", &environment);
    let worker = cluster.scripted_worker(300, &environment);
    let second = cluster.scheduler();
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    set(AHEAD);
    cluster.wait_for_messages(&id, 120, PATIENCE);
    set(BEHIND);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);

    cluster.copymill(&["results", &id, "-o", "results.jsonl"]).success();
    let results = std::fs::read_to_string(cluster.place.path("results.jsonl")).unwrap();
    let written: Vec<Timestamp> = results
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["generated_at"].as_str().unwrap().parse().unwrap())
        .collect();
    let (first, last) = (written.iter().min().unwrap(), written.iter().max().unwrap());
    assert!(last.as_second() - first.as_second() > 900, "the worker's clock jumped: {first} to {last}");
    let manifest = cluster.s3.object("/manifest.json").unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let time = |key: &str| manifest[key].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    assert!(time("accepted_at") - time("finished_at") > 300, "the leader's clock jumped: {manifest}");

    for (program, never) in
        [(&leader, "the lease was lost"), (&leader, "fell silent"), (&worker, "connected")]
    {
        assert!(!program.log().contains(never), "{}", program.log());
    }
    assert!(!second.log().contains("leading"), "the lease never seemed to be free:\n{}", second.log());
}
