//! What programs say about themselves: alive unless only a restart helps, ready while they can work.

use std::time::Duration;

use copymill_tests::s3::S3Fault;
use copymill_tests::servers::{RabbitMq, wait_until};
use copymill_tests::{Admin, Cluster};
use hyper::Method;
use rustix::process::Signal;

use crate::campaign::{EMAIL, PATIENCE, recipients};

#[test]
fn a_broker_that_is_down_makes_programs_unready_and_restarts_none_of_them() {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.new_vhost(), EMAIL, recipients(60));
    let admins = [Admin::default(), Admin::default()];
    let scheduler = cluster.start("copymill-scheduler", "leading", &[admins[0].setting()]);
    let worker = cluster.start("scripted-worker", "waiting for chunks", &[admins[1].setting()]);
    for admin in &admins {
        wait_until("both are ready", PATIENCE, || admin.status("/readyz") == 200);
    }
    node.stop();
    for admin in &admins {
        wait_until("neither is ready", PATIENCE, || admin.status("/readyz") == 503);
        assert_eq!(admin.asked("/readyz").1, "there is no connection to the broker\n");
        assert_eq!(admin.status("/healthz"), 200, "no restart would help");
    }
    node.start_again();
    for admin in &admins {
        wait_until("both are ready again", PATIENCE, || admin.status("/readyz") == 200);
        let metrics = admin.asked("/metrics").1;
        assert!(metrics.contains("_broker_connected 1\n"), "{metrics}");
    }
    assert!(scheduler.is_running() && worker.is_running());
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

#[test]
fn a_store_that_gives_no_answer_makes_programs_unready_and_not_dead() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let admin = Admin::default();
    let standby = cluster.scheduler();
    standby.wait_for("leading", PATIENCE);
    let _worker = cluster.start("scripted-worker", "waiting for chunks", &[admin.setting()]);
    wait_until("it is ready", PATIENCE, || admin.status("/readyz") == 200);
    let placed = cluster.s3.fail(Method::HEAD, "/leader.json", S3Fault::Hang(Duration::from_secs(600)), 1);
    assert_eq!(admin.asked("/readyz"), (503, "the store does not answer\n".into()));
    assert_eq!(placed.fired(), 1);
    assert_eq!(admin.status("/healthz"), 200);
}

#[test]
fn a_scheduler_that_stands_by_is_ready_and_a_process_that_hangs_gives_no_answer() {
    let cluster = Cluster::new("", "");
    let _leader = cluster.start("copymill-scheduler", "leading", &[]);
    let admin = Admin::default();
    let standby = cluster.start("copymill-scheduler", "standing by", &[admin.setting()]);
    wait_until("it is ready", PATIENCE, || admin.status("/readyz") == 200);
    assert_eq!(admin.metric("copymill_scheduler_leader"), Some(0.0), "leadership is not readiness");
    standby.signal(Signal::STOP);
    let url = format!("http://{}/healthz", admin.setting().1);
    let gives_up = || {
        let probe = ureq::get(&url).timeout(Duration::from_secs(2)).call();
        matches!(probe, Err(ureq::Error::Transport(_)))
    };
    wait_until("whoever asks gives up", PATIENCE, gives_up);
    standby.signal(Signal::CONT);
    assert_eq!((admin.status("/startz"), admin.status("/healthz")), (200, 200));
}

#[test]
fn the_admin_port_is_read_and_nothing_else() {
    let cluster = Cluster::new("", "");
    let admin = Admin::default();
    let _scheduler = cluster.start("copymill-scheduler", "standing by", &[admin.setting()]);
    let (status, page) = admin.asked("/");
    assert_eq!((status, page.as_str()), (404, "here are /startz, /healthz, /readyz and /metrics\n"));
    let posted = ureq::post(&format!("http://{}/metrics", admin.setting().1)).send_string("x");
    assert!(matches!(posted, Err(ureq::Error::Status(405, _))), "{posted:?}");
    let taken = cluster.run("copymill-scheduler", &[admin.setting()]);
    taken.fails(1, &["admin.address: 127.0.0.1:", "cannot be listened on; set another address, or `none`"]);
}

#[test]
fn programs_that_start_while_the_broker_is_away_wait_for_it_and_end_when_they_are_asked_to() {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.new_vhost(), EMAIL, recipients(40));
    node.stop();
    let away = "the broker cannot be reached; trying again";
    let scheduler = cluster.start("copymill-scheduler", away, &[]);
    let worker = cluster.start("scripted-worker", away, &[]);
    let third = cluster.start("scripted-worker", away, &[]);
    third.stop(Duration::from_secs(20));
    node.start_again();
    worker.wait_for("waiting for chunks", PATIENCE);
    scheduler.wait_for("leading", PATIENCE);
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 80);
}

#[test]
fn programs_with_work_in_hand_end_although_the_broker_is_away() {
    let mut node = RabbitMq::start();
    let cluster = Cluster::on(node.new_vhost(), EMAIL, recipients(400));
    let scheduler = cluster.scheduler();
    let slow = [("SCRIPT_DELAY_MS", "3600000"), ("COPYMILL_WORKER__GRACE_S", "2")];
    let start = || cluster.start("scripted-worker", "waiting for chunks", &slow);
    let (patient, hasty) = (start(), start());
    let id = cluster.submit();
    for worker in [&patient, &hasty] {
        worker.wait_for("a chunk is begun", PATIENCE);
    }
    node.stop();
    scheduler.wait_for("the broker cannot be reached", PATIENCE);
    // Once: after grace and a word to a broker that does not hear it.
    let said = patient.stop(Duration::from_secs(40));
    assert!(said.contains("the broker cannot be told what comes back"), "{said}");
    scheduler.stop(Duration::from_secs(40));
    // Twice: at once.
    hasty.signal(Signal::TERM);
    hasty.wait_for("asked to stop", PATIENCE);
    let said = hasty.stop(Duration::from_secs(10));
    assert!(said.contains("asked twice to stop"), "{said}");
    node.start_again();
    let _programs = (cluster.scheduler(), cluster.worker());
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 800);
}
