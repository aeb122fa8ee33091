//! What people do with campaigns.

use copymill_broker::{Broker, BrokerSettings, RabbitBroker};
use copymill_campaign::{
    Action, CONTROL_QUEUE, CampaignId, ChunkId, ChunkJob, ChunkKind, EVENTS_QUEUE, Event, Order,
};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use copymill_tests::servers::wait_until;
use copymill_tests::{Cluster, Running, program};

use crate::campaign::{EMAIL, PATIENCE, recipients};

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
    let verified = cluster.copymill(&["verify", &id]).success().stdout;
    assert_eq!(cluster.copymill(&["verify", "spring"]).success().stdout, verified);
    let address = format!("s3://bucket/some/prefix/campaigns/{id}");
    assert_eq!(cluster.copymill(&["verify", &address]).success().stdout, verified);
    assert!(cluster.copymill(&["dead-letters", "list"]).success().stderr.contains("no dead letters"));
    let watched = cluster.copymill(&["status", "--watch", "spring"]).success().stdout;
    assert!(watched.contains("completed") && watched.contains("200 of 200"), "{watched}");
    cluster.copymill(&["verify", "sprung"]).fails(64, &["no campaign `sprung`", "copymill list"]);
}

#[test]
fn who_watches_sees_progress_rate_time_left_and_the_workers_of_the_model() {
    let cluster = Cluster::new(EMAIL, recipients(200));
    assert!(cluster.copymill(&["status", "--watch"]).success().stderr.contains("no campaign is under way"));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(100, &[]));
    let id = cluster.submit();
    let watched = cluster.copymill(&["status", "--watch", &id]).success();
    assert!(watched.stdout.contains("400 of 400"), "{}", watched.stdout);
    let lines: Vec<&str> = watched.stderr.lines().filter(|line| line.starts_with("spring: ")).collect();
    let is_half_way = |line: &&&str| {
        line.contains(" of 400 running · ") && line.contains("/s · 1 worker · ") && line.ends_with(" left")
    };
    assert!(lines.iter().any(|line| is_half_way(&line)), "{}", watched.stderr);
}

#[test]
fn who_watches_on_a_terminal_sees_a_bar_for_each_campaign_and_for_what_is_submitted_meanwhile() {
    let cluster = Cluster::new(EMAIL, recipients(100));
    let _programs = (cluster.scheduler(), cluster.scripted_worker(100, &[]));
    let first = cluster.submit();
    let watch = format!("stty cols 120 rows 30; exec {} status --watch", program("copymill").display());
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &watch, "/dev/null"]).stdin(Stdio::null());
    terminal.current_dir(cluster.place.path("")).envs(cluster.environment()).env("TERM", "xterm");
    let watching = Running::spawn(terminal);
    cluster.wait_for_messages(&first, 20, PATIENCE);
    cluster.place.edit_campaign("campaign: spring", "campaign: autumn");
    cluster.submit();
    let shown = watching.finish().success().stdout;
    for name in ["spring", "autumn"] {
        let is_bar =
            |line: &str| line.contains(name) && line.contains("━") && line.contains("/200 running · ");
        assert!(shown.split(['\r', '\n']).any(is_bar), "{name} in {shown}");
    }
}

#[test]
fn a_campaign_that_is_paused_rests_until_it_is_resumed() {
    let cluster = Cluster::new(EMAIL, recipients(120));
    let _programs = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    assert!(cluster.copymill(&["pause", &id]).success().stdout.contains("is paused"));
    let held = cluster.submit();
    assert_ne!(held, id, "the same campaign without a key is another campaign");
    cluster.wait_for(&held, "completed", PATIENCE);
    assert!(cluster.messages_of(&id) < 240, "the other one had all of the worker meanwhile");
    cluster.copymill(&["resume", &id]).success();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
}

#[test]
fn a_campaign_that_is_cancelled_ends_with_what_it_has() {
    let cluster = Cluster::new(EMAIL, recipients(240));
    let _programs = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    cluster.copymill(&["cancel", "spring"]).success();
    cluster.wait_for(&id, "cancelled", PATIENCE);
    let ended_with = cluster.messages_of(&id);
    assert!((40..480).contains(&ended_with), "{ended_with}");
    cluster.verify(&id, ended_with as usize);
    assert!(cluster.copymill(&["status"]).success().stdout.is_empty(), "nothing is under way");
}

