//! Who is on a suppression list is not written to: not at planning, not when they come onto it later, and nobody is
//! written to without it.

use copymill_campaign::sha256_hex;
use copymill_tests::servers::wait_until;
use copymill_tests::{Admin, Cluster, Program};
use serde_json::Value;

use crate::campaign::{EMAIL, PATIENCE};
use crate::sources::put;

const LIST: &str = "s3://lists/unsubscribed";

/// Addresses as people's files have them, and how a list's owner would hash them.
const ADDRESSES: [(&str, &str); 6] = [
    ("Ann@Example.COM", "ann@example.com"),
    (" bo+spring@example.com ", "bo+spring@example.com"),
    ("JÖRG@BÜCHER.example", "jörg@bücher.example"),
    ("di@xn--bcher-kva.example", "di@xn--bcher-kva.example"),
    ("eve@example.com", "eve@example.com"),
    ("flo@example.com", "flo@example.com"),
];

fn list(addresses: &[&str]) -> String {
    let lines: Vec<String> = addresses.iter().map(|address| sha256_hex(address.as_bytes())).collect();
    format!("# who left\n\n{}\n", lines.join("\n"))
}

fn recipients() -> String {
    let mut text = "id,first_name,last_category,tier,mail\n".to_owned();
    for (number, (address, _)) in ADDRESSES.iter().enumerate() {
        text.push_str(&format!("c-{number},Ada,tents,gold,{address}\n"));
    }
    text
}

fn cluster(more: &str) -> Cluster {
    let campaign = EMAIL.replace("  id: id\n", "  id: id\n  email: mail\n").replace(
        "variants: 2\n",
        &format!("{more}variants: 2\nsuppression: {{ list: {LIST}, by: emails }}\n"),
    );
    Cluster::new(&campaign, recipients())
}

/// Submits the campaign and waits until its rows are planned; no worker runs yet.
fn planned(cluster: &Cluster) -> (String, Program) {
    let id = cluster.submit();
    let scheduler = cluster.scheduler();
    cluster.wait_for(&id, "running", PATIENCE);
    (id, scheduler)
}

/// Every line of the results.
fn results(cluster: &Cluster, id: &str) -> Vec<Value> {
    cluster.copymill(&["results", id, "-o", "results.jsonl"]).success();
    let text = std::fs::read_to_string(cluster.place.path("results.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn who_comes_onto_the_list_while_a_campaign_runs_is_not_written_to() {
    let cluster = cluster("");
    put(&cluster, LIST, list(&["ann@example.com", "jörg@bücher.example"]));
    let (id, _scheduler) = planned(&cluster);
    // Ann is on it no longer, which does not undo what planning decided; Flo never was.
    let hashed: Vec<&str> = ADDRESSES[1..5].iter().map(|(_, hashed)| *hashed).collect();
    let newest = zstd::encode_all(list(&hashed).as_bytes(), 1).unwrap();
    put(&cluster, LIST, newest.clone());
    let _worker = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 12);
    let version = &sha256_hex(&newest)[..16];
    for line in results(&cluster, &id) {
        assert_eq!(line["suppression"], version, "{line}");
        let row = line["row"].as_u64().unwrap();
        let is_suppressed = row < 5;
        assert_eq!(line["outcome"] == "suppressed", is_suppressed, "{line}");
        if is_suppressed {
            assert_eq!(line["reasons"][0]["code"], "on_suppression_list");
            assert!(line.get("content").is_none() && line.get("rendered").is_none(), "{line}");
        }
        // Rows 0 and 2 were on the list when the campaign was planned; the others were generated and then held back.
        assert_eq!(line["tokens"]["generated"].as_u64().unwrap() > 0, row != 0 && row != 2, "{line}");
    }
    let text = std::fs::read_to_string(cluster.place.path("results.jsonl")).unwrap();
    assert!(
        ADDRESSES.iter().all(|(address, _)| !text.contains(address.trim())),
        "an address is in an output line"
    );
}

#[test]
fn rows_that_are_merged_with_the_copy_of_their_segment_are_looked_up_too() {
    let cluster = cluster("  segment_by: [tier]\n");
    put(&cluster, LIST, list(&[]));
    let (id, _scheduler) = planned_segments(&cluster);
    put(&cluster, LIST, list(&["eve@example.com"]));
    let _worker = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 12);
    for line in results(&cluster, &id) {
        assert_eq!(line["outcome"] == "suppressed", line["row"] == 4, "{line}");
    }
}

