//! A cluster of its own for one test: scheduler and workers on a real RabbitMQ and an S3 server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use copymill_store::{S3Settings, Store, StoreSettings};
use rustix::process::Signal;

use crate::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::servers::{Guarded, RabbitMq, wait_until};
use crate::{Finished, Workplace, program};

const BUCKET: &str = "s3://bucket/some/prefix";
/// Programs start in about a second on a quiet machine.
const START: Duration = Duration::from_secs(60);

/// What a cluster's programs share, and the folder of a user who works with it.
pub struct Cluster {
    /// The user's folder, with `campaign.yaml` and `recipients.csv`.
    pub place: Workplace,
    /// The object store.
    pub s3: S3Server,
    broker: String,
    runtime: tokio::runtime::Runtime,
    started: std::cell::Cell<u32>,
}

/// A scheduler or a worker.
pub struct Program {
    process: Guarded,
    log: PathBuf,
}

impl Cluster {
    /// A cluster without programs yet, on a virtual host of the shared node.
    pub fn new(campaign: &str, recipients: impl AsRef<[u8]>) -> Self {
        Self::on(RabbitMq::shared().new_vhost(), campaign, recipients)
    }

    /// A cluster without programs yet, on a broker of the test's choice.
    pub fn on(broker: String, campaign: &str, recipients: impl AsRef<[u8]>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let s3 = runtime.block_on(S3Server::start(0)).expect("loopback has free ports");
        let place = Workplace::new(campaign, recipients);
        let credentials =
            format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
        place.write("credentials", credentials);
        Self { place, s3, broker, runtime, started: 0.into() }
    }

    /// Runs work of a test where the server runs.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The broker's URL.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// The queue of the only model that programs have asked for on this virtual host of the shared node.
    pub fn job_queue(&self) -> String {
        let vhost = self.broker.rsplit('/').next().unwrap_or_default();
        let mut found = None;
        wait_until("a program has declared its model's queue", START, || {
            let queues = RabbitMq::shared().api("GET", &format!("/api/queues/{vhost}?columns=name"), None);
            let queues = queues.unwrap_or_default();
            found = queues.split('"').find(|name| name.starts_with("copymill.jobs.")).map(str::to_owned);
            found.is_some()
        });
        found.unwrap_or_default()
    }

    /// The store that all programs use.
    pub fn store(&self) -> std::sync::Arc<dyn Store> {
        let settings = StoreSettings {
            url: BUCKET.into(),
            s3: S3Settings {
                endpoint: Some(self.s3.url()),
                path_style: true,
                region: Some("us-east-1".into()),
                credentials_file: Some(self.place.path("credentials")),
                ..S3Settings::default()
            },
            ..StoreSettings::default()
        };
        self.block_on(settings.open()).expect("an S3 store opens without asking")
    }

