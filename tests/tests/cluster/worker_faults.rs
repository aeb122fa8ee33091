//! Workers that die lose nothing, whatever they were doing.

use std::time::{Duration, Instant};

use copymill_tests::s3::S3Fault;
use copymill_tests::servers::{Passage, Proxy, RabbitMq, wait_until};
use copymill_tests::{Admin, Cluster, Program, Running, program};
use hyper::Method;
use rustix::process::Signal;

use crate::campaign::{EMAIL, PATIENCE, recipients};

/// Longer than any test: the worker is killed while it waits.
const FOREVER: Duration = Duration::from_secs(600);
/// A chunk of a killed worker is running elsewhere within this.
const ELSEWHERE: Duration = Duration::from_secs(15);
/// One of a worker whose machine is gone: RabbitMQ looks once a heartbeat, which is 5 s, and gives a connection up at its
/// second look without a byte, 10 to 15 s after the last one.
const ELSEWHERE_UNHEARD: Duration = Duration::from_secs(17);
/// Longer than a worker may be silent.
const LONG_ANSWER_MS: u32 = 40_000;
/// What a worker says that begins with a chunk.
const BEGUN: &str = "a chunk is begun";
/// Chunks of 90 rows, at 6,000 tokens a chunk.
const CHUNKS: usize = 5;

