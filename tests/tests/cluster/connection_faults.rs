//! Connections to the broker that break, stall, or lose the node at their other end.

use std::time::Duration;

use copymill_tests::servers::{Passage, Proxy, RabbitMq, wait_until};
use copymill_tests::{Cluster, Program};

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Scheduler and worker, each behind a proxy of its own, in the middle of a campaign.
fn survives(passage: Passage, time: Duration, fired: fn(&Proxy) -> u64) {
    let (node, url) = (RabbitMq::shared(), RabbitMq::shared().new_vhost());
    let cluster = Cluster::on(url.clone(), EMAIL, recipients(120));
    let proxies = [Proxy::before(node.port()), Proxy::before(node.port())];
    let urls = proxies.each_ref().map(|proxy| proxy.in_place_of(&url));
    let scheduler =
        cluster.start("copymill-scheduler", "standing by", &[("COPYMILL_BROKER__URL", urls[0].as_str())]);
    let worker = cluster.scripted_worker(400, &[("COPYMILL_BROKER__URL", urls[1].as_str())]);
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    let before = proxies.each_ref().map(Proxy::connections);
    Proxy::harm(&proxies.each_ref(), passage, time);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    for (proxy, before) in proxies.iter().zip(before) {
        assert!(fired(proxy) > 0, "the fault did not reach everybody");
        assert!(proxy.connections() > before, "everybody connected again");
    }
    assert!(scheduler.is_running() && worker.is_running(), "nobody needs to be started again");
}

#[test]
fn a_broker_that_cannot_be_reached_for_30_s_costs_time_and_nothing_else() {
    survives(Passage::Cut, Duration::from_secs(30), Proxy::refused);
}

#[test]
fn connections_that_stay_and_carry_nothing_for_60_s_are_given_up_and_opened_anew() {
    survives(Passage::Swallowing, Duration::from_secs(60), Proxy::swallowed_bytes);
}

#[test]
fn one_of_three_brokers_may_be_lost() {
    let mut nodes = RabbitMq::cluster();
    let cluster = Cluster::on(nodes[0].url(), EMAIL, recipients(120));
    let others = format!(r#"["127.0.0.1:{}", "127.0.0.1:{}"]"#, nodes[1].port(), nodes[2].port());
    let others = [("COPYMILL_BROKER__NODES", others.as_str())];
    let programs =
        [cluster.start("copymill-scheduler", "standing by", &others), cluster.scripted_worker(200, &others)];
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    let mut used = None;
    wait_until("a node says that a program is connected to it", PATIENCE, || {
        let connections = nodes[0].api("GET", "/api/connections?columns=node", None).unwrap_or_default();
        used = nodes.iter().position(|node| connections.contains(node.name()));
        used.is_some()
    });
    nodes[used.unwrap()].kill();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
    assert!(programs.iter().all(Program::is_running), "nobody needs to be started again");
    let moved = programs.iter().filter(|program| program.log().contains("connected to the broker again"));
    assert!(moved.count() > 0, "the node that was lost had connections");
}

#[test]
fn a_queue_that_exists_with_other_arguments_stops_programs_which_say_what_to_do() {
    let (node, url) = (RabbitMq::shared(), RabbitMq::shared().new_vhost());
    let cluster = Cluster::on(url.clone(), EMAIL, recipients(20));
    let vhost = url.rsplit('/').next().unwrap();
    let other = r#"{"durable":true,"arguments":{"x-queue-type":"classic"}}"#;
    node.api("PUT", &format!("/api/queues/{vhost}/copymill.dead"), Some(other)).unwrap();
    for name in ["copymill-scheduler", "scripted-worker"] {
        let says = ["'copymill.dead'", "x-queue-type", "rabbitmqctl delete_queue", "another vhost"];
        cluster.run(name, &[]).fails(1, &says);
    }
}

#[test]
fn a_models_queue_that_exists_with_other_arguments_holds_its_campaigns_until_it_is_gone_and_they_are_resumed()
{
    let cluster = Cluster::on(RabbitMq::shared().new_vhost(), EMAIL, recipients(20));
    let vhost = cluster.broker().rsplit('/').next().unwrap();
    // What the queue is called, somebody knows who had a worker before.
    let worker = cluster.scripted_worker(0, &[]);
    let queue = cluster.job_queue();
    worker.stop(PATIENCE);
    let path = format!("/api/queues/{vhost}/{queue}");
    let api = |method: &str, body: Option<&str>| RabbitMq::shared().api(method, &path, body).unwrap();
    api("DELETE", None);
    api("PUT", Some(r#"{"durable":true,"arguments":{"x-queue-type":"classic"}}"#));
    let scheduler = cluster.scheduler();
    let id = cluster.submit();
    cluster.wait_for(&id, "held", PATIENCE);
    let status = cluster.copymill(&["status", &id]).success().stdout;
    assert!(status.contains(&queue) && status.contains("rabbitmqctl delete_queue"), "{status}");
    cluster.run("scripted-worker", &[]).fails(1, &[&queue, "rabbitmqctl delete_queue"]);
    api("DELETE", None);
    cluster.copymill(&["resume", &id]).success();
    let _worker = cluster.scripted_worker(0, &[]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
    assert!(scheduler.is_running());
}
