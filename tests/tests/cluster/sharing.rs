//! Campaigns of one model share its workers: by weight, and by deadline.

use std::time::Instant;

use copymill_tests::servers::wait_until;
use copymill_tests::{Admin, Cluster, Program};
use serde_json::Value;

use crate::campaign::{EMAIL, PATIENCE, recipients};

const ROWS: usize = 600;

/// A scheduler that publishes few chunks of two rows at once, so that shares show soon.
fn scheduler(cluster: &Cluster, admin: &Admin) -> Program {
    let small = [("COPYMILL_SCHEDULER__WINDOW", "4"), ("COPYMILL_SCHEDULER__CHUNK_TOKENS", "560")];
    cluster.start("copymill-scheduler", "leading", &[small[0], small[1], admin.setting()])
}

/// A cluster for campaigns with a weight of 1.
fn cluster() -> Cluster {
    Cluster::new(&EMAIL.replace("variants: 2", "variants: 2\nweight: 1"), recipients(ROWS))
}

/// Two campaigns that differ in one line, planned before any worker is there.
fn two_campaigns(cluster: &Cluster, lines: [&str; 2]) -> (Admin, Program, [String; 2]) {
    let mut before = "weight: 1";
    let ids = lines.map(|line| {
        cluster.place.edit_campaign(before, line);
        before = line;
        cluster.submit()
    });
    let admin = Admin::default();
    let scheduler = scheduler(cluster, &admin);
    ids.iter().for_each(|id| cluster.wait_for(id, "running", PATIENCE));
    (admin, scheduler, ids)
}

/// How many of the first messages of two campaigns each of them has.
fn first_messages(cluster: &Cluster, ids: &[String; 2], count: usize) -> [usize; 2] {
    let of = |which: usize| {
        let lines = cluster.results(&ids[which]);
        let at = move |line: Value| (line["generated_at"].as_str().unwrap().to_owned(), which);
        lines.into_iter().map(at)
    };
    let mut messages: Vec<(String, usize)> = of(0).chain(of(1)).collect();
    messages.sort_unstable();
    messages[..count].iter().fold([0, 0], |mut counts, (_, which)| {
        counts[*which] += 1;
        counts
    })
}

#[test]
fn campaigns_share_the_workers_by_their_weights() {
    let cluster = cluster();
    let (_admin, _scheduler, ids) = two_campaigns(&cluster, ["weight: 2", "weight: 6"]);
    let _worker = cluster.scripted_worker(60, &[]);
    ids.iter().for_each(|id| cluster.wait_for(id, "completed", PATIENCE));
    ids.iter().for_each(|id| cluster.verify(id, 2 * ROWS));
    // While both have work.
    let [light, heavy] = first_messages(&cluster, &ids, ROWS);
    let share = heavy as f64 / light as f64;
    assert!((2.4..3.8).contains(&share), "three times the weight, {share} times the messages");
}

#[test]
fn slots_stay_full_over_the_ends_of_chunks_and_over_campaigns() {
    let cluster = cluster();
    // Chunks of twenty rows, and no more of them published than keep the slots full.
    let chunks = [("COPYMILL_SCHEDULER__CHUNK_TOKENS", "5600"), ("COPYMILL_SCHEDULER__WINDOW", "6")];
    let _scheduler = cluster.start("copymill-scheduler", "leading", &chunks);
    let admin = Admin::default();
    let _worker = cluster.scripted_worker(200, &[admin.setting(), ("SCRIPT_SLOTS", "16")]);
    let first = cluster.submit();
    cluster.place.edit_campaign("seed: 7", "seed: 8");
    let ids = [first, cluster.submit()];
    ids.iter().for_each(|id| cluster.wait_for_messages(id, 100, PATIENCE));

    // Seconds in which slots were in use, as if all of them always were.
    let used = || admin.metric("copymill_worker_decode_seconds_total").unwrap_or_default();
    let (begun, used_before) = (Instant::now(), used());
    wait_until("some seconds of work are done", PATIENCE, || used() > used_before + 5.0);
    let share = (used() - used_before) / begun.elapsed().as_secs_f64();
    assert!(share > 0.9, "{share} of the slots were in use");

    ids.iter().for_each(|id| cluster.wait_for(id, "completed", PATIENCE));
    ids.iter().for_each(|id| cluster.verify(id, 2 * ROWS));
    let messages = first_messages(&cluster, &ids, 2 * ROWS);
    assert!(messages.iter().all(|messages| *messages > ROWS / 2), "both had their share of it: {messages:?}");
}

#[test]
fn a_campaign_that_would_be_late_is_forecast_so_and_gets_more_than_its_share() {
    let cluster = cluster();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(50);
    let deadline = format!("weight: 1\ndeadline: \"{soon}\"");
    let (admin, _scheduler, ids) = two_campaigns(&cluster, [&deadline, "weight: 1"]);
    let _worker = cluster.scripted_worker(100, &[]);
    let of_model = |series: &str| admin.metric(&format!("copymill_scheduler_{series}{{model=\"demo\"}}"));
    wait_until("the campaign is forecast to be late", PATIENCE, || of_model("late_campaigns") == Some(1.0));
    let is_there = |series, is_it: fn(f64) -> bool| {
        wait_until(series, PATIENCE, || of_model(series).is_some_and(is_it));
    };
    is_there("deadline_margin_seconds", |margin| margin < 0.0);
    is_there("wanted_workers", |workers| workers > 1.0);
    ids.iter().for_each(|id| cluster.wait_for(id, "completed", PATIENCE));
    is_there("late_campaigns", |campaigns| campaigns == 0.0);
    ids.iter().for_each(|id| cluster.verify(id, 2 * ROWS));
    // Until the urgent one is nearly done.
    let [urgent, other] = first_messages(&cluster, &ids, 2 * ROWS);
    let share = urgent as f64 / other as f64;
    assert!(share > 1.5, "{share} times the messages of one that has time");
}
