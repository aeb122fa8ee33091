//! A cluster on this machine, for trying things out: RabbitMQ, an S3 server, a scheduler and two workers.
//!
//! One process, the keeper, starts and holds all of them: where it ends, for whatever reason, they end. It goes on in the
//! background; a file names it, by process id and start time, so that nothing else is ever stopped in its place.

mod crew;
mod keeper;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Signal, kill_process};

pub use crew::{Crew, Place, Started};
pub use keeper::keep;

use crate::program;
use keeper::{forget, keeper_of};

/// Everything it writes is in this folder below the current one.
const FOLDER: &str = ".cluster";
/// The keeper says first of all that it is there.
const NOTE: Duration = Duration::from_secs(10);
/// RabbitMQ takes some seconds, on a busy machine a minute.
const START: Duration = Duration::from_secs(180);
/// Workers finish or hand back what they hold.
const STOP: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The place of the cluster below the current folder.
pub fn here() -> anyhow::Result<Place> {
    Place::new(std::env::current_dir().context("the current folder is gone")?.join(FOLDER))
}

/// Starts a cluster unless it runs, hands it a campaign, and says where to look next.
pub fn up(place: &Place, campaign: &Path) -> anyhow::Result<()> {
    if keeper_of(place).is_some() {
        say(format_args!("the cluster runs already"));
    } else {
        forget(place);
        say(format_args!(
            "starting RabbitMQ, an S3 server, a scheduler and two workers; logs are in {FOLDER}/"
        ));
        keeper::spawn(place)?;
        holds_within(NOTE, || keeper_of(place).is_some());
    }
    wait_until_ready(place)?;
    let id = submit(place, campaign)?;
    say(format_args!("\nTry next:"));
    for command in
        [format!("status {id}"), format!("verify {id}"), format!("results {id} -o {FOLDER}/results.jsonl")]
    {
        say(format_args!("  COPYMILL_CONFIG={FOLDER}/copymill.yaml ./copymill {command}"));
    }
    let page = fs::read_to_string(place.path("management-url")).unwrap_or_default();
    say(format_args!(
        "\nRabbitMQ shows itself at {page} (guest, guest). Logs and objects are in {FOLDER}/; `make cluster-down` stops \
         everything and leaves them there."
    ));
    Ok(())
}

/// Stops the cluster, if it runs.
pub fn down(place: &Place) -> anyhow::Result<()> {
    let Some(pid) = keeper_of(place) else {
        forget(place);
        say(format_args!("no cluster runs here"));
        return Ok(());
    };
    kill_process(pid, Signal::TERM).context("the keeper cannot be asked to stop")?;
    if !holds_within(STOP, || keeper_of(place).is_none()) {
        // What it started ends with it.
        kill_process(pid, Signal::KILL).context("the keeper cannot be killed")?;
    }
    forget(place);
    say(format_args!("the cluster is stopped"));
    Ok(())
}

fn wait_until_ready(place: &Place) -> anyhow::Result<()> {
    let in_time = holds_within(START, || place.settings().exists() || keeper_of(place).is_none());
    if in_time && keeper_of(place).is_some() {
        return Ok(());
    }
    let log = fs::read_to_string(place.path("keeper.log")).unwrap_or_default();
    down(place)?;
    bail!("the cluster did not start: {}\nmore is in {FOLDER}/*.log", log.trim())
}

/// Hands over a campaign, shows its progress to the end, and returns its id.
fn submit(place: &Place, campaign: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(program("copymill"));
    command.arg("submit").arg(campaign).arg("--watch").env("COPYMILL_CONFIG", place.settings());
    let mut child = command.stdout(Stdio::piped()).spawn().context("copymill cannot be started")?;
    let output = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
    let mut id = None;
    for line in output.lines() {
        let line = line.context("copymill's output cannot be read")?;
        say(format_args!("{line}"));
        id.get_or_insert(line);
    }
    if !child.wait().context("copymill cannot be waited for")?.success() {
        bail!("the campaign did not complete; the cluster runs on");
    }
    id.context("copymill named no campaign")
}

fn holds_within(time: Duration, holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > time {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

#[expect(clippy::print_stdout, reason = "this is what people read")]
fn say(text: std::fmt::Arguments<'_>) {
    println!("{text}");
}
