//! What the system says about processes, and the broker about its queues.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::servers::RabbitMq;

/// Units of CPU time in `/proc`: 100 a second on every Linux that Rust runs on (`USER_HZ`).
const TICKS_PER_S: f64 = 100.0;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The most memory that a process had resident, in bytes, as the kernel counted it.
pub(super) fn peak_resident_bytes(pid: i32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("a process ended early")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("/proc names no peak")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().context("a peak is a number")?;
    Ok(kibibytes * 1024)
}

/// Seconds of CPU time that a process took so far.
pub(super) fn cpu_seconds(pid: i32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process ended early")?;
    // The name in brackets may hold spaces; user and system time are the 12th and the 13th field after it.
    let (_, fields) = stat.rsplit_once(')').context("/proc names no times")?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = times.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_S)
}

/// Looks again and again at how many jobs the broker holds.
pub(super) struct QueueWatch {
    shared: Arc<Watched>,
    looking: JoinHandle<()>,
}

#[derive(Default)]
struct Watched {
    is_over: AtomicBool,
    most_jobs: AtomicU64,
    looks: AtomicU64,
}

impl QueueWatch {
    /// Begins to look at a broker, which must outlive the watch.
    pub(super) fn begin(broker: &RabbitMq) -> Self {
        let shared = Arc::new(Watched::default());
        let (watched, ask) = (Arc::clone(&shared), broker.asker());
        let looking = std::thread::spawn(move || {
            while !watched.is_over.load(Ordering::SeqCst) {
                if let Some(queues) = ask("/api/queues?columns=name,messages") {
                    watched.most_jobs.fetch_max(jobs(&queues), Ordering::SeqCst);
                    watched.looks.fetch_add(1, Ordering::SeqCst);
                }
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { shared, looking }
    }

    /// The most jobs that were seen, and how often was looked.
    pub(super) fn end(self) -> (u64, u64) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        drop(self.looking.join());
        (self.shared.most_jobs.load(Ordering::SeqCst), self.shared.looks.load(Ordering::SeqCst))
    }
}

/// Messages of all queues of jobs, those in workers' hands included.
fn jobs(queues: &str) -> u64 {
    let queues: Vec<serde_json::Value> = serde_json::from_str(queues).unwrap_or_default();
    let is_jobs = |queue: &&serde_json::Value| {
        queue["name"].as_str().is_some_and(|name| name.starts_with("copymill.jobs."))
    };
    queues.iter().filter(is_jobs).filter_map(|queue| queue["messages"].as_u64()).sum()
}
