//! Recipients are in the store and nowhere else: not in a log, a metric or a trace, however much is logged.

use copymill_tests::servers::{Sink, wait_until};
use copymill_tests::{Admin, Cluster};
use serde_json::{Value, json};

use crate::campaign::{EMAIL, PATIENCE};
use crate::inline::{Producer, job};

/// Values that stand in no other text.
const VALUES: [&str; 4] = ["Quandrilla", "zyx-tents-zyx", "vip-tier-qqq", "id-secret-7731"];

fn recipients() -> String {
    let row = |n: usize| format!("{}-{n},{},{},{}\n", VALUES[3], VALUES[0], VALUES[1], VALUES[2]);
    let harmful = format!("{}-x,{}<script>,{},{}\n", VALUES[3], VALUES[0], VALUES[1], VALUES[2]);
    let wide = format!("{}-y,{},{},{},too,many\n", VALUES[3], VALUES[0], VALUES[1], VALUES[2]);
    let rows: String = (0..20).map(row).collect();
    format!("id,first_name,last_category,tier\n{rows}{harmful}{wide}{}", row(3))
}

/// Uploads the recipients, submits what cannot be accepted, and asks for what is not there.
fn ask_over_http(url: &str) {
    let uploaded = ureq::post(&format!("{url}/v1/audiences")).send_string(&recipients()).unwrap();
    let uploaded: Value = serde_json::from_str(&uploaded.into_string().unwrap()).unwrap();
    let campaign = EMAIL.replace("recipients.csv", uploaded["source"].as_str().unwrap());
    let unknown = campaign.replace("last_category, tier", &format!("last_category, {}", VALUES[2]));
    for body in [campaign.as_str(), unknown.as_str(), VALUES[0]] {
        // Accepted or refused, it is said without what was sent.
        drop(ureq::post(&format!("{url}/v1/campaigns")).send_string(body));
    }
    drop(ureq::get(&format!("{url}/v1/recipients/{}", VALUES[0])).call());
    drop(ureq::get(&format!("{url}/v1/campaigns/{}", VALUES[3])).call());
}

/// Sends a job that is done and one that is refused.
fn send_inline(cluster: &Cluster) {
    let row =
        json!({ "id": VALUES[3], "first_name": VALUES[0], "last_category": VALUES[1], "tier": VALUES[2] });
    let mut producer = Producer::new(cluster);
    for (id, body) in
        [("done", job(json!([row])).to_string()), ("refused", format!("{{\"{}\": 1}}", VALUES[1]))]
    {
        producer.ask(&format!("{id}-{}", VALUES[3]), body);
    }
}

#[test]
fn no_value_of_a_recipient_is_in_a_log_a_metric_or_a_trace() {
    let cluster =
        Cluster::new(&EMAIL.replace("merge: [first_name]", "merge: [first_name, id]"), recipients());
    let traces = Sink::start();
    let url = traces.url();
    let admins = [Admin::default(), Admin::default()];
    let environment = |which: usize| {
        [
            ("COPYMILL_SCHEDULER__HTTP", "127.0.0.1:0"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("COPYMILL_LOG", "trace,lapin=info,amq_protocol=info,aws=info,hyper=info,h2=info,rustls=info"),
            admins[which].setting(),
        ]
    };
    let scheduler = cluster.start("copymill-scheduler", "standing by", &environment(0));
    let worker = cluster.start("copymill-worker", "waiting for chunks", &environment(1));
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    ask_over_http(&scheduler.http_url());
    send_inline(&cluster);
    // The trace of a chunk goes from the scheduler through the broker to the worker's calls of the store.
    for name in [
        "copymill-scheduler",
        "copymill-worker",
        "publish",
        "chunk",
        "store.key",
        "inline_job",
        "request",
        id.as_str(),
    ] {
        wait_until(&format!("a trace holds {name}"), PATIENCE, || traces.got(name));
    }
    let metrics = admins.each_ref().map(|admin| admin.asked("/metrics").1);
    assert!(metrics[1].contains("copymill_worker_messages_total{kind=\"social_post\",outcome=\"invalid\"} "));
    assert!(!metrics.iter().any(|text| text.contains(&id)), "a campaign is in no metric");
    for value in VALUES {
        assert!(!scheduler.log().contains(value) && !worker.log().contains(value), "{value} is in a log");
        assert!(!metrics.iter().any(|text| text.contains(value)), "{value} is in a metric");
        assert!(!traces.got(value), "{value} is in a trace");
    }
    for log in [scheduler.log(), worker.log()] {
        let followed = format!("campaign.id={id} chunk.id=00000");
        assert!(log.contains(&followed), "a chunk can be followed by its id:\n{log}");
    }
}
