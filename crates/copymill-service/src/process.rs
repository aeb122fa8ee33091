//! What every long-running program does around its work: settings, logging, signals, an exit code that says how it ended.

use std::{process::ExitCode, time::Duration};

use clap::Command;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Shutdown, logging, settings, traces};

/// What is logged where nothing else is asked for.
const DEFAULT_LOG: &str = "info,llama-cpp-2=error,aws_config=warn,lapin=warn";

const SETTINGS: &str = "\
Settings come from the YAML file that COPYMILL_CONFIG names and from the environment, which counts more: \
`store.url` is COPYMILL_STORE__URL.

  COPYMILL_STORE__URL         where objects are kept: s3://bucket/prefix
  COPYMILL_STORE__S3__ENDPOINT, COPYMILL_STORE__S3__PATH_STYLE   for stores that are not AWS
  COPYMILL_BROKER__URL        amqp://user:password@host:5672/vhost, or amqps://…
  COPYMILL_LOG                what is logged, such as debug; info where it is not set
  COPYMILL_LOG_FORMAT         human or json
  COPYMILL_ADMIN__ADDRESS     where /startz, /healthz, /readyz and /metrics are served, such as 0.0.0.0:9090; none where it is not set
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go, such as http://collector:4318; nowhere where it is not set";

/// What a program says of itself with `--help`.
pub struct Program {
    /// The name of its binary.
    pub name: &'static str,
    /// A sentence.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Lines about settings of its own.
    pub settings: &'static str,
}

/// How long work goes on after it was told to drop everything, and threads after the work is over.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// Runs a program: reads its settings, logs, and works until it is done or asked to stop. Asked twice, it ends although
/// something is waited for, such as a broker that is away.
///
/// `COPYMILL_CONFIG` names the settings file, `COPYMILL_LOG` the filter, `COPYMILL_LOG_FORMAT` human or json.
pub fn run<S, W>(program: Program, work: impl FnOnce(S, Shutdown) -> W) -> ExitCode
where
    S: Default + Serialize + DeserializeOwned,
    W: Future<Output = anyhow::Result<()>>,
{
    let command = Command::new(program.name).about(program.about).version(program.version);
    command.after_help(format!("{SETTINGS}\n{}", program.settings)).get_matches();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{}: no threads can be started: {error}", program.name);
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(try_run(&program, work));
    traces::end();
    // A thread that fetches a model or waits for a disk must not hold up an end that was asked for.
    runtime.shutdown_timeout(LEAVES_WITHIN);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn try_run<S, W>(program: &Program, work: impl FnOnce(S, Shutdown) -> W) -> anyhow::Result<()>
where
    S: Default + Serialize + DeserializeOwned,
    W: Future<Output = anyhow::Result<()>>,
{
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let format = variable("COPYMILL_LOG_FORMAT").map(|format| format.parse()).transpose();
    let filter = variable("COPYMILL_LOG").unwrap_or_else(|| DEFAULT_LOG.into());
    // Without a log there is only standard error to say so.
    logging::init(program.name, format.map_err(anyhow::Error::msg)?.unwrap_or_default(), &filter)?;
    let settings = settings::load(variable("COPYMILL_CONFIG").as_deref().map(std::path::Path::new))?;
    let shutdown = Shutdown::install()?;
    tracing::info!(version = program.version, "{} starts", program.name);
    let dropped = async {
        shutdown.abort_requested().await;
        tokio::time::sleep(LEAVES_WITHIN).await;
    };
    let working = work(settings, shutdown.clone());
    tokio::select! {
        ended = working => ended?,
        () = dropped => anyhow::bail!("asked twice to stop: what was in hand is dropped, and others take it"),
    }
    tracing::info!("{} ends", program.name);
    Ok(())
}

/// This process for people and for the leader: host and process id.
pub fn name() -> String {
    format!("{}/{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}