    /// The settings of all programs, as environment variables.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.place.path(name).display().to_string();
        vec![
            ("COPYMILL_STORE__URL", BUCKET.into()),
            ("COPYMILL_STORE__S3__ENDPOINT", self.s3.url()),
            ("COPYMILL_STORE__S3__PATH_STYLE", "true".into()),
            ("COPYMILL_STORE__S3__REGION", "us-east-1".into()),
            ("COPYMILL_STORE__S3__CREDENTIALS_FILE", path("credentials")),
            ("COPYMILL_BROKER__URL", self.broker.clone()),
            ("COPYMILL_WORKER__CACHE", path(".cache/copymill")),
            ("COPYMILL_SCHEDULER__SCRATCH", path("scratch")),
            // Chunks of seconds, as a CPU has.
            ("COPYMILL_SCHEDULER__CHUNK_TOKENS", "6000".into()),
            ("COPYMILL_SCHEDULER__CACHE", path(".cache/copymill")),
            // Schedulers of many tests run side by side.
            ("COPYMILL_SCHEDULER__HTTP", "none".into()),
        ]
    }

    /// Starts a scheduler.
    pub fn scheduler(&self) -> Program {
        self.start("copymill-scheduler", "standing by", &[])
    }

    /// Starts a worker.
    pub fn worker(&self) -> Program {
        self.start("copymill-worker", "waiting for chunks", &[])
    }

    /// Starts a worker whose answers come from a script: light, and as slow as `delay_ms` says.
    pub fn scripted_worker(&self, delay_ms: u32, environment: &[(&str, &str)]) -> Program {
        let delay = delay_ms.to_string();
        let script = [("SCRIPT_SLOTS", "4"), ("SCRIPT_DELAY_MS", delay.as_str())];
        self.start("scripted-worker", "waiting for chunks", &[&script, environment].concat())
    }

    /// Runs a program that is expected to end by itself.
    pub fn run(&self, name: &str, environment: &[(&str, &str)]) -> Finished {
        let mut command = Command::new(program(name));
        command
            .current_dir(self.place.path(""))
            .env_remove("COPYMILL_LOG")
            .stdin(std::process::Stdio::null());
        command.envs(self.environment()).envs(environment.iter().copied());
        crate::Running::spawn(command).finish()
    }

    /// Starts a program with more in its environment, and waits until it says something.
    pub fn start(&self, name: &str, says: &str, environment: &[(&str, &str)]) -> Program {
        let number = self.started.get();
        self.started.set(number + 1);
        let log = self.place.path(&format!("{name}-{number}.log"));
        let mut command = Command::new(program(name));
        command.current_dir(self.place.path("")).env("OMP_THREAD_LIMIT", "1").env_remove("COPYMILL_LOG");
        command.envs(self.environment()).envs(environment.iter().copied());
        let program = Program { process: Guarded::spawn_logging(&command, &log), log };
        wait_until(&format!("{name} says {says:?}"), START, || {
            program.log().contains(says) || !program.is_running()
        });
        // A job that waits may end a worker right after it said so.
        assert!(program.log().contains(says), "{name} ended before it said {says:?}:\n{}", program.log());
        program
    }

    /// Runs the command line to its end.
    pub fn copymill(&self, arguments: &[&str]) -> Finished {
        let mut command = self.place.command(arguments);
        command.envs(self.environment());
        crate::Running::spawn(command).finish()
    }

    /// Submits the campaign; its id.
    pub fn submit(&self) -> String {
        self.copymill(&["submit", "campaign.yaml"]).success().stdout.trim().to_owned()
    }

    /// Waits until a campaign is in a state.
    pub fn wait_for(&self, id: &str, state: &str, patience: Duration) {
        let said = || self.copymill(&["status", id]).success().stdout;
        wait_until(&format!("{id} is {state}"), patience, || {
            said().lines().any(|line| line.split_whitespace().eq(["state", state]))
        });
    }

    /// Waits until so many messages of a campaign have an outcome.
    pub fn wait_for_messages(&self, id: &str, messages: u64, patience: Duration) {
        wait_until(&format!("{id} has {messages} messages"), patience, || self.messages_of(id) >= messages);
    }

    /// How many messages of a campaign have an outcome.
    pub fn messages_of(&self, id: &str) -> u64 {
        self.outcomes(id).values().filter_map(serde_json::Value::as_u64).sum()
    }

    /// How many messages of a campaign have one outcome.
    pub fn messages_with(&self, id: &str, outcome: &str) -> u64 {
        self.outcomes(id)[outcome].as_u64().expect("counts are numbers")
    }

    fn outcomes(&self, id: &str) -> serde_json::Map<String, serde_json::Value> {
        let said = self.copymill(&["status", id, "--json"]).success().stdout;
        let status: serde_json::Value = serde_json::from_str(&said).expect("a line of JSON");
        status["outcomes"].as_object().expect("outcomes are an object").clone()
    }

    /// The lines that a campaign's results are, with the recipients' columns.
    pub fn results(&self, id: &str) -> Vec<serde_json::Value> {
        let number = self.started.get();
        self.started.set(number + 1);
        let file = format!("results-{number}.jsonl");
        self.copymill(&["results", id, "--join", "-o", &file]).success();
        let text = fs::read_to_string(self.place.path(&file)).expect("the command wrote it");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Proves a campaign from its objects alone, and that it has an outcome for each of so many messages.
    #[track_caller]
    pub fn verify(&self, id: &str, messages: usize) {
        let verified = self.copymill(&["verify", id]).success();
        assert!(verified.stdout.contains(&format!("{messages} messages")), "{}", verified.stdout);
    }
}

impl Program {
    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it logs.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Where a scheduler serves HTTP that was told to on a free port.
    pub fn http_url(&self) -> String {
        const SAYS: &str = "serving HTTP address=";
        self.wait_for(SAYS, START);
        let log = self.log();
        let address = log.split(SAYS).nth(1).and_then(|rest| rest.split_whitespace().next());
        format!("http://{}", address.expect("it names the address"))
    }

    /// Waits until it logs something.
    pub fn wait_for(&self, text: &str, patience: Duration) {
        wait_until(&format!("a program logs {text:?}"), patience, || self.log().contains(text));
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(self) {
        self.signal(Signal::KILL);
        wait_until("a program ends after SIGKILL", START, || !self.is_running());
    }

    /// Asks it to stop and waits until it did.
    pub fn stop(self, patience: Duration) -> String {
        self.signal(Signal::TERM);
        wait_until("a program ends after SIGTERM", patience, || !self.is_running());
        self.log()
    }
}
