//! Every expression of dashboards, rules and scaling triggers has data in a Prometheus that scrapes programs at work.

use std::process::Command;
use std::time::{Duration, Instant};

use copymill_tests::servers::{Prometheus, RabbitMq, page, wait_until};
use copymill_tests::{Admin, Cluster, Running, repository};
use serde_json::Value;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Rates need some scrapes, and the sums of the cost dashboard half a minute.
const SCRAPED: Duration = Duration::from_secs(180);

/// Panels that show a share of something.
const SHARES: [&str; 4] = ["Prefix reuse", "Occupancy", "KV cells used", "overview.json: Rejected"];

/// What a Python program of the repository prints, as JSON.
fn printed(arguments: &[&str]) -> Value {
    let mut command = Command::new(repository().join(".venv/bin/python"));
    command.current_dir(repository()).args(arguments);
    let printed = Running::spawn(command).finish().success().stdout;
    serde_json::from_str(&printed).unwrap()
}

/// Scrapes as in a cluster, where discovery adds the namespace.
fn configuration(schedulers: [u16; 2], workers: [u16; 2], rabbitmq: u16, dcgm: u16) -> String {
    let job = |name: &str, more: &str, ports: &[u16]| {
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!(
            "  - job_name: {name}\n{more}    static_configs: [{{ targets: [{}], labels: {{ namespace: prod }} }}]\n",
            targets.join(", ")
        )
    };
    let queues = "    metrics_path: /metrics/detailed\n    params: { family: [queue_coarse_metrics, queue_metrics] }\n";
    [
        "global: { scrape_interval: 1s, evaluation_interval: 5s }\nrule_files: [rules/*.yml]\nscrape_configs:\n",
        &job("copymill-scheduler", "", &schedulers),
        &job("copymill-worker", "", &workers),
        &job("rabbitmq", "", &[rabbitmq]),
        &job("rabbitmq-queues", queues, &[rabbitmq]),
        &job("dcgm", "", &[dcgm]),
    ]
    .concat()
}

/// Whether a sample says anything: a quantile of nothing and a share of nothing do not.
fn is_number(sample: &Value) -> bool {
    sample["value"][1].as_str().is_some_and(|value| value != "NaN")
}

#[test]
fn every_expression_of_dashboards_rules_and_triggers_has_data() {
    let node = RabbitMq::start();
    let cluster = Cluster::on(node.new_vhost(), EMAIL, recipients(400));
    let admins = [(); 4].map(|()| Admin::default());
    let (ports, admin) = (admins.each_ref().map(Admin::port), |which: usize| admins[which].setting());
    let dcgm = std::fs::read_to_string(repository().join("deploy/prometheus/tests/dcgm.prom")).unwrap();
    let scrapes = configuration([ports[0], ports[1]], [ports[2], ports[3]], node.metrics_port(), page(dcgm));
    let _schedulers = [0, 1].map(|which| cluster.start("copymill-scheduler", "standing by", &[admin(which)]));
    let _worker = cluster.start("copymill-worker", "waiting for chunks", &[admin(2)]);
    let slow = [admin(3), ("SCRIPT_DELAY_MS", "500"), ("SCRIPT_SLOTS", "4")];
    let _scripted = cluster.start("scripted-worker", "waiting for chunks", &slow);
    let prometheus = Prometheus::start(&scrapes, &repository().join("deploy/prometheus/rules"));
    let id = cluster.submit();

    let mut expressions: Vec<(String, String)> = Vec::new();
    for found in printed(&["deploy/prometheus/expressions.py", "prod", "demo"]).as_array().unwrap() {
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        expressions.push((text("where"), text("expr")));
    }
    let triggers = printed(&["helm/tests/triggers.py"]);
    for query in triggers["prometheus"].as_array().unwrap() {
        expressions.push(("scaling trigger".into(), query.as_str().unwrap().to_owned()));
    }
    assert!(expressions.len() > 100, "{}", expressions.len());
    let shares: Vec<(String, String)> = expressions
        .iter()
        .filter(|(place, _)| SHARES.iter().any(|share| place.contains(share)))
        .cloned()
        .collect();
    assert!(shares.len() >= SHARES.len(), "{shares:?}");
    let mut open = expressions;
    let begun = Instant::now();
    while !open.is_empty() && begun.elapsed() < SCRAPED {
        open.retain(|(place, expression)| match prometheus.query(expression) {
            Ok(data) => !data.iter().any(is_number),
            Err(refused) => panic!("{place}: {expression}: {refused}\n{}", prometheus.log()),
        });
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(open.is_empty(), "without data: {open:#?}");

    for (place, expression) in shares {
        for found in prometheus.query(&expression).unwrap() {
            let share: f64 = found["value"][1].as_str().unwrap().parse().unwrap();
            assert!((0.0..=1.0).contains(&share) || share.is_nan(), "{place} is {share}: {expression}");
        }
    }

    // The queue's length, ready and unacknowledged, is what the second trigger reads.
    let vhost = cluster.broker().rsplit('/').next().unwrap();
    for queue in triggers["rabbitmq"].as_array().unwrap() {
        let path = format!("/api/queues/{vhost}/{}", queue.as_str().unwrap());
        wait_until("the management API knows the queue's length", PATIENCE, || {
            let found =
                node.api("GET", &path, None).and_then(|body| serde_json::from_str::<Value>(&body).ok());
            found.is_some_and(|queue| queue["messages"].is_u64() && queue["messages_unacknowledged"].is_u64())
        });
    }
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 800);
    let done = || {
        let sum = "sum(copymill_scheduler_messages_total)";
        let data = prometheus.query(sum).unwrap();
        data.first().and_then(|sum| sum["value"][1].as_str().map(str::to_owned))
    };
    wait_until("every message was counted once", PATIENCE, || done().as_deref() == Some("800"));
}
