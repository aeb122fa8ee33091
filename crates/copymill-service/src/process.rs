//! What every long-running program does around its work: settings, logging, signals, an exit code that says how it ended.

use std::process::ExitCode;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Shutdown, logging, settings};

/// What is logged where nothing else is asked for.
const DEFAULT_LOG: &str = "info,llama-cpp-2=error,aws_config=warn,lapin=warn";

/// Runs a program: reads its settings, logs, and works until it is done or asked to stop.
///
/// `COPYMILL_CONFIG` names the settings file, `COPYMILL_LOG` the filter, `COPYMILL_LOG_FORMAT` human or json.
pub async fn run<S, W>(name: &str, work: impl FnOnce(S, Shutdown) -> W) -> ExitCode
where
    S: Default + Serialize + DeserializeOwned,
    W: Future<Output = anyhow::Result<()>>,
{
    match try_run(name, work).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn try_run<S, W>(name: &str, work: impl FnOnce(S, Shutdown) -> W) -> anyhow::Result<()>
where
    S: Default + Serialize + DeserializeOwned,
    W: Future<Output = anyhow::Result<()>>,
{
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let format = variable("COPYMILL_LOG_FORMAT").map(|format| format.parse()).transpose();
    let filter = variable("COPYMILL_LOG").unwrap_or_else(|| DEFAULT_LOG.into());
    // Without a log there is only standard error to say so.
    logging::init(format.map_err(anyhow::Error::msg)?.unwrap_or_default(), &filter)?;
    let settings = settings::load(variable("COPYMILL_CONFIG").as_deref().map(std::path::Path::new))?;
    let shutdown = Shutdown::install()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "{name} starts");
    work(settings, shutdown).await?;
    tracing::info!("{name} ends");
    Ok(())
}

/// This process for people and for the leader: host and process id.
pub fn name() -> String {
    format!("{}/{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id())
}