/// Submits a campaign with segments and waits until the list was read; its rows are planned once there is copy.
fn planned_segments(cluster: &Cluster) -> (String, Program) {
    let id = cluster.submit();
    let scheduler = cluster.scheduler();
    scheduler.wait_for("leading a campaign", PATIENCE);
    (id, scheduler)
}

/// A scheduler, a worker, and a campaign that they hold because of what somebody wrote in the list's place.
fn held(broken: Vec<u8>, admin: &Admin) -> (Cluster, String, [Program; 2]) {
    let cluster = cluster("");
    put(&cluster, LIST, list(&["ann@example.com"]));
    let id = cluster.submit();
    let scheduler = cluster.start("copymill-scheduler", "leading a campaign", &[admin.setting()]);
    cluster.wait_for(&id, "running", PATIENCE);
    put(&cluster, LIST, broken);
    let worker = cluster.worker();
    cluster.wait_for(&id, "held", PATIENCE);
    (cluster, id, [scheduler, worker])
}

/// No list of hashes, with somebody's address in it.
const NO_LIST: &[u8] = b"jane.doe@example.com\n";

#[test]
fn a_list_that_cannot_be_read_holds_the_campaign_and_nobody_is_written_to_until_it_is_mended() {
    let whole = zstd::encode_all(list(&["ann@example.com"]).as_bytes(), 1).unwrap();
    for broken in [NO_LIST.to_vec(), whole[..whole.len() - 9].to_vec()] {
        let admin = Admin::default();
        let (cluster, id, [scheduler, worker]) = held(broken, &admin);
        let said = cluster.copymill(&["status", &id]).success().stdout;
        assert!(said.contains("the suppression list s3://lists/unsubscribed"), "{said}");
        assert!(said.contains(&format!("copymill resume {id}")), "{said}");
        assert!(
            !format!("{said}{}{}", scheduler.log(), worker.log()).contains("jane"),
            "an entry is in a message"
        );
        let watched = cluster.copymill(&["status", "--watch", &id]);
        watched.fails(1, &[]);
        assert_eq!(cluster.messages_of(&id), 0);
        let metric = |series: &str| admin.metric(&format!("copymill_scheduler_{series}"));
        wait_until("who watches sees it", PATIENCE, || metric("campaigns{state=\"held\"}") == Some(1.0));
        assert_eq!(
            metric("republished_chunks_total{reason=\"failed\"}"),
            Some(2.0),
            "it was tried three times"
        );
        cluster.copymill(&["validate", "campaign.yaml"]).fails(64, &["suppression.list", LIST]);
        // Resumed too early, it is held again.
        cluster.copymill(&["resume", &id]).success();
        cluster.wait_for(&id, "held", PATIENCE);
        put(&cluster, LIST, list(&["ann@example.com", "eve@example.com"]));
        cluster.copymill(&["resume", &id]).success();
        cluster.wait_for(&id, "completed", PATIENCE);
        let said = cluster.copymill(&["status", &id]).success().stdout;
        assert!(!said.contains("held"), "nothing holds what is over: {said}");
        cluster.verify(&id, 12);
        for line in results(&cluster, &id) {
            let is_on_it = [0, 4].contains(&line["row"].as_u64().unwrap());
            assert_eq!(line["outcome"] == "suppressed", is_on_it, "{line}");
        }
    }
}

