//! A large audience through RabbitMQ and S3, with answers from a script: how fast, and in how much memory.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::inputs::{EMAIL_ANSWER, POST_ANSWER, merged, own, write_recipients};
use super::machine::{QueueWatch, cpu_seconds, peak_resident_bytes};
use super::store::{Waiting, open, wait};
use super::{count, line, note, title};
use crate::local_cluster::{Crew, Place, Started};
use crate::{Running, program};

const MIB: u64 = 1 << 20;
/// What is promised.
const SCHEDULER_BYTES: u64 = 512 * MIB;
const WORKER_BYTES: u64 = 300 * MIB;
const WINDOW: u64 = 256;
/// What is promised of a million rows that are merged with copy.
const RECIPIENTS_PER_S: f64 = 10_000.0;
/// The script's tokens are bytes, and its post has 107 of them.
const POST_TOKENS: u32 = 120;
/// The scheduler's own default; the script writes them in a moment.
const CHUNK_TOKENS: &str = "60000";
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The queue's statistics may count a message that was just acknowledged beside the one that took its place.
const COUNTED_LATE: u64 = 16;

/// Send a large audience through RabbitMQ and S3, with answers from a script
#[derive(clap::Args)]
pub struct Throughput {
    /// Recipients
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    recipients: u64,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Gives every row an answer of its own instead of one a segment
    #[arg(long)]
    own: bool,
}

impl Throughput {
    /// Measures, prints, and fails where a promise is broken.
    pub async fn execute(self) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let place = Place::new(folder.path().join("cluster"))?;
        let (campaign, answer) =
            if self.own { (own("bench-own", 1, POST_TOKENS), POST_ANSWER) } else { (merged(), EMAIL_ANSWER) };
        note(format_args!("writing {} recipients and starting the cluster", count(self.recipients)));
        write_recipients(&folder.path().join("recipients.csv"), self.recipients)?;
        fs::write(folder.path().join("campaign.yaml"), campaign)?;
        let environment = [
            ("SCRIPT_ANSWER", answer),
            ("SCRIPT_SLOTS", "64"),
            ("COPYMILL_SCHEDULER__CHUNK_TOKENS", CHUNK_TOKENS),
        ];
        let crew = Crew { worker: "scripted-worker", workers: self.workers, environment: &environment };
        let cluster = place.start(&crew)?;
        let store = open(&place, &cluster).await?;
        let before = cpu(&cluster)?;
        let (begun, queues) = (Instant::now(), QueueWatch::begin(&cluster.broker));
        let mut submit = Command::new(program("copymill"));
        submit.current_dir(folder.path()).args(["submit", "campaign.yaml"]);
        submit.env("COPYMILL_CONFIG", place.settings());
        let id = Running::spawn(submit).finish().success().stdout;
        let id = id.trim().parse().map_err(anyhow::Error::msg)?;
        let submitted_s = begun.elapsed().as_secs_f64();
        let state = wait(store.as_ref(), &id, &Waiting { every: LOOK_EVERY, says: true }).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let (most_jobs, looks) = queues.end();
        let generated = state.totals.outcomes.generated;
        ensure!(generated == self.recipients, "{generated} messages passed: the numbers do not count");

        let kind = if self.own {
            "posts, one generated a row"
        } else {
            "e-mails with HTML and text, merged from segments"
        };
        title(format_args!("{} {kind}, {} worker(s), RabbitMQ, S3", count(self.recipients), self.workers));
        line("submitting", format_args!("{submitted_s:.1} s"));
        line("until the campaign is completed", format_args!("{seconds:.1} s"));
        line("recipients/s", count((self.recipients as f64 / seconds) as u64));
        line("most jobs on the broker", format_args!("{most_jobs} (window {WINDOW}; {looks} looks)"));
        let is_fast = self.recipients as f64 / seconds >= RECIPIENTS_PER_S;
        // A broker that was never seen to hold any was not watched.
        let mut kept = is_fast && (1..=WINDOW + COUNTED_LATE).contains(&most_jobs);
        for ((name, pid), before) in processes(&cluster).into_iter().zip(before) {
            let (peak, cpu) = (peak_resident_bytes(pid)?, cpu_seconds(pid)? - before);
            line(&name, format_args!("{:>4} MiB at most, {cpu:.1} s of CPU time", peak / MIB));
            kept &= match name.as_str() {
                "scheduler" => peak <= SCHEDULER_BYTES,
                name if name.starts_with("worker") => peak <= WORKER_BYTES,
                _ => true,
            };
        }
        cluster.stop();
        if kept { Ok(()) } else { bail!("a promise of speed, memory or window was broken") }
    }
}

fn processes(cluster: &Started) -> Vec<(String, i32)> {
    let programs = cluster.programs.iter().map(|(name, program)| (name.clone(), program.pid()));
    programs.chain(cluster.server_pids()).collect()
}

fn cpu(cluster: &Started) -> anyhow::Result<Vec<f64>> {
    processes(cluster).into_iter().map(|(_, pid)| cpu_seconds(pid)).collect()
}
