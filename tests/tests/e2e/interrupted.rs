//! Runs that end early: what was written stays, and the same command goes on.

use copymill_tests::{Workplace, messages};
use rustix::process::Signal;

use crate::campaigns::{EMAIL, recipients};

fn some_output(place: &Workplace) -> bool {
    std::fs::read_dir(place.path("out/output")).is_ok_and(|mut entries| entries.next().is_some())
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
fn ctrl_c_drains_and_the_same_command_continues() {
    // More than what is in hand when the first output is there.
    let place = Workplace::new(EMAIL, recipients(120));
    let mut run = place.start(&["run", "campaign.yaml"]);
    run.wait_until("its first output", || some_output(&place));
    run.signal(Signal::INT);
    let ended = run.finish();
    assert!(ended.stderr.contains("continue"), "it says how to go on:\n{}", ended.stderr);
    completes(&place, 120);
}

#[test]
fn a_second_ctrl_c_aborts_and_nothing_is_damaged() {
    let place = Workplace::new(EMAIL, recipients(60));
    let mut run = place.start(&["run", "campaign.yaml"]);
    run.wait_until("its first output", || some_output(&place));
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    run.finish();
    completes(&place, 60);
}

#[test]
fn two_processes_never_work_in_one_folder() {
    let place = Workplace::new(EMAIL, recipients(60));
    let mut first = place.start(&["run", "campaign.yaml"]);
    first.wait_until("its first output", || some_output(&place));
    first.signal(Signal::STOP);
    // A frozen holder cannot be told from a dead one on another host: after ten seconds the lease passes on.
    // A holder that renews keeps it.
    first.signal(Signal::CONT);
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
