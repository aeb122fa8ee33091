//! A new version takes the place of an old one while a campaign runs: nothing is lost, doubled, or held up.

use std::time::Duration;

use copymill_tests::servers::{Proxy, RabbitMq, wait_until};
use copymill_tests::{Cluster, Program};

use crate::campaign::{EMAIL, PATIENCE, recipients};

const ROWS: usize = 600;
/// Few and small chunks at once, so that jobs of the old scheduler are soon used up.
const SMALL: [(&str, &str); 2] =
    [("COPYMILL_SCHEDULER__WINDOW", "3"), ("COPYMILL_SCHEDULER__CHUNK_TOKENS", "1680")];
/// Messages come at some 20 a second; a gap of this length would be a stop.
const GAP: Duration = Duration::from_secs(10);

/// The longest time without a message, by the clocks of the workers that wrote them.
fn longest_gap(lines: &[serde_json::Value]) -> Duration {
    let at =
        |line: &serde_json::Value| line["generated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let mut moments: Vec<jiff::Timestamp> = lines.iter().map(at).collect();
    moments.sort_unstable();
    let gaps = moments.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    gaps.max().unwrap().unsigned_abs()
}

#[test]
fn workers_and_scheduler_are_replaced_one_by_one_by_a_later_version_while_a_campaign_runs() {
    let cluster = Cluster::new(EMAIL, recipients(ROWS));
    let proxy = Proxy::before(RabbitMq::shared().port());
    proxy.speak_as_a_later_version();
    let through = proxy.in_place_of(cluster.broker());
    let slow = [("SCRIPT_SLOTS", "4"), ("SCRIPT_DELAY_MS", "400"), ("COPYMILL_WORKER__GRACE_S", "60")];
    let later = [slow[0], slow[1], slow[2], ("COPYMILL_BROKER__URL", through.as_str())];
    let start =
        |environment: &[(&str, &str)]| cluster.start("scripted-worker", "waiting for chunks", environment);
    let scheduler = cluster.start("copymill-scheduler", "standing by", &SMALL);
    let [first, second] = [start(&slow), start(&slow)];
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    let replaced = |worker: Program| {
        let new = start(&later);
        let log = worker.stop(PATIENCE);
        assert!(log.contains("scripted-worker ends"), "it ends in order:\n{log}");
        let before = cluster.messages_of(&id);
        cluster.wait_for_messages(&id, before + 20, PATIENCE);
        new
    };
    // The old scheduler understands what a new worker reports.
    let _first = replaced(first);
    // A new one reads what the old one stored, and an old worker understands its jobs.
    let next = [SMALL[0], SMALL[1], ("COPYMILL_BROKER__URL", through.as_str())];
    let next = cluster.start("copymill-scheduler", "standing by", &next);
    let log = scheduler.stop(PATIENCE);
    assert!(log.contains("no longer leading"), "{log}");
    next.wait_for("leading a campaign", PATIENCE);
    let begun = || second.log().matches("a chunk is begun").count();
    let enough = begun() + 4;
    wait_until("the old worker has jobs of the new scheduler", PATIENCE, || begun() >= enough);
    let _second = replaced(second);
    assert!(cluster.messages_of(&id) < 2 * ROWS as u64, "the campaign still runs");
    cluster.wait_for(&id, "completed", PATIENCE);
    assert!(proxy.extended() > 20, "{} messages had a field more", proxy.extended());
    cluster.verify(&id, 2 * ROWS);
    let lines = cluster.results(&id);
    assert_eq!(lines.len(), 2 * ROWS);
    let gap = longest_gap(&lines);
    assert!(gap < GAP, "no message for {gap:?}");
    let dead = cluster.copymill(&["dead-letters", "list"]).success().stdout;
    assert_eq!(dead, "", "no message was refused");
}

#[test]
fn jobs_of_a_format_that_a_worker_does_not_know_are_refused_by_name_and_wait_for_one_that_does() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let proxy = Proxy::before(RabbitMq::shared().port());
    proxy.use_another_format_of_jobs();
    let through = [("COPYMILL_BROKER__URL", proxy.in_place_of(cluster.broker()))];
    let later: Vec<(&str, &str)> = through.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let _scheduler = cluster.start("copymill-scheduler", "standing by", &[&SMALL, later.as_slice()].concat());
    let old = cluster.scripted_worker(0, &[]);
    let id = cluster.submit();
    let dead = || cluster.copymill(&["dead-letters", "list"]).success().stdout;
    wait_until("the old worker refuses jobs", PATIENCE, || dead().lines().count() > 3);
    assert!(dead().contains("version 2"), "{}", dead());
    assert_eq!(cluster.messages_of(&id), 0);
    // The old one goes on to take jobs, and to refuse them.
    let _new = cluster.scripted_worker(0, &later);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    assert!(old.is_running(), "{}", old.log());
}
