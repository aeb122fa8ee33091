//! Campaigns of one model share its workers: by weight, and by deadline.

use copymill_tests::servers::wait_until;
use copymill_tests::{Admin, Cluster, Program};

use crate::campaign::{EMAIL, PATIENCE, recipients};

const ROWS: usize = 600;

/// A scheduler that publishes few chunks of two rows at once, so that shares show soon.
fn scheduler(cluster: &Cluster, admin: &Admin) -> Program {
    let small = [("COPYMILL_SCHEDULER__WINDOW", "4"), ("COPYMILL_SCHEDULER__CHUNK_TOKENS", "560")];
    cluster.start("copymill-scheduler", "leading", &[small[0], small[1], admin.setting()])
}

/// Two campaigns that differ in one line, planned before any worker is there.
fn two_campaigns(lines: [&str; 2]) -> (Cluster, Admin, Program, [String; 2]) {
    let cluster = Cluster::new(&EMAIL.replace("variants: 2", "variants: 2\nweight: 1"), recipients(ROWS));
    let mut before = "weight: 1";
    let ids = lines.map(|line| {
        cluster.place.edit_campaign(before, line);
        before = line;
        cluster.submit()
    });
    let admin = Admin::default();
    let scheduler = scheduler(&cluster, &admin);
    ids.iter().for_each(|id| cluster.wait_for(id, "running", PATIENCE));
    (cluster, admin, scheduler, ids)
}

#[test]
fn campaigns_share_the_workers_by_their_weights() {
    let (cluster, _admin, _scheduler, [light, heavy]) = two_campaigns(["weight: 2", "weight: 6"]);
    let _worker = cluster.scripted_worker(60, &[]);
    cluster.wait_for_messages(&heavy, 300, PATIENCE);
    let share = cluster.messages_of(&heavy) as f64 / cluster.messages_of(&light) as f64;
    assert!((2.4..3.8).contains(&share), "three times the weight, {share} times the messages");
    cluster.wait_for(&light, "completed", PATIENCE);
    [light, heavy].iter().for_each(|id| cluster.verify(id, 2 * ROWS));
}

#[test]
fn a_campaign_that_would_be_late_is_forecast_so_and_gets_more_than_its_share() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(45);
    let deadline = format!("weight: 1\ndeadline: \"{soon}\"");
    let (cluster, admin, _scheduler, [urgent, other]) = two_campaigns([&deadline, "weight: 1"]);
    let _worker = cluster.scripted_worker(100, &[]);
    let of_model = |series: &str| admin.metric(&format!("copymill_scheduler_{series}{{model=\"demo\"}}"));
    wait_until("the campaign is forecast to be late", PATIENCE, || of_model("late_campaigns") == Some(1.0));
    assert!(of_model("deadline_margin_seconds").is_some_and(|margin| margin < 0.0));
    assert!(of_model("wanted_workers").is_some_and(|workers| workers > 1.0));
    cluster.wait_for_messages(&urgent, 900, PATIENCE);
    let share = cluster.messages_of(&urgent) as f64 / cluster.messages_of(&other) as f64;
    assert!(share > 1.5, "{share} times the messages of one that has time");
    cluster.wait_for(&other, "completed", PATIENCE);
    assert_eq!(of_model("late_campaigns"), Some(0.0), "nothing is late any more");
    [urgent, other].iter().for_each(|id| cluster.verify(id, 2 * ROWS));
}
