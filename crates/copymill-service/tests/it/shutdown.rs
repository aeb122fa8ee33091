//! Shutdown by code, by time, and by real signals to a process that this program starts from itself.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use copymill_service::Shutdown;
use rustix::process::{Pid, Signal, kill_process};

const MODE: &str = "SHUTDOWN_TEST_MODE";

#[test]
fn the_first_signal_drains_and_the_second_aborts() {
    for signals in [[Signal::INT, Signal::INT], [Signal::TERM, Signal::TERM], [Signal::TERM, Signal::INT]] {
        let mut process = Process::start("obeys");
        process.expect("ready");
        process.send(signals[0]);
        process.expect("draining");
        process.send(signals[1]);
        process.expect("aborting");
        assert!(process.wait().success(), "{signals:?}");
    }
}

#[test]
fn a_third_signal_ends_a_process_that_does_not_listen() {
    let mut process = Process::start("stuck");
    process.expect("ready");
    process.send(Signal::INT);
    process.expect("draining");
    process.send(Signal::INT);
    process.expect("aborting");
    process.send(Signal::INT);
    assert_eq!(process.wait().code(), Some(130));
}

#[tokio::test(start_paused = true)]
async fn draining_that_outlasts_its_grace_becomes_aborting() {
    let grace = Duration::from_secs(30);
    let shutdown = Shutdown::manual().with_grace(grace);
    let begun = tokio::time::Instant::now();
    shutdown.request_drain();
    shutdown.abort_requested().await;
    assert_eq!(begun.elapsed(), grace);
}

#[tokio::test]
async fn clones_share_one_shutdown_that_only_goes_forward() {
    let shutdown = Shutdown::manual();
    let waiting = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.drain_requested().await }
    });
    assert!(!shutdown.is_draining());
    shutdown.clone().request_abort();
    waiting.await.unwrap();
    shutdown.request_drain();
    assert!(shutdown.is_draining() && shutdown.is_aborting());
    shutdown.abort_requested().await;
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shutdown::the_process", "--nocapture"])
            .env(MODE, mode)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads until the process says this word; the test harness prints on the same stream.
    fn expect(&mut self, word: &str) {
        assert!(self.lines.by_ref().any(|line| line.unwrap() == word), "the process ended without {word}");
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

/// The body of the processes that the tests above start; alone it has nothing to do.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn the_process() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let shutdown = Shutdown::install().unwrap();
    println!("\nready");
    shutdown.drain_requested().await;
    assert!(shutdown.is_draining() && !shutdown.is_aborting());
    println!("draining");
    shutdown.abort_requested().await;
    println!("aborting");
    if mode == "stuck" {
        std::future::pending::<()>().await;
    }
}
