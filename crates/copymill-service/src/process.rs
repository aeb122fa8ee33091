//! What every long-running program does around its work: settings, logging, signals, an exit code that says how it ended.

use std::process::ExitCode;

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
  COPYMILL_ADMIN__ADDRESS     where /healthz, /readyz and /metrics are served, such as 0.0.0.0:9090; none where it is not set
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

/// Runs a program: reads its settings, logs, and works until it is done or asked to stop.
///
/// `COPYMILL_CONFIG` names the settings file, `COPYMILL_LOG` the filter, `COPYMILL_LOG_FORMAT` human or json.
pub async fn run<S, W>(program: Program, work: impl FnOnce(S, Shutdown) -> W) -> ExitCode
where
    S: Default + Serialize + DeserializeOwned,
    W: Future<Output = anyhow::Result<()>>,
{
    let command = Command::new(program.name).about(program.about).version(program.version);
    command.after_help(format!("{SETTINGS}\n{}", program.settings)).get_matches();
    let ended = try_run(&program, work).await;
    traces::end();
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
    work(settings, shutdown).await?;
    tracing::info!("{} ends", program.name);
    Ok(())
}

/// This process for people and for the leader: host and process id.
pub fn name() -> String {
    format!("{}/{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}
