//! The process that starts a local cluster and holds it until it is told to stop, and the file that names it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::Context;
use rustix::process::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::crew::{Crew, Place};
use crate::program;

const CREW: Crew<'_> = Crew { worker: "copymill-worker", workers: 2, environment: &[] };

/// Starts the keeper in the background; its words go to a file.
pub(super) fn spawn(place: &Place) -> anyhow::Result<()> {
    let log = File::create(place.path("keeper.log")).context("the log cannot be written")?;
    let mut command = Command::new(program("local-cluster"));
    command.arg("keep").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // Ctrl-C in the terminal is not meant for it.
    command.process_group(0).spawn().context("the keeper cannot be started")?;
    Ok(())
}

/// Starts a cluster and holds it until this process is asked to stop.
pub async fn keep(place: Place) -> anyhow::Result<()> {
    note(&place)?;
    let mut asked = signal(SignalKind::terminate()).context("no signal can be waited for")?;
    let (cluster, place) = tokio::select! {
        started = tokio::task::spawn_blocking(move || (place.start(&CREW), place)) => {
            started.context("a server did not start")?
        }
        // What was started so far ends with this process.
        _ = asked.recv() => std::process::exit(0),
    };
    let cluster = cluster?;
    let page = format!("http://127.0.0.1:{}", cluster.broker.management_port());
    fs::write(place.path("management-url"), page).context("an address cannot be written")?;
    asked.recv().await;
    // Nobody shall begin to work with a cluster that is being stopped.
    let _ = fs::remove_file(place.settings());
    tokio::task::spawn_blocking(move || cluster.stop()).await.context("a program did not stop")?;
    forget(&place);
    Ok(())
}

/// The process that holds the cluster of a place, if it runs.
pub(super) fn keeper_of(place: &Place) -> Option<Pid> {
    let noted = fs::read_to_string(place.path("keeper")).ok()?;
    let (pid, since) = noted.trim().split_once(' ')?;
    let pid = pid.parse().ok()?;
    (started_at(pid)? == since).then(|| Pid::from_raw(pid))?
}

/// Removes what names a keeper. What is left behind is recognised as such the next time.
pub(super) fn forget(place: &Place) {
    for path in [place.settings(), place.path("keeper")] {
        let _ = fs::remove_file(path);
    }
}

fn note(place: &Place) -> anyhow::Result<()> {
    let pid = std::process::id().cast_signed();
    let since = started_at(pid).context("/proc does not know this process")?;
    fs::write(place.path("keeper"), format!("{pid} {since}\n")).context("the keeper cannot be noted")
}

/// When a process was started, in ticks since the system was; none where it does not run.
fn started_at(pid: i32) -> Option<String> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        stat => stat.ok()?,
    };
    // The name in brackets may hold spaces; state and start are the 1st and the 20th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}
