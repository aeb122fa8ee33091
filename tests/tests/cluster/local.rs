//! `make cluster`: a cluster on this machine, with everything that it says.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use copymill_tests::servers::wait_until;
use copymill_tests::{Finished, Running, Workplace, program};

use crate::campaign::{EMAIL, recipients};

/// A process that was killed is gone within this.
const GONE: Duration = Duration::from_secs(20);

/// Runs a command in the folder where the cluster is.
fn run(place: &Workplace, mut command: Command) -> Finished {
    Running::spawn({
        command.current_dir(place.path("")).env("NO_COLOR", "1").env_remove("COPYMILL_LOG");
        command
    })
    .finish()
}

fn cluster(place: &Workplace, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program("local-cluster"));
    command.args(arguments);
    run(place, command).success()
}

/// Process ids of everything that was started in a folder.
fn processes(place: &Workplace) -> Vec<String> {
    let folder = place.path(".cluster").display().to_string();
    let is_ours = |process: &fs::DirEntry| {
        let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        let shown = [read("cmdline"), read("environ")].concat();
        String::from_utf8_lossy(&shown).contains(&folder)
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter(is_ours).map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_local_cluster_runs_a_campaign_says_where_to_look_and_leaves_nothing_running() {
    let place = Workplace::new(EMAIL, recipients(20));
    symlink(program("copymill"), place.path("copymill")).unwrap();
    cluster(&place, &["down"]);
    let first = cluster(&place, &["up", "campaign.yaml"]).stdout;
    let commands: Vec<&str> =
        first.lines().filter_map(|line| line.strip_prefix("  COPYMILL_CONFIG=")).collect();
    assert_eq!(commands.len(), 3, "{first}");
    for command in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("COPYMILL_CONFIG={command}")]);
        run(&place, shell).success();
    }
    assert_eq!(fs::read_to_string(place.path(".cluster/results.jsonl")).unwrap().lines().count(), 40);
    let before = processes(&place);
    let again = cluster(&place, &["up", "campaign.yaml"]).stdout;
    assert!(again.contains("the cluster runs already"), "{again}");
    assert_eq!(processes(&place), before, "nothing was started twice");
    cluster(&place, &["down"]);
    cluster(&place, &["down"]);
    // What holds the name service ends it a moment after it has ended itself.
    wait_until("nothing is left running", GONE, || processes(&place).is_empty());

    // What it kept is there when it stands again.
    cluster(&place, &["up", "campaign.yaml"]);
    let mut list = Command::new(program("copymill"));
    list.arg("list").env("COPYMILL_CONFIG", place.path(".cluster/copymill.yaml"));
    assert_eq!(run(&place, list).success().stdout.matches("spring").count(), 3);
    cluster(&place, &["down"]);
}