#[test]
fn a_campaign_that_is_held_stays_so_with_another_leader_until_it_is_resumed() {
    let (cluster, id, [first, _worker]) = held(NO_LIST.to_vec(), &Admin::default());
    first.kill();
    let second = cluster.scheduler();
    second.wait_for("leading a campaign", PATIENCE);
    // It cannot even be planned anew, and is resumed too early.
    cluster.copymill(&["resume", &id]).success();
    second.wait_for("the campaign is held until it is resumed", PATIENCE);
    cluster.wait_for(&id, "held", PATIENCE);
    put(&cluster, LIST, list(&["ann@example.com"]));
    cluster.copymill(&["resume", &id]).success();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 12);
}

#[test]
fn a_campaign_that_is_held_can_be_cancelled_whoever_leads() {
    for is_led_anew in [false, true] {
        let (cluster, id, [first, _worker]) = held(NO_LIST.to_vec(), &Admin::default());
        let mut leader = first;
        if is_led_anew {
            leader.kill();
            leader = cluster.scheduler();
            leader.wait_for("leading a campaign", PATIENCE);
        }
        cluster.copymill(&["cancel", &id]).success();
        cluster.wait_for(&id, "cancelled", PATIENCE);
        let said = cluster.copymill(&["status", &id]).success().stdout;
        assert!(!said.contains("held"), "{said}");
        cluster.verify(&id, 0);
        assert!(cluster.copymill(&["status"]).success().stdout.is_empty(), "nothing is under way");
        assert!(leader.is_running());
    }
}

#[test]
fn a_campaign_whose_leader_died_over_cancelling_it_ends_with_the_next_one_although_it_has_no_list() {
    let (cluster, id, [first, _worker]) = held(NO_LIST.to_vec(), &Admin::default());
    first.kill();
    cluster.s3.alter("/state.json", |body| {
        let mut state: Value = serde_json::from_slice(body).unwrap();
        state["cancelling"] = true.into();
        *body = state.to_string().into_bytes();
    });
    let _second = cluster.scheduler();
    cluster.wait_for(&id, "cancelled", PATIENCE);
    cluster.verify(&id, 0);
}

#[test]
fn a_list_on_the_users_machine_is_what_it_was_when_the_campaign_was_submitted() {
    let cluster = cluster("");
    cluster.place.edit_campaign(&format!("list: {LIST}, by: emails"), "list: left.txt, by: ids");
    cluster.place.write("left.txt", "c-1\n");
    let validated = cluster.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(validated.contains("who is on left.txt (1 ids"), "{validated}");
    let (id, _scheduler) = planned(&cluster);
    cluster.place.write("left.txt", "c-2\n");
    let _worker = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 12);
    for line in results(&cluster, &id) {
        assert_eq!(line["outcome"] == "suppressed", line["row"] == 1, "{line}");
    }
}

#[test]
fn a_run_on_one_machine_looks_its_list_up_before_it_writes() {
    let cluster = cluster("");
    cluster.place.edit_campaign(&format!("list: {LIST}, by: emails"), "list: left.txt, by: ids");
    cluster.place.write("left.txt", "c-3\n");
    let run = cluster.copymill(&["run", "campaign.yaml"]).success();
    cluster.copymill(&["verify", "out/"]).success();
    let messages = copymill_tests::messages(&cluster.place.path("out"));
    let suppressed: Vec<u64> = messages
        .iter()
        .filter(|message| message.line.outcome == copymill_campaign::Outcome::Suppressed)
        .map(|message| message.line.row)
        .collect();
    assert_eq!(suppressed, [3, 3], "{}", run.stderr);
    std::fs::remove_file(cluster.place.path("left.txt")).unwrap();
    cluster.copymill(&["run", "campaign.yaml"]).fails(64, &["suppression.list", "left.txt"]);
}