/// Kills a worker while a call to the store waits; another finishes the campaign.
fn killed_at(method: Method, path_part: &str, fault: S3Fault) {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _scheduler = cluster.scheduler();
    let placed = cluster.s3.fail(method, path_part, fault, 1);
    let victim = cluster.worker();
    let id = cluster.submit();
    wait_until("the worker waits for the store", PATIENCE, || placed.fired() == 1);
    victim.kill();
    let _other = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

#[test]
fn a_worker_killed_while_it_takes_a_chunk_loses_nothing() {
    killed_at(Method::GET, "/input/", S3Fault::Hang(FOREVER));
}

#[test]
fn a_worker_killed_before_its_output_is_stored_loses_nothing() {
    killed_at(Method::PUT, "/output/", S3Fault::Hang(FOREVER));
}

#[test]
fn a_worker_killed_after_its_output_is_stored_duplicates_nothing() {
    killed_at(Method::PUT, "/output/", S3Fault::HangAfterEffect(FOREVER));
}

#[test]
fn a_worker_killed_between_its_report_and_its_acknowledgement_duplicates_nothing() {
    let url = RabbitMq::shared().new_vhost();
    let cluster = Cluster::on(url.clone(), EMAIL, recipients(60));
    let _scheduler = cluster.scheduler();
    let proxy = Proxy::before(RabbitMq::shared().port());
    proxy.swallow_what_follows(r#""event":"done""#);
    let through = proxy.in_place_of(&url);
    let environment = [("COPYMILL_BROKER__URL", through.as_str()), ("COPYMILL_WORKER__CHUNKS_IN_HAND", "1")];
    let victim = cluster.scripted_worker(0, &environment);
    let id = cluster.submit();
    // It acknowledges once the broker confirmed its report; the acknowledgement never arrives.
    wait_until("the worker acknowledges its first chunk", PATIENCE, || proxy.swallowed_acks() == 1);
    cluster.wait_for_messages(&id, 1, PATIENCE);
    victim.kill();
    let _other = cluster.scripted_worker(0, &[]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

/// A worker that has every chunk in its hands is lost; another, which had nothing to do, soon begins one of them.
fn run_elsewhere(loss: &str, through: Option<&Proxy>, cluster: &Cluster, lose: impl FnOnce(Program)) {
    let _scheduler = cluster.scheduler();
    let broker = through.map_or(cluster.broker().to_owned(), |proxy| proxy.in_place_of(cluster.broker()));
    let greedy = [
        ("COPYMILL_BROKER__URL", broker.as_str()),
        ("COPYMILL_WORKER__CHUNKS_IN_HAND", "64"),
        ("SCRIPT_SLOTS", "512"),
        ("SCRIPT_DELAY_MS", "600000"),
    ];
    let victim = cluster.start("scripted-worker", "waiting for chunks", &greedy);
    let id = cluster.submit();
    wait_until("the worker has all chunks in its hands", PATIENCE, || {
        victim.log().matches(BEGUN).count() == CHUNKS
    });
    let admin = Admin::default();
    let other = cluster.scripted_worker(0, &[admin.setting()]);
    assert!(!other.log().contains(BEGUN), "nothing is left for it");
    let lost = Instant::now();
    lose(victim);
    other.wait_for(BEGUN, if through.is_some() { ELSEWHERE_UNHEARD } else { ELSEWHERE });
    eprintln!("{loss}: running elsewhere after {:.1} s", lost.elapsed().as_secs_f64());
    cluster.wait_for(&id, "completed", PATIENCE);
    assert_eq!(admin.metric("copymill_worker_redeliveries_total"), Some(CHUNKS as f64));
    cluster.verify(&id, 180);
}

#[test]
fn the_chunks_of_a_worker_that_is_killed_run_elsewhere_within_15_s() {
    run_elsewhere("a worker was killed", None, &Cluster::new(EMAIL, recipients(90)), Program::kill);
}

#[test]
fn the_chunks_of_a_worker_whose_machine_is_gone_run_elsewhere_within_17_s() {
    let url = RabbitMq::shared().new_vhost();
    let proxy = Proxy::before(RabbitMq::shared().port());
    let cluster = Cluster::on(url, EMAIL, recipients(90));
    run_elsewhere("a worker's machine was gone", Some(&proxy), &cluster, |victim| {
        proxy.set(Passage::Swallowing);
        victim.signal(Signal::STOP);
    });
}

#[test]
fn the_chunks_of_a_worker_that_stands_still_are_published_again() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let admin = Admin::default();
    let scheduler = cluster.start("copymill-scheduler", "standing by", &[admin.setting()]);
    // One chunk at a time, and for longer than a heartbeat may be late.
    let slow = [("COPYMILL_WORKER__CHUNKS_IN_HAND", "1"), ("SCRIPT_DELAY_MS", "600000")];
    let mute = Proxy::before(RabbitMq::shared().port());
    let through = mute.in_place_of(cluster.broker());
    let environment = [slow[0], slow[1], ("COPYMILL_BROKER__URL", through.as_str())];
    let still = cluster.start("scripted-worker", "waiting for chunks", &environment);
    let id = cluster.submit();
    still.wait_for(BEGUN, PATIENCE);
    mute.swallow_what_follows("copymill.heartbeats");
    scheduler.wait_for("the worker of a chunk fell silent", PATIENCE);
    let _other = cluster.scripted_worker(0, &[]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
    let republished =
        |reason| admin.metric(&format!("copymill_scheduler_republished_chunks_total{{reason=\"{reason}\"}}"));
    assert_eq!((republished("silent"), republished("lost")), (Some(1.0), Some(0.0)));
}

#[test]
fn a_worker_that_decodes_for_long_is_heard_of_all_the_while() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let scheduler = cluster.scheduler();
    let worker = cluster.scripted_worker(LONG_ANSWER_MS, &[("SCRIPT_SLOTS", "64")]);
    let id = cluster.submit();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
    assert_eq!(worker.log().matches(BEGUN).count(), 1, "nobody took its chunk for lost:\n{}", worker.log());
    assert!(!scheduler.log().contains("fell silent"), "{}", scheduler.log());
}

#[test]
fn a_worker_asked_to_stop_finishes_what_fits_into_its_grace() {
    let cluster = Cluster::new(EMAIL, recipients(20));
    let _scheduler = cluster.scheduler();
    let leaving =
        cluster.scripted_worker(3_000, &[("SCRIPT_SLOTS", "64"), ("COPYMILL_WORKER__GRACE_S", "60")]);
    let id = cluster.submit();
    leaving.wait_for(BEGUN, PATIENCE);
    let log = leaving.stop(PATIENCE);
    assert!(log.contains("chunk.result=\"done\"") && !log.contains("returned"), "{log}");
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 40);
}

#[test]
fn a_worker_asked_to_stop_takes_nothing_more_and_nothing_comes_back_from_it_under_suspicion() {
    let cluster = Cluster::new(EMAIL, recipients(90));
    let (of_scheduler, admin) = (Admin::default(), Admin::default());
    let _scheduler = cluster.start("copymill-scheduler", "leading", &[of_scheduler.setting()]);
    let id = cluster.submit();
    let published = || of_scheduler.metric("copymill_scheduler_chunks{state=\"published\"}");
    wait_until("all chunks are published", PATIENCE, || published() == Some(CHUNKS as f64));
    let leaving = cluster.scripted_worker(500, &[("COPYMILL_WORKER__GRACE_S", "60")]);
    leaving.wait_for(BEGUN, PATIENCE);
    leaving.signal(Signal::TERM);
    leaving.wait_for("asked to stop", PATIENCE);
    // What it has done makes room for another chunk, which the broker would hand it.
    leaving.wait_for("a chunk is ended", PATIENCE);
    let other = cluster.scripted_worker(0, &[admin.setting()]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 180);
    let redeliveries = admin.metric("copymill_worker_redeliveries_total");
    assert_eq!(redeliveries, Some(0.0), "{}\n{}", leaving.log(), other.log());
    wait_until("the worker has ended", PATIENCE, || !leaving.is_running());
    let log = leaving.log();
    let since = log.split("asked to stop").nth(1).unwrap();
    assert!(!since.contains(BEGUN), "{log}");
}

#[test]
fn a_worker_asked_twice_to_stop_ends_at_once_and_its_chunks_run_elsewhere() {
    let cluster = Cluster::new(EMAIL, recipients(60));
    let _scheduler = cluster.scheduler();
    let leaving = cluster.scripted_worker(LONG_ANSWER_MS, &[("COPYMILL_WORKER__GRACE_S", "600")]);
    let id = cluster.submit();
    leaving.wait_for(BEGUN, PATIENCE);
    leaving.signal(Signal::TERM);
    leaving.wait_for("asked to stop", PATIENCE);
    let log = leaving.stop(Duration::from_secs(10));
    assert!(log.contains("asked to stop again: what is in hand is dropped"), "{log}");
    let _other = cluster.scripted_worker(0, &[]);
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 120);
}

#[test]
fn a_worker_asked_to_stop_hands_back_what_does_not_fit_into_its_grace_and_exits_well() {
    let cluster = Cluster::new(EMAIL, recipients(120));
    let _scheduler = cluster.scheduler();
    let mut command = std::process::Command::new(program("copymill-worker"));
    command.envs(cluster.environment()).env("OMP_THREAD_LIMIT", "1").env("COPYMILL_WORKER__GRACE_S", "0");
    let mut leaving = Running::spawn(command);
    leaving.wait_for("waiting for chunks");
    let id = cluster.submit();
    cluster.wait_for_messages(&id, 40, PATIENCE);
    leaving.signal(Signal::TERM);
    leaving.finish().success();
    let _other = cluster.worker();
    cluster.wait_for(&id, "completed", PATIENCE);
    cluster.verify(&id, 240);
}
