//! What people do with campaigns.

use std::time::Duration;

use copymill_tests::Cluster;

use crate::campaign::{EMAIL, recipients};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_submitted_campaign_is_generated_by_two_workers_and_comes_back_in_the_audiences_order() {
    let cluster = Cluster::new(EMAIL, recipients(100));
    let _programs = (cluster.scheduler(), cluster.worker(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 200);
    cluster.copymill(&["results", "spring", "--join", "-o", "results.jsonl"]).success();
    let results = std::fs::read_to_string(cluster.place.path("results.jsonl")).unwrap();
    let ids: Vec<String> = results
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            assert_eq!(line["recipient"]["id"], line["recipient_id"]);
            line["recipient_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected: Vec<String> = (0..100).flat_map(|row| [format!("c-{row}"), format!("c-{row}")]).collect();
    assert_eq!(ids, expected);
    assert!(cluster.copymill(&["list"]).success().stdout.contains(&id));
}