#[test]
fn workers_drop_what_they_have_in_hand_of_a_campaign_that_is_cancelled() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _scheduler = cluster.scheduler();
    // No answer ever comes: only the word that goes to all workers ends it before the leader's patience does.
    let worker = cluster.scripted_worker(3_600_000, &[]);
    let id = cluster.submit();
    wait_until("a chunk is begun", PATIENCE, || worker.log().contains("a chunk is begun"));
    let asked = Instant::now();
    cluster.copymill(&["cancel", &id]).success();
    cluster.wait_for(&id, "cancelled", PATIENCE);
    assert!(asked.elapsed() < Duration::from_secs(30), "it took {:?}", asked.elapsed());
    cluster.verify(&id, 0);
}

#[test]
fn a_pilot_is_shown_before_the_rest_is_released() {
    let campaign = EMAIL.replace("variants: 2", "variants: 2\npilot: 30");
    let cluster = Cluster::new(&campaign, recipients(120));
    let _programs = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for(&id, "awaiting_approval", PATIENCE);
    assert_eq!(cluster.messages_of(&id), 60, "the pilot and nothing else");
    cluster.copymill(&["results", &id, "-o", "pilot.jsonl"]).success();
    let pilot = std::fs::read_to_string(cluster.place.path("pilot.jsonl")).unwrap();
    assert_eq!(pilot.lines().count(), 60);
    assert!(cluster.copymill(&["approve", &id]).success().stdout.contains("is running"));
    cluster.copymill(&["approve", &id]).fails(64, &["can be approved"]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    cluster.copymill(&["results", &id, "-o", "all.jsonl"]).success();
    let all = std::fs::read_to_string(cluster.place.path("all.jsonl")).unwrap();
    assert!(all.starts_with(&pilot), "what the pilot wrote is final");
}

#[test]
fn a_pilot_that_is_sent_back_ends_and_another_campaign_is_in_its_place() {
    let campaign = EMAIL.replace("variants: 2", "variants: 1\npilot: 10");
    let cluster = Cluster::new(&campaign, recipients(40));
    let (first, _worker) = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for(&id, "awaiting_approval", PATIENCE);
    // Who waits for people waits through restarts.
    first.stop(PATIENCE);
    let _second = cluster.scheduler();
    cluster.place.edit_campaign("pilot: 10", "attempts: 2");
    let other = cluster.copymill(&["submit", "campaign.yaml", "--replaces", &id]).success();
    cluster.wait_for(&id, "cancelled", PATIENCE);
    cluster.verify(&id, 10);
    cluster.wait_for(other.stdout.trim(), "completed", PATIENCE);
    cluster.verify(other.stdout.trim(), 40);
}

/// Lets a model fail at one tier, and another one try again what was rejected.
fn is_tried_again(campaign: &str) {
    let cluster = Cluster::new(campaign, recipients(120));
    let _scheduler = cluster.scheduler();
    let start = |script: &[(&str, &str)]| cluster.start("scripted-worker", "waiting for chunks", script);
    let weak = start(&[("SCRIPT_EMPTY_AT", "gold")]);
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    let outcomes = || {
        let lines = cluster.results(&id);
        lines.iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = cluster.results(&id);
    assert_eq!(outcomes().iter().filter(|outcome| *outcome == "rejected").count(), 80, "a third has gold");
    weak.stop(PATIENCE);
    let _strong = start(&[]);
    assert!(cluster.copymill(&["retry-rejected", &id]).success().stdout.starts_with("80 messages"));
    wait_until("nothing is rejected any more", PATIENCE, || cluster.messages_with(&id, "generated") == 240);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    assert!(outcomes().iter().all(|outcome| outcome == "generated"));
    for (before, after) in before.iter().zip(cluster.results(&id)) {
        let was_rejected = before["outcome"] == "rejected";
        assert_eq!(was_rejected, *before != after, "what was taken stays as it is");
        assert_eq!(after["attempt"], if was_rejected { 4 } else { 1 }, "attempts are counted on");
    }
    cluster.copymill(&["retry-rejected", &id]).fails(64, &["nothing", "was rejected"]);
}

#[test]
fn rejected_messages_are_tried_again_and_the_others_stay_as_they_are() {
    is_tried_again(EMAIL);
}

#[test]
fn rejected_segments_are_tried_again_and_their_recipients_get_the_new_copy() {
    let segmented = "  merge: [first_name]\n  segment_by: [last_category, tier]";
    is_tried_again(&EMAIL.replace("  merge: [first_name]", segmented));
}

#[test]
fn an_idempotency_key_is_for_one_campaign() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let submit = ["submit", "campaign.yaml", "--idempotency-key", "spring-2026"];
    let first = cluster.copymill(&submit).success();
    let again = cluster.copymill(&submit).success();
    assert_eq!(first.stdout, again.stdout);
    assert!(again.stderr.contains("submitted before"), "{}", again.stderr);
    cluster.place.edit_campaign("variants: 2", "variants: 1");
    cluster.copymill(&submit).fails(64, &["another campaign", first.stdout.trim()]);
    // Without a scheduler it waits; with one it is generated once.
    let _programs = (cluster.scheduler(), cluster.worker());
    cluster.wait_for(first.stdout.trim(), "completed", PATIENCE);
    cluster.verify(first.stdout.trim(), 40);
    assert_eq!(cluster.copymill(&["list"]).success().stdout.matches("spring").count(), 1);
}

#[test]
fn messages_that_are_no_jobs_go_to_the_dead_letters_and_stop_nobody() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let _programs = (cluster.scheduler(), cluster.worker());
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    let queue = cluster.job_queue();
    let jobs = queue.as_str();
    cluster.block_on(async {
        let url = cluster.broker().to_owned();
        let broker = RabbitBroker::connect(&BrokerSettings { url, ..Default::default() }).await.unwrap();
        for queue in [jobs, EVENTS_QUEUE, CONTROL_QUEUE] {
            broker.publish(queue, b"\xff is no \x1b[2J JSON".as_slice().into()).await.unwrap();
        }
        // As a later program would send them to later programs.
        let (campaign, root) = (id.parse::<CampaignId>().unwrap(), format!("campaigns/{id}/"));
        let (kind, chunk) = (ChunkKind::Messages, ChunkId::whole(0));
        let order = Order { v: 2, campaign: campaign.clone(), action: Action::Cancel };
        let job = ChunkJob { v: 2, campaign, root, kind, chunk, suspect: false, generation: 1, again: None };
        let event = Event::Returned { job: job.clone() };
        let later = [
            (jobs, serde_json::to_vec(&job)),
            (EVENTS_QUEUE, serde_json::to_vec(&event)),
            (CONTROL_QUEUE, serde_json::to_vec(&order)),
        ];
        for (queue, body) in later {
            broker.publish(queue, body.unwrap().into()).await.unwrap();
        }
        broker.close().await;
    });
    wait_until("all are dead letters", PATIENCE, || {
        let listed = cluster.copymill(&["dead-letters", "list"]).success().stdout;
        let later = ["chunk job", "event", "order"].map(|what| format!("this {what} has version 2"));
        let unreadable = ["no chunk job", "no event", "no order"];
        unreadable.iter().all(|reason| listed.contains(reason))
            && later.iter().all(|reason| listed.contains(reason))
    });
    let mut listed = String::new();
    wait_until("all six are listed", PATIENCE, || {
        listed = cluster.copymill(&["dead-letters", "list"]).success().stdout;
        listed.lines().count() == 6
    });
    let unreadable = listed.lines().find(|line| line.contains("no order")).unwrap();
    let number = unreadable.split_whitespace().next().unwrap();
    let shown = cluster.copymill(&["dead-letters", "show", number]).success().stdout;
    assert_eq!(shown, "\u{fffd} is no \u{fffd}[2J JSON\n", "a terminal obeys nothing of it");
    let sent = cluster.copymill(&["dead-letters", "requeue", number]).success().stdout;
    assert_eq!(sent, format!("sent to {CONTROL_QUEUE} again\n"));
    wait_until("it is a dead letter again", PATIENCE, || {
        let again = cluster.copymill(&["dead-letters", "list"]).success().stdout;
        again.lines().count() == listed.lines().count() && again.contains("no order")
    });
    cluster.copymill(&["dead-letters", "show", "99"]).fails(64, &["there are 6 dead letters"]);
    let second = cluster.submit();
    cluster.wait_for(&second, "completed", PATIENCE);
    cluster.verify(&second, 40);
}
