//! Runs that end early: what was written stays, and the same command goes on.

use std::time::{Duration, Instant};

use copymill_tests::{Workplace, messages};
use rustix::process::Signal;

use crate::campaigns::{EMAIL, recipients};

fn outputs(place: &Workplace) -> usize {
    std::fs::read_dir(place.path("out/output")).map_or(0, Iterator::count)
}

fn some_output(place: &Workplace) -> bool {
    outputs(place) > 0
}

fn completes(place: &Workplace, rows: usize) {
    place.copymill(&["run", "campaign.yaml"]).success();
    assert_eq!(messages(&place.path("out")).len(), rows * 2);
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_killed_run_goes_on_where_it_stopped() {
    let place = Workplace::new(EMAIL, recipients(60));
    let mut run = place.start(&["run", "campaign.yaml"]);
    run.wait_until("its first output", || some_output(&place));
    run.signal(Signal::KILL);
    assert_eq!(run.finish().code, None);
    let first = std::fs::read(place.path("out/output/00000.jsonl.zst")).ok();
    completes(&place, 60);
    if let Some(first) = first {
        assert_eq!(
            std::fs::read(place.path("out/output/00000.jsonl.zst")).unwrap(),
            first,
            "an object was written twice"
        );
    }
}

#[test]
fn ctrl_c_finishes_what_is_in_hand_within_30_s_and_the_same_command_continues() {
    // More than what is in hand when the first output is there.
    let place = Workplace::new(EMAIL, recipients(120));
    let mut run = place.start(&["run", "campaign.yaml"]);
    run.wait_until("its first output", || some_output(&place));
    let (before, asked) = (outputs(&place), Instant::now());
    run.signal(Signal::INT);
    let ended = run.finish().fails(130, &["stopping: what is in hand is finished first", "to continue:"]);
    assert!(asked.elapsed() < Duration::from_secs(30), "it took {:?}", asked.elapsed());
    assert!(outputs(&place) > before, "what was in hand was not finished:\n{}", ended.stderr);
    let input = |place: &Workplace| std::fs::read_dir(place.path("out/input")).map_or(0, Iterator::count);
    assert!(outputs(&place) < input(&place), "it stopped before the end");
    completes(&place, 120);
}

#[test]
fn a_second_ctrl_c_aborts_and_nothing_is_damaged() {
    let place = Workplace::new(EMAIL, recipients(60));
    let mut run = place.start(&["run", "campaign.yaml"]);
    run.wait_until("its first output", || some_output(&place));
    run.signal(Signal::INT);
    run.wait_for("stopping: what is in hand is finished first");
    let (before, asked) = (outputs(&place), Instant::now());
    run.signal(Signal::TERM);
    assert_eq!(run.finish().code, Some(130));
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    assert!(outputs(&place) <= before + 1, "what was in hand is dropped");
    completes(&place, 60);
}

#[test]
fn two_processes_never_work_in_one_folder() {
    let place = Workplace::new(EMAIL, recipients(60));
    let mut first = place.start(&["run", "campaign.yaml"]);
    first.wait_until("its first output", || some_output(&place));
    place.copymill(&["run", "campaign.yaml"]).fails(1, &["in use by process"]);
    first.finish().success();
    place.copymill(&["verify", "out/"]).success();
}

#[test]
fn a_full_disk_loses_nothing_and_says_so() {
    let place = Workplace::new(EMAIL, recipients(30));
    let script = "ulimit -f 8; trap '' XFSZ; exec \"$0\" run campaign.yaml";
    let mut command = std::process::Command::new("bash");
    // The model's cache is filled first: the limit is for the output.
    place.copymill(&["models", "demo"]).success();
    command
        .arg("-c")
        .arg(script)
        .arg(copymill_tests::program("copymill"))
        .current_dir(place.path(""))
        .env("XDG_CACHE_HOME", place.path(".cache"));
    copymill_tests::Running::spawn(command).finish().fails(1, &["no space is left"]);
    completes(&place, 30);
}
