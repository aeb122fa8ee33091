//! A real Prometheus on a private port, with what it stores in a temporary folder.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::guarded::{Guarded, free_port, wait_until};

/// It is ready within a second on a quiet machine.
const START: Duration = Duration::from_secs(60);

/// A server.
pub struct Prometheus {
    port: u16,
    folder: TempDir,
    _process: Guarded,
}

impl Prometheus {
    /// Starts a server with a configuration, beside which the rules of a folder are found under `rules`.
    pub fn start(configuration: &str, rules: &Path) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a temporary folder"));
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, configuration).expect("the folder takes files");
        std::os::unix::fs::symlink(rules, folder.path().join("rules")).expect("the folder takes links");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Guarded::spawn_logging(&command, &folder.path().join("log"));
        let server = Self { port, folder, _process: process };
        let ready = server.url("/-/ready");
        wait_until("Prometheus is ready", START, || ureq::get(&ready).call().is_ok());
        server
    }

    /// What an expression is now; none where the server refuses it. No data is an empty list.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let asked = ureq::get(&self.url("/api/v1/query")).query("query", expression).call();
        let body = match asked {
            Ok(answer) | Err(ureq::Error::Status(_, answer)) => {
                answer.into_string().map_err(|e| e.to_string())?
            }
            Err(error) => return Err(error.to_string()),
        };
        let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        match answer["data"]["result"].as_array() {
            Some(result) => Ok(result.clone()),
            None => Err(body),
        }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}
