//! The servers and programs of a cluster on this machine, as processes that end with the one that started them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;

use crate::program;
use crate::s3::{ACCESS_KEY, SECRET_KEY};
use crate::servers::{Guarded, RabbitMq, free_port, wait_until};

const PATIENCE: Duration = Duration::from_secs(120);
/// Workers have this long for what they hold, then they hand it back.
const GRACE_S: u64 = 20;

/// Who works.
pub struct Crew<'a> {
    /// The program of the workers.
    pub worker: &'a str,
    /// How many of them.
    pub workers: usize,
    /// More in the environment of all programs.
    pub environment: &'a [(&'a str, &'a str)],
}

/// What was started; dropping it ends all of it at once.
pub struct Started {
    /// The programs with their names, the scheduler first.
    pub programs: Vec<(String, Guarded)>,
    /// The broker.
    pub broker: RabbitMq,
    /// URL of the S3 server.
    pub endpoint: String,
    store: Guarded,
}

/// Where a cluster keeps what it writes.
pub struct Place(PathBuf);

impl Place {
    /// A folder, which need not exist.
    pub fn new(folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The settings that all programs read; they are there while the cluster stands.
    pub fn settings(&self) -> PathBuf {
        self.path("copymill.yaml")
    }

    /// Starts RabbitMQ, an S3 server, a scheduler and workers; returns once all of them work.
    pub fn start(&self, crew: &Crew<'_>) -> anyhow::Result<Started> {
        let broker = RabbitMq::start_in(&self.path("rabbitmq"));
        let port = free_port();
        let mut store = Command::new(program("s3-server"));
        store.arg(port.to_string()).arg(self.path("objects"));
        let store = Guarded::spawn_logging(&store, &self.path("s3-server.log"));
        wait_until("the S3 server serves", PATIENCE, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let credentials =
            format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
        fs::write(self.path("credentials"), credentials).context("the credentials cannot be written")?;
        let (starting, endpoint) = (self.path("starting.yaml"), format!("http://127.0.0.1:{port}"));
        let settings = self.settings_of(crew, &broker.url(), &endpoint);
        fs::write(&starting, settings).context("the settings cannot be written")?;
        let mut programs = Vec::new();
        let mut launch = |name: &str, called: String, says: &str| {
            let started = self.launch((name, &called), &starting, crew.environment, says);
            programs.push((called, started));
        };
        launch("copymill-scheduler", "scheduler".into(), "standing by");
        for number in 1..=crew.workers {
            launch(crew.worker, format!("worker-{number}"), "waiting for chunks");
        }
        fs::rename(starting, self.settings()).context("the settings cannot be put in place")?;
        Ok(Started { programs, broker, endpoint, store })
    }

    /// Starts a program and waits until it works.
    fn launch(
        &self,
        (name, called): (&str, &str),
        settings: &Path,
        environment: &[(&str, &str)],
        says: &str,
    ) -> Guarded {
        let log = self.path(&format!("{called}.log"));
        let _earlier = fs::remove_file(&log);
        let mut command = Command::new(program(name));
        command.env("COPYMILL_CONFIG", settings).envs(environment.iter().copied());
        let started = Guarded::spawn_logging(&command, &log);
        wait_until(&format!("{called} works: see {}", log.display()), PATIENCE, || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert!(started.is_running(), "{called} ended: {}", said.trim());
            said.contains(says)
        });
        started
    }

    fn settings_of(&self, crew: &Crew<'_>, broker: &str, endpoint: &str) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "# Written when the cluster starts and gone when it stops.\n\
             store:\n  url: s3://copymill/campaigns\n  s3:\n    endpoint: {endpoint}\n    path_style: true\n    \
             region: us-east-1\n    credentials_file: {}\n\
             broker:\n  url: {broker}\n\
             scheduler:\n  scratch: {}\n  chunk_tokens: 6000\n  http: 127.0.0.1:{}\n\
             worker:\n  model: demo\n  cache: {}\n  grace_s: {GRACE_S}\n  engine:\n    threads: {}\n",
            path("credentials"),
            path("scratch"),
            free_port(),
            path("cache"),
            (cores / crew.workers.max(1)).max(1)
        )
    }
}

impl Started {
    /// The processes of the servers, with their names.
    pub fn server_pids(&self) -> Vec<(String, i32)> {
        let broker = self.broker.pid().map(|pid| ("RabbitMQ".to_owned(), pid));
        broker.into_iter().chain([("S3 server".to_owned(), self.store.pid())]).collect()
    }

    /// Lets everybody finish, the workers first, and the broker last.
    pub fn stop(mut self) {
        let programs = || self.programs.iter().map(|(_, program)| program);
        for program in programs().rev().filter(|program| program.is_running()) {
            program.signal(Signal::TERM);
        }
        wait_until("all programs ended", PATIENCE, || !programs().any(Guarded::is_running));
        self.broker.stop();
    }
}
